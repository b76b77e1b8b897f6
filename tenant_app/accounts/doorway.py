"""What handlers of this workspace share: form fields, addresses, the cookie, and the way back."""

from typing import Any, Protocol
from urllib.parse import quote
from uuid import UUID

from litestar import Controller, Request, Response
from litestar.response import Redirect
from litestar.types import Guard

from kit.credentials import clear_cookie, require_secure, session_cookie
from kit.errors import Refusal, Refusals
from kit.interface import Form, field_errors, locale_of
from kit.web import client_ip, host_of
from tenant_app.accounts import policies, sessions, support
from tenant_app.accounts.desk import COOKIE, csrf, token_of
from tenant_app.accounts.sessions import Origin, Way
from tenant_app.contract import SignInConnection, SupportGrant
from tenant_app.interface import Viewer, door, spoken
from tenant_app.tenancy import Connection, tenant

AnyRequest = Request[Any, Any, Any]
COOKIE_DAYS = 60 * 24 * 3600
LONGEST_FIELD = 20_000


class Room(Controller):
    """Handlers whose writes need the session's own token. What each admits stands beside its path."""

    before_request = csrf.check
    include_in_schema = False
    guards: list[Guard] = []  # noqa: RUF012 - Litestar's way


async def fields(request: AnyRequest) -> dict[str, str]:
    """The text fields of a sent form."""
    form = await request.form()
    return {name: value[:LONGEST_FIELD] for name, value in form.items() if isinstance(value, str)}


def origin(request: AnyRequest) -> str:
    """Scheme, host and port of this workspace, as its people type it."""
    return f"{request.scope['scheme']}://{host_of(request.scope) or ''}"


def host(request: AnyRequest) -> str:
    """Its host without the port."""
    return (host_of(request.scope) or "").partition(":")[0]


def way_on(wanted: str) -> str:
    """A path of this very host to go on to; anything else is the start page."""
    if wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable():
        return wanted
    return "/"


def refused_form(
    request: AnyRequest, problem: Refusal | Refusals, values: dict[str, str], locale: str | None = None
) -> Form:
    """The form as it was sent, with what is wrong beside each field. Secrets are not sent back."""
    chosen = locale_of(request, locale)
    found = problem.refusals if isinstance(problem, Refusals) else [problem]
    kept = {name: value for name, value in values.items() if name not in {"password", "repeated", "current", "code"}}
    return Form(kept, field_errors([spoken(one, chosen) for one in found], chosen))


def outside(request: AnyRequest, template: str, *, status: int = 200, **context: Any) -> Response[str]:
    """A page outside the shell. Its forms carry a token where the browser still has a session's cookie."""
    return door(request, template, status=status, csrf=csrf.token(request), **context)


class Someone(Protocol):
    """Whoever signs in."""

    @property
    def id(self) -> UUID:
        """His id."""

    @property
    def email(self) -> str | None:
        """Whose domain says who answers for him."""


async def signed_in(
    request: AnyRequest, conn: Connection, person: Someone, to: str, *, way: Way, origin: Origin | None = None
) -> Response[Any]:
    """A fresh session for this person, in a cookie, and on to `to`; a Refusal where policies admit no such way."""
    return _with_session(request, await _opened(request, conn, person, way=way, origin=origin), to)


async def code_awaited(request: AnyRequest, conn: Connection, person: Someone, to: str) -> Response[Any]:
    """The password held; a code is asked next."""
    token = await _opened(request, conn, person, way=Way.PASSWORD, purpose=sessions.CODE)
    return _with_session(request, token, f"/sign-in/code?next={quote(to, safe='')}" if to != "/" else "/sign-in/code")


async def proven_again(
    request: AnyRequest, conn: Connection, viewer: Viewer, to: str, way: Way | None
) -> Response[Any]:
    """The same session under another token, since its person's rights or proof changed."""
    return _with_session(request, await sessions.renew(conn, viewer.session_hash, way), to)


async def let_in_support(request: AnyRequest, conn: Connection, grant: SupportGrant) -> Response[Any]:
    """A session of the provider's staff; the consent, not the organisation's rules for its own people, opens it."""
    require_secure(request.scope["scheme"], host(request))
    token = await sessions.open_session(
        conn,
        grant.administrator_id,
        way=Way.SUPPORT,
        purpose=sessions.SUPPORT,
        ip=client_ip(request),
        agent=request.headers.get("user-agent"),
        origin=support.origin_of(grant),
    )
    return _with_session(request, token, "/")


async def _opened(
    request: AnyRequest,
    conn: Connection,
    person: Someone,
    *,
    way: Way,
    purpose: str = sessions.MEMBER,
    origin: Origin | None = None,
) -> str:
    require_secure(request.scope["scheme"], host(request))
    ip = client_ip(request)
    policies.require_way(tenant(request), person.id, person.email or "", way, ip)
    agent = request.headers.get("user-agent")
    if old := token_of(request):
        # Whoever's it was: nobody could come back to it but who has stolen its cookie.
        await sessions.close(conn, sessions.digest(old))
    return await sessions.open_session(conn, person.id, way=way, purpose=purpose, ip=ip, agent=agent, origin=origin)


def _with_session(request: AnyRequest, token: str, to: str) -> Response[Any]:
    response: Response[Any] = Redirect(to, status_code=303)
    response.set_cookie(session_cookie(request.scope["scheme"], COOKIE, token, max_age=COOKIE_DAYS))
    return response


def signed_out(request: AnyRequest, to: str) -> Response[Any]:
    """On to `to` without a session."""
    response: Response[Any] = Redirect(to, status_code=303)
    response.set_cookie(clear_cookie(request.scope["scheme"], COOKIE))
    return response


def to_provider(connection: SignInConnection, to: str) -> Response[Any]:
    """Towards the identity provider, by a page of our own: a form's answer may not lead to another host."""
    tail = f"?next={quote(to, safe='')}" if to != "/" else ""
    return Redirect(f"/sign-in/with/{connection.id}{tail}", status_code=303)


def told(path: str, what: str, **more: object) -> Response[Any]:
    """Back to a page, which says what was done."""
    tail = "".join(f"&{name}={value}" for name, value in more.items())
    return Redirect(f"{path}{'&' if '?' in path else '?'}told={what}{tail}", status_code=303)
