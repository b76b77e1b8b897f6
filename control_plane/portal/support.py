"""Support access to an organisation's workspace: asked for here, accepted over there, entered by a ticket."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from control_plane import identity, organisations
from control_plane.identity import Permission
from control_plane.organisations import Organisation
from control_plane.portal.desk import AnyRequest, Desk, go, requires
from control_plane.portal.organisation import context
from kit.errors import Refusal, Refusals
from kit.interface import Form, field_errors, locale_of
from kit.interface.entries import Entries

STAFF = [requires(Permission.SUPPORT)]


def _page(desk: Desk, row: Organisation, form: Form | None = None) -> Response[str]:
    return desk.show(
        "portal/organisation_support.html",
        status=422 if form else 200,
        **context(desk, row, "support"),
        accesses=identity.support_accesses(desk.session, row.id),
        form=form or Form(),
    )


@get("/organisations/{reference:str}/support", guards=STAFF, sync_to_thread=True)
def show_support(desk: NamedDependency[Desk], reference: FromPath[str]) -> Response[str]:
    """What was asked, and a form to ask."""
    return _page(desk, organisations.find(desk.session, reference))


@post("/organisations/{reference:str}/support", guards=STAFF, sync_to_thread=True)
def ask(desk: NamedDependency[Desk], reference: FromPath[str], entries: NamedDependency[Entries]) -> Response[Any]:
    """Ask. Nothing opens by it."""
    row = organisations.find(desk.session, reference)
    hours = entries.text("hours")
    asked: dict[str, Any] = {
        "reason": entries.text("reason"),
        "read_only": entries.text("scope") != "write",
        "hours": int(hours) if hours.isascii() and hours.isdecimal() and len(hours) < 4 else 0,
    }
    try:
        with desk.session.begin_nested():
            identity.ask_support(desk.session, row.id, desk.staff, actor=desk.actor, **asked)
    except (Refusal, Refusals) as wrong:
        return _page(desk, row, Form(entries.values(), field_errors(wrong, locale_of(desk.request, desk.staff.locale))))
    return go(f"/organisations/{row.id}/support", "support-asked")


@post("/organisations/{reference:str}/support/{access_id:uuid}/end", guards=STAFF, sync_to_thread=True)
def end(desk: NamedDependency[Desk], reference: FromPath[str], access_id: FromPath[UUID]) -> Redirect:
    """Given up by the provider's side."""
    row = organisations.find(desk.session, reference)
    identity.end_support(desk.session, row.id, access_id, actor=desk.actor)
    return go(f"/organisations/{row.id}/support", "support-ended")


@post("/organisations/{reference:str}/support/{access_id:uuid}/entry", guards=STAFF, sync_to_thread=True)
def enter(
    request: AnyRequest, desk: NamedDependency[Desk], reference: FromPath[str], access_id: FromPath[UUID]
) -> Redirect:
    """Into the workspace, by a ticket of 60 seconds."""
    row = organisations.find(desk.session, reference)
    granted = identity.enter_support(desk.session, row.id, access_id, desk.staff, actor=desk.actor)
    url = request.app.state.doors.url(desk.session, row, "support", granted.id)
    return Redirect(url, status_code=303)


handlers = [show_support, ask, end, enter]
