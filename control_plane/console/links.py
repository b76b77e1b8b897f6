"""Set-up links: an owner lets a colleague, or the directory's maker, set one thing up without an account."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from control_plane import identity
from control_plane.console.desk import Desk, go, requires
from control_plane.console.permissions import Permission
from control_plane.console.words import PURPOSES
from kit.errors import Refusal, Refusals
from kit.interface import Form
from kit.interface.entries import Entries

OWNERS = [requires(Permission.LINKS)]
KEPT = "console-link"
HOURS = {"24": 24, "72": 72, "168": 168}


def _page(desk: Desk, *, form: Form | None = None) -> Response[str]:
    shown = desk.shown_once(KEPT)
    return desk.show(
        "console/links.html",
        status=422 if form else 200,
        links=identity.set_up_links(desk.session, desk.organisation_id),
        purposes=PURPOSES,
        shown=shown,
        form=form or Form(),
    )


@get("/links", guards=OWNERS, sync_to_thread=True)
def show_links(desk: NamedDependency[Desk]) -> Response[str]:
    """Those that were made. A new one is shown once."""
    return _page(desk)


@post("/links", guards=OWNERS, sync_to_thread=True)
def make_link(desk: NamedDependency[Desk], entries: NamedDependency[Entries]) -> Response[Any]:
    """One more: it works once, for one purpose."""
    try:
        with desk.session.begin_nested():
            _, url = identity.make_set_up_link(
                desk.session,
                desk.settings,
                desk.organisation_id,
                _purpose(entries),
                hours=HOURS.get(entries.text("hours"), 72),
                actor=desk.actor,
            )
    except (Refusal, Refusals) as wrong:
        return _page(desk, form=Form(entries.values(), desk.errors(wrong)))
    return desk.show_once(KEPT, url, "/links", "link")


def _purpose(entries: Entries) -> Any:
    purpose = entries.text("purpose")
    if purpose not in PURPOSES:
        raise Refusal("purpose_missing", "Choose what the link is for.", field="purpose")
    return purpose


@post("/links/{link_id:uuid}/revocation", guards=OWNERS, sync_to_thread=True)
def revoke_link(desk: NamedDependency[Desk], link_id: FromPath[UUID]) -> Redirect:
    """It opens nothing more, and whoever is in by it is out."""
    identity.revoke_set_up_link(desk.session, desk.organisation_id, link_id, actor=desk.actor)
    return go("/links", "link-revoked")


handlers = [show_links, make_link, revoke_link]
