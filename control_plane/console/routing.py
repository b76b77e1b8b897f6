"""Every page of the console under one router: its path, its CSRF check, its transaction, and the closed door."""

from typing import Any

from litestar import Response, Router
from litestar.di import Provide

from control_plane.console import (
    certificates,
    connection,
    connections,
    domains,
    entering,
    home,
    journal,
    links,
    mapping,
    members,
    plan,
    policy,
    provisioning,
    removals,
    support,
)
from control_plane.console.desk import HOME, AnyRequest, csrf, provide_desk
from control_plane.console.words import GLOBALS
from kit.errors import Refusal
from kit.interface import LOCALES, engine, error_page, translator
from kit.interface.entries import provide_entries
from kit.web import exception_handlers, wants_page

ROOMS = (
    entering,
    home,
    members,
    domains,
    connections,
    connection,
    mapping,
    certificates,
    provisioning,
    removals,
    policy,
    links,
    plan,
    support,
    journal,
)
_answer: Any = exception_handlers(error_page)[Refusal]


def to_the_door(request: AnyRequest, refusal: Refusal) -> Response[Any]:
    """Who is not in sees how to come in; everything else is answered as usual."""
    if refusal.status != 401 or not wants_page(request):
        return _answer(request, refusal)  # type: ignore[no-any-return]
    return entering.closed(request, refusal)


for _locale in LOCALES:
    engine(_locale).globals.update(GLOBALS, tr=translator(_locale).gettext)


def routes() -> Router:
    """The console's routes, for the public site's application, whose transaction (`session`) they take."""
    return Router(
        path=HOME,
        route_handlers=[handler for room in ROOMS for handler in room.handlers],
        before_request=csrf.check,
        dependencies={
            "desk": Provide(provide_desk, sync_to_thread=True),
            "entries": Provide(provide_entries),
        },
        exception_handlers={Refusal: to_the_door},
        include_in_schema=False,
    )
