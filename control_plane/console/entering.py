"""The ways into the console: a ticket from the workspace, a set-up link; and the way out."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect
from sqlalchemy.orm import Session

from control_plane import audit, identity, organisations
from control_plane.audit import Actor
from control_plane.console import sessions
from control_plane.console.crossing import audience, read_ticket
from control_plane.console.desk import AnyRequest, client_of, csrf, databases_of, go, make_cookie, token_of
from kit.credentials import require_secure
from kit.errors import Refusal
from kit.interface import page
from kit.web import host_of, request_id

HOURS = int(sessions.WHOLE.total_seconds())
# Where a mail may lead, by the name that travels with the ticket.
PLACES = {"removals": "/provisioning/removals", "support": "/support"}


@get("/enter", sync_to_thread=True)
def by_ticket(
    request: AnyRequest, session: NamedDependency[Session], ticket: FromQuery[str] = "", to: FromQuery[str] = ""
) -> Response[Any]:
    """Come in by a workspace's ticket, once. What another site sent is asked about first: nobody is led in unawares."""
    if request.headers.get("sec-fetch-site") == "cross-site":
        return page(request, "console/enter.html", ticket=ticket, to=to if to in PLACES else "", status=200)
    return _entered(request, session, ticket, to)


@post("/enter", sync_to_thread=True)
def by_ticket_asked(
    request: AnyRequest, session: NamedDependency[Session], ticket: FromQuery[str] = "", to: FromQuery[str] = ""
) -> Response[Any]:
    """The button of that question."""
    return _entered(request, session, ticket, to)


def _entered(request: AnyRequest, session: Session, text: str, to: str) -> Response[Any]:
    require_secure(request.scope["scheme"], host_of(request.scope) or "")
    databases = databases_of(request, session)
    try:
        ticket = read_ticket(session, audience(request.app.state.settings), text)
        token, person = sessions.enter(session, databases, ticket, client_of(request))
    except Refusal as refusal:
        return closed(request, refusal)
    _leave_older(request, session)
    actor = Actor("member", str(person.id), person.name, request_id(request) or None)
    data = {"by": "ticket", "role": person.role}
    audit.record(session, "console.entered", actor=actor, organisation_id=ticket.organisation_id, data=data)
    return go(PLACES.get(to, ""), cookies=[make_cookie(request.scope["scheme"], token, max_age=HOURS)])


def closed(request: AnyRequest, refusal: Refusal) -> Response[Any]:
    """The page of a door that stays shut: why, and the way that works."""
    return page(request, "console/closed.html", status=refusal.status, refusal=refusal)


def _leave_older(request: AnyRequest, session: Session) -> None:
    older = token_of(request)
    if older:
        sessions.leave(session, older)


@get("/set-up/{token:str}", sync_to_thread=True)
def show_set_up(request: AnyRequest, session: NamedDependency[Session], token: FromPath[str]) -> Response[Any]:
    """A page with a button: a mail scanner that opens links uses nothing up."""
    try:
        link = identity.find_set_up_link(session, token)
    except Refusal as refusal:
        return closed(request, refusal)
    organisation = organisations.get(session, link.organisation_id)
    return page(request, "console/set_up.html", organisation=organisation, link=link, token=token)


@post("/set-up/{token:str}", sync_to_thread=True)
def use_set_up(request: AnyRequest, session: NamedDependency[Session], token: FromPath[str]) -> Response[Any]:
    """Use the link up and come in, to set sign-in up and nothing else."""
    require_secure(request.scope["scheme"], host_of(request.scope) or "")
    try:
        link = identity.use_set_up_link(session, token)
    except Refusal as refusal:
        return closed(request, refusal)
    cookie = sessions.enter_by_link(session, link.organisation_id, link.id, client_of(request))
    _leave_older(request, session)
    actor = Actor("link", str(link.id), "Set-up link", request_id(request) or None)
    audit.record(
        session, "console.entered", actor=actor, organisation_id=link.organisation_id, data={"by": "set-up link"}
    )
    return go(cookies=[make_cookie(request.scope["scheme"], cookie, max_age=HOURS)])


@post("/leave", sync_to_thread=True)
def leave(request: AnyRequest, session: NamedDependency[Session]) -> Redirect:
    """End this session."""
    _leave_older(request, session)
    return go("/left", cookies=[make_cookie(request.scope["scheme"], "", max_age=0)])


@get("/left", sync_to_thread=False)
def left(request: AnyRequest) -> Response[Any]:
    """Said after leaving."""
    return page(request, "console/closed.html", refusal=None, csrf=csrf.token(request))


handlers = [by_ticket, by_ticket_asked, show_set_up, use_set_up, leave, left]
