"""Every page of the portal under one router: its CSRF check, its transaction, and the way to the door."""

from typing import Any
from urllib.parse import quote

from litestar import Response, Router
from litestar.di import Provide
from litestar.response import Redirect

from control_plane.portal import (
    account,
    acting,
    cell_store,
    cells,
    company_sign_in,
    finding,
    home,
    journal,
    ledger,
    offers,
    operations,
    ordering,
    organisation,
    people,
    sign_in,
    signing_out,
    storage_looks,
    storing,
    support,
    tokens,
)
from control_plane.portal.desk import AnyRequest, csrf, provide_desk
from control_plane.portal.words import GLOBALS, browser_name, clock
from kit.errors import Refusal
from kit.interface import LOCALES, engine, error_page, translator
from kit.interface.entries import provide_entries
from kit.web import exception_handlers, provide_session, wants_page

ROOMS = (
    sign_in,
    company_sign_in,
    signing_out,
    home,
    finding,
    ordering,
    acting,
    organisation,
    storing,
    support,
    operations,
    ledger,
    offers,
    cells,
    cell_store,
    journal,
    tokens,
    people,
    account,
)
DOORS = {"second_factor_needed": "/sign-in/next", "company_asked_again": "/sign-in/oidc"}
_answer: Any = exception_handlers(error_page)[Refusal]


def to_the_door(request: AnyRequest, refusal: Refusal) -> Response[Any]:
    """Who is not signed in is sent to the door and, from there, back; everything else is answered as usual."""
    if refusal.status != 401 or not wants_page(request):
        return _answer(request, refusal)  # type: ignore[no-any-return]
    door = DOORS.get(refusal.code, "/sign-in")
    if request.method != "GET":
        return Redirect(door, status_code=303)
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return Redirect(f"{door}?next={quote(here)}" if here != "/" else door, status_code=303)


for _locale in LOCALES:
    # `tr` is for words that come from a table or a row: unlike `_`, it never takes a % in them for a place to fill.
    engine(_locale).globals.update(GLOBALS, **storage_looks.GLOBALS, tr=translator(_locale).gettext)
    engine(_locale).filters.update(browser=browser_name, clock=clock)

controllers = [
    Router(
        path="/",
        route_handlers=[handler for room in ROOMS for handler in room.handlers],
        before_request=csrf.check,
        dependencies={
            "session": Provide(provide_session),
            "desk": Provide(provide_desk, sync_to_thread=True),
            "entries": Provide(provide_entries),
        },
        exception_handlers={Refusal: to_the_door},
        include_in_schema=False,
    ),
    Router(
        path="/",
        route_handlers=signing_out.foreign,
        dependencies={"entries": Provide(provide_entries)},
        include_in_schema=False,
    ),
]
