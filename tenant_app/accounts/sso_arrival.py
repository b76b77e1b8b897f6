"""The end of a sign-in at an identity provider: in, or refused on a plain page that names what failed."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from litestar import Response
from litestar.datastructures import Cookie

from kit.credentials import clear_cookie, cookie_name, session_cookie
from kit.errors import Refusal, Unavailable, not_found
from kit.interface import locale_of
from kit.web import client_ip, content_policy
from tenant_app.accounts import attempts, policies, sessions, sso_flow, sso_traces
from tenant_app.accounts.desk import connection as transaction
from tenant_app.accounts.doorway import AnyRequest, origin, outside, signed_in, way_on
from tenant_app.accounts.journal import record as journal
from tenant_app.accounts.outbox import unknown_key
from tenant_app.accounts.sessions import Way
from tenant_app.accounts.sso_flow import Flow, Started
from tenant_app.accounts.sso_people import Reception
from tenant_app.accounts.sso_said import Said
from tenant_app.accounts.sso_traces import Result, Trail
from tenant_app.contract import ConnectionKind, SignInConnection
from tenant_app.tenancy import tenant

TRACED_REFUSALS = 100
# The provider may have new keys that its metadata tells.
KEYS_UNKNOWN = frozenset({"saml_signature_key", "saml_certificate_expired"})
FLOW_SECONDS = 600
LONGEST_INDEX = 255


def connection_named(request: AnyRequest, of: Any, kind: ConnectionKind | None = None) -> SignInConnection:
    """The connection of this host's own organisation with this id. Another's is not found, like none at all."""
    found = policies.connection_of(tenant(request), of)
    if found is None or (kind is not None and found.kind != kind):
        raise not_found()
    return found


def _cookie_of(handle_digest: str) -> str:
    # One for each flow: two tabs do not disturb each other.
    return f"parvis-sso-{handle_digest[:8]}"


def flow_cookie(request: AnyRequest, started: Started) -> Cookie:
    """What binds a flow to the browser that began it."""
    name = _cookie_of(sso_flow.digest(started.handle))
    return session_cookie(request.scope["scheme"], name, started.secret, max_age=FLOW_SECONDS)


def _name_in(flow: Flow, handle: str) -> str:
    return str(flow.data.get("cookie") or _cookie_of(sso_flow.digest(handle)))


def require_same_browser(request: AnyRequest, flow: Flow, handle: str) -> None:
    """Refuse an answer that comes through another browser than the one that asked."""
    secret = request.cookies.get(cookie_name(request.scope["scheme"], _name_in(flow, handle)))
    if not sso_flow.begun_here(flow, secret):
        raise Refusal(
            "sso_other_browser",
            "This sign-in was begun in another browser or window, so it ends here. Begin again at the sign-in page.",
            status=403,
        )


def unknown_flow() -> Refusal:
    """Never begun, too old, or finished already: the same answer."""
    return Refusal(
        "sso_flow_unknown",
        "This sign-in was not begun here, took longer than ten minutes, or was finished already. Begin again at the"
        " sign-in page.",
        status=403,
    )


def replayed() -> Refusal:
    """Each answer of a provider opens one session."""
    return Refusal(
        "sso_replayed", "This answer of {provider} was used before. Begin again at the sign-in page.", status=403
    )


@dataclass(frozen=True)
class Back:
    """A flow that came back to the browser that began it."""

    connection: SignInConnection
    flow: Flow
    handle: str


async def conclude(request: AnyRequest, back: Back, said: Said, trail: Trail) -> Response[Any]:
    """Open a session for whom the provider named; a test run only tells what would happen."""
    record, connection, flow = tenant(request), back.connection, back.flow
    way_to = way_on(str(flow.data.get("next", "/")))
    async with transaction(request) as (_, conn):
        waiting = request.app.state.invitations
        reception = Reception(conn, record, connection, trail, invitations=waiting, origin=origin(request))
        if trail.test:
            await conn.execute("SAVEPOINT before")
        person, result = await reception.receive(said, locale_of(request, record.locale))
        if trail.test:
            await conn.execute("ROLLBACK TO SAVEPOINT before")
            known = None if result.action == "created" else result.principal_id
            trace = await sso_traces.keep(conn, trail, _at(result, known))
            response: Response[Any] = _tested(request, connection, result, trace)
        else:
            from_there = sessions.Origin(
                connection.id, said.subject, said.session, said.data, said.until, said.proved_at
            )
            response = await signed_in(request, conn, person, way_to, way=Way.SSO, origin=from_there)
            await journal(conn, person.id, "account.signed_in", person.id, by="sso", connection=str(connection.id))
            await sso_traces.keep(conn, trail, result)
    response.set_cookie(clear_cookie(request.scope["scheme"], _name_in(flow, back.handle)))
    return response


def _origin(connection: SignInConnection, said: Said) -> sessions.Origin:
    return sessions.Origin(connection.id, said.subject, said.session, said.data, said.until, said.proved_at)


def _at(result: Result, principal_id: Any) -> Result:
    return Result(result.email, result.name, result.role, result.action, principal_id)


def _tested(request: AnyRequest, connection: SignInConnection, result: Result, trace: Any) -> Response[Any]:
    return outside(
        request,
        "accounts/sso_tested.html",
        provider=connection.name,
        result=result,
        trace=trace,
        refusal=None,
    )


def as_refusal(connection: SignInConnection, error: Refusal | Unavailable, trail: Trail) -> Refusal:
    """A provider that does not answer is told apart from one that was refused."""
    if isinstance(error, Refusal):
        error.params.setdefault("provider", connection.name)
        return error
    trail.checked("reachable", ok=False, seen=error.code)
    return Refusal(
        "sso_provider_away",
        "{provider} does not answer just now. Try again in a moment, or sign in another way.",
        status=503,
        provider=connection.name,
    )


async def refused(
    request: AnyRequest, connection: SignInConnection, trail: Trail, error: Refusal | Unavailable
) -> Response[Any]:
    """The plain page: what failed, its cure, and the number under which an administrator finds the trace."""
    refusal = as_refusal(connection, error, trail)
    if all(one.ok for one in trail.checks):
        trail.checked("seat" if refusal.code == "seats_limit" else refusal.code, ok=False)
    async with transaction(request) as (_, conn):
        # Strangers may post nonsense as long as they like: it fills no table.
        tries = await attempts.count(conn, "sso refusals", client_ip(request), allowed=TRACED_REFUSALS)
        kept = tries.count <= TRACED_REFUSALS
        trace = await sso_traces.keep(conn, trail, Result(), refusal) if kept else None
        if refusal.code in KEYS_UNKNOWN and kept:
            await unknown_key(conn, tenant(request), connection.id)
    template = "accounts/sso_tested.html" if trail.test else "accounts/sso_refused.html"
    return outside(
        request,
        template,
        status=refusal.status,
        provider=connection.name,
        refusal=refusal,
        result=None,
        trace=trace,
    )


def posting(
    request: AnyRequest, connection: SignInConnection, url: str, fields: dict[str, str], *, leaving: bool = False
) -> Response[Any]:
    """A page whose form goes to the provider by itself, or by a button: to sign in there, or `leaving`, out."""
    response = outside(
        request, "accounts/sso_post.html", provider=connection.name, url=url, fields=fields, leaving=leaving
    )
    response.headers["Content-Security-Policy"] = content_policy(form_action=origin_of(url))
    return response


def origin_of(url: str) -> str:
    """Scheme, host and port of an address, as a content policy names them."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
