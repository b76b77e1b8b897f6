"""The desk of a member of staff: who asks, what they may, the transaction. Guards stand before each handler."""

from dataclasses import dataclass, field
from typing import Any

from anyio import to_thread
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.response import Redirect
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from control_plane import identity
from control_plane.audit import Actor
from control_plane.identity import Client, Permission, SignedIn, allows
from control_plane.placement import Databases
from kit.credentials import cookie_name, session_cookie
from kit.db import transaction, vault_of
from kit.errors import Refusal, not_found
from kit.interface import page
from kit.web import Csrf, client_ip, host_of, request_id, wants_page

AnyRequest = Request[Any, Any, Any]
Connection = ASGIConnection[Any, Any, Any, Any]

COOKIE = "portal"
WHO = "portal_signed"
HOURS = 12


def token_of(request: Connection) -> str | None:
    """The session's token as the browser sent it."""
    return request.cookies.get(cookie_name(request.scope["scheme"], COOKIE)) or None


# The session's own 256 random bits make the token unguessable; the key keeps its uses apart.
csrf = Csrf(b"parvis portal forms", token_of)


def sign_in_needed() -> Refusal:
    """Nobody is signed in, or no longer."""
    return Refusal("sign_in_needed", "Please sign in: this session has ended.", status=401)


def second_factor_needed() -> Refusal:
    """The password was right; the second factor has not come."""
    return Refusal("second_factor_needed", "Please finish signing in first.", status=401)


def company_asked_again() -> Refusal:
    """The company's sign-in has vouched for this session long enough: its next page goes by there."""
    return Refusal("company_asked_again", "The company's sign-in is asked again. Reload the page.", status=401)


def is_visit(request: Connection) -> bool:
    """Whether a person goes to a page in the browser: no form, no script, nothing that could be lost on a detour."""
    fetched = request.headers.get("sec-fetch-mode", "navigate") != "navigate"
    return isinstance(request, Request) and request.method == "GET" and not fetched and wants_page(request)


@dataclass(frozen=True)
class Requires:
    """Lets in staff who are fully signed in and whose role has the permission (any staff, where there is none).

    Asked of the database at each request. Without the permission the page does not exist, as for a foreign address.
    """

    permission: Permission | None

    async def __call__(self, connection: Connection, _handler: BaseRouteHandler) -> None:
        """Litestar's guard."""
        signed = await to_thread.run_sync(who, connection.app.state.engine, token_of(connection))
        if signed is None:
            raise sign_in_needed()
        if not signed.full:
            raise second_factor_needed()
        if identity.is_due(signed) and connection.app.state.settings.staff_oidc and is_visit(connection):
            raise company_asked_again()
        if self.permission is not None and not allows(signed.staff.role, self.permission):
            raise not_found()
        connection.scope["state"][WHO] = signed


def requires(permission: Permission | None = None) -> Requires:
    """The one permission of a handler; none means every member of staff."""
    return Requires(permission)


def who(engine: Engine, token: str | None) -> SignedIn | None:
    """Who has this token, by a transaction of its own."""
    if token is None:
        return None
    with transaction(engine) as session:
        return identity.authenticate(session, token)


@dataclass
class Desk:
    """An open transaction and who asks. It commits once the handler is done."""

    request: AnyRequest
    session: Session
    signed: SignedIn
    cookies: list[Cookie] = field(default_factory=list)

    @property
    def staff(self) -> identity.Staff:
        """The person."""
        return self.signed.staff

    @property
    def actor(self) -> Actor:
        """The person as the cause of an event."""
        return identity.actor_of(self.staff, request_id(self.request) or None)

    def may(self, permission: str) -> bool:
        """For templates: whether an action is shown at all."""
        return allows(self.staff.role, Permission(permission))

    def show(self, template: str, *, status: int = 200, **context: Any) -> Response[str]:
        """A page of the portal in this person's language."""
        return page(
            self.request,
            template,
            status=status,
            locale=self.staff.locale,
            cookies=self.cookies,
            csrf=csrf.token(self.request),
            me=self.staff,
            vouched=self.signed.vouched,
            may=self.may,
            environment=environment_of(self.request),
            done=self.request.query_params.get("done", ""),
            **context,
        )


def environment_of(request: AnyRequest) -> str:
    """Which installation this is: shown in the bar, always."""
    return str(request.app.state.settings.site_url).partition("://")[2]


def provide_desk(request: AnyRequest, session: NamedDependency[Session]) -> Desk:
    """The desk of whom the guard has let in; a handler without a guard has none."""
    seen: SignedIn | None = request.scope["state"].get(WHO)
    if seen is None:
        raise sign_in_needed()
    # In this transaction: what the handler changes of the person or the session is then stored.
    signed = identity.authenticate(session, token_of(request))
    if signed is None:
        raise sign_in_needed()
    return Desk(request, session, signed)


def client_of(request: AnyRequest) -> Client:
    """Where the request comes from."""
    return Client(client_ip(request), request.headers.get("user-agent", ""))


def origin_of(request: AnyRequest) -> str:
    """The page's own origin, which passkeys are bound to."""
    return f"{request.scope['scheme']}://{host_of(request.scope) or ''}"


def signed_in_cookie(request: AnyRequest, token: str) -> Cookie:
    """The cookie of a session."""
    return session_cookie(request.scope["scheme"], COOKIE, token, max_age=HOURS * 3600)


def databases_of(request: AnyRequest, session: Session) -> Databases:
    """The cells' databases, opened once for the process."""
    state = request.app.state
    if state.get("databases") is None:
        state["databases"] = Databases(vault_of(session))
    found: Databases = state["databases"]
    return found


def go(path: str, done: str = "", cookies: list[Cookie] | None = None) -> Redirect:
    """After a write: to the page that shows it; `done` names the words of the toast."""
    where = f"{path}{'&' if '?' in path else '?'}done={done}" if done else path
    return Redirect(where, status_code=303, cookies=cookies or [])


def local_path(text: str | None) -> str:
    """A path of this very host to go on to; anything else is the home page."""
    if text and text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable():
        return text
    return "/"
