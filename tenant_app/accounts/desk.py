"""The desk: one request's transaction in its own tenant, and who asks. What a route admits stands beside its path."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from kit.credentials import cookie_name
from kit.errors import Refusal, not_found
from kit.web import Csrf, client_ip
from kit.web.csrf import SAFE
from tenant_app.accounts import credentials, policies, sessions, support, support_views, trials
from tenant_app.interface import Role, Viewer
from tenant_app.tenancy import Connection, TenantRecord, pool, read_only_refusal, tenant

AnyRequest = Request[Any, Any, Any]
AnyConnection = ASGIConnection[Any, Any, Any, Any]

COOKIE = "parvis"


def token_of(request: AnyConnection) -> str | None:
    """The session's token as the browser sent it."""
    return request.cookies.get(cookie_name(request.scope["scheme"], COOKIE)) or None


# The session's own 256 random bits make the token unguessable; the key keeps its uses apart.
csrf = Csrf(b"parvis workspace forms", token_of)


@dataclass(frozen=True)
class Desk:
    """An open transaction as this tenant's role, and who asks. It commits when the handler is done."""

    request: AnyRequest
    tenant: TenantRecord
    conn: Connection
    viewer: Viewer


def sign_in_needed() -> Refusal:
    """Nobody is signed in, or no longer."""
    return Refusal("sign_in_needed", "Please sign in: this session has ended.", status=401)


class SessionOver(Exception):  # noqa: N818 - no failure: what the desk does about it
    """The organisation's rules let this session go on no more."""

    def __init__(self, session_hash: str) -> None:
        super().__init__("session over")
        self.session_hash = session_hash


async def require_session(request: AnyConnection, _handler: BaseRouteHandler) -> None:
    """Litestar guard for what takes JSON: nobody's body is read. Whose session it is, the desk asks."""
    if token_of(request) is None:
        raise sign_in_needed()


def refuse_writes(request: AnyRequest, record: TenantRecord) -> None:
    """In read-only everything can be read and exported, and nothing changes."""
    writes = request.method not in SAFE
    if writes and record.state == "read_only" and not request.route_handler.opt.get("always"):
        raise read_only_refusal()


@asynccontextmanager
async def connection(request: AnyRequest) -> AsyncIterator[tuple[TenantRecord, Connection]]:
    """A transaction in the tenant of this request's host, before anybody is known; signing in works in read-only."""
    record = tenant(request)
    async with pool(request).transaction(record, read_only=False) as conn:
        await trials.learn(conn, record)
        yield record, conn


async def settled(request: AnyRequest) -> TenantRecord:
    """The record of this request's host, for who asks its policies without a transaction."""
    record = tenant(request)
    if trials.undecided(record):
        async with connection(request):
            pass
    return record


@asynccontextmanager
async def desk(request: AnyRequest) -> AsyncIterator[Desk]:
    """Open the desk for whoever the route admits (`admits=Role.…`); a route that admits nobody by name is closed."""
    try:
        async with _desk(request) as open_desk:
            yield open_desk
    except SessionOver as over:
        # In a transaction of its own, for the desk's is rolled back: a rule that is loosened later revives nothing.
        async with connection(request) as (_, conn):
            await sessions.close(conn, over.session_hash)
        raise sign_in_needed() from None


@asynccontextmanager
async def _desk(request: AnyRequest) -> AsyncIterator[Desk]:
    admits = request.route_handler.opt.get("admits")
    if admits is None:
        raise not_found()
    token = token_of(request)
    if token is None:
        raise sign_in_needed()
    record = tenant(request)
    # In a read-only workspace PostgreSQL itself refuses writes, but for what goes on even then.
    closed = None if not request.route_handler.opt.get("always") else False
    async with pool(request).transaction(record, read_only=closed) as conn:
        await trials.learn(conn, record)
        viewer = await sessions.authenticate(conn, token, touch=record.state == "live")
        if viewer is not None and viewer.purpose == sessions.SUPPORT:
            viewer = await support.let_in(request, record, conn, viewer)
        else:
            viewer = _still_in(request, record, viewer)
            await _require_strength(request, record, conn, viewer)
        _admit(request, viewer, admits)
        refuse_writes(request, record)
        yield Desk(request, record, conn, viewer)
    if viewer.stale and record.state != "live":
        # Where nothing can be written, he is at work all the same: idleness must not end his session.
        async with connection(request) as (_, conn):
            await sessions.note_use(conn, viewer)
    await support_views.saw(request, record, viewer)


def _still_in(request: AnyRequest, record: TenantRecord, viewer: Viewer | None) -> Viewer:
    """The viewer, as long as the organisation's policies let this session go on."""
    if viewer is None or viewer.purpose != sessions.MEMBER:
        raise sign_in_needed()
    if not policies.holds(record, viewer):
        raise SessionOver(viewer.session_hash)
    policies.require_network(record, viewer.id, client_ip(request))
    return viewer


async def _require_strength(request: AnyRequest, record: TenantRecord, conn: Connection, viewer: Viewer) -> None:
    """Where a second factor is required: `weak="open"` needs none, `weak="first"` is for who has none to show yet."""
    if not policies.too_weak(record, viewer):
        return
    weak = request.route_handler.opt.get("weak")
    if weak == "first" and await credentials.second_factors(conn, viewer.id):
        weak = None
    if weak is None:
        raise policies.second_factor_needed()


def _admit(request: AnyRequest, viewer: Viewer, admits: Role) -> None:
    if not viewer.equipped and not request.route_handler.opt.get("unequipped"):
        raise Refusal("set_up_needed", "Choose how you will sign in first.", status=401)
    if viewer.role < admits:
        message = "Only an administrator of this workspace may do this."
        if admits == Role.OWNER:
            message = "Only an owner of this workspace may do this."
        raise Refusal("not_allowed", message, status=403)
