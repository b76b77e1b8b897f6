"""The desk of an organisation's administrator: who asks, for which organisation, the transaction, the page."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from anyio import to_thread
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.response import Redirect
from sqlalchemy.orm import Session

from control_plane import organisations
from control_plane.audit import Actor
from control_plane.console import sessions
from control_plane.console.permissions import Permission
from control_plane.console.sessions import SignedIn
from control_plane.identity import Client
from control_plane.organisations import Organisation
from control_plane.placement import Databases
from kit.db import transaction, vault_of
from kit.errors import Refusal, Refusals, Unavailable, not_found
from kit.interface import field_errors, locale_of, page
from kit.settings import ControlPlaneSettings
from kit.web import Csrf, client_ip, request_id
from tenant_app.contract import CellDatabase

AnyRequest = Request[Any, Any, Any]
Connection = ASGIConnection[Any, Any, Any, Any]

HOME = "/console"
DOORS = ("/console/enter", "/console/set-up/")
COOKIE = "console"
WHO = "console_signed"
SECONDS = 120


def cookie_name(scheme: str, name: str = COOKIE) -> str:
    """`__Host-` wants the path `/`; ours is the console's alone, so over https the prefix is `__Secure-`."""
    return f"__Secure-{name}" if scheme == "https" else name


def make_cookie(scheme: str, value: str, *, name: str = COOKIE, max_age: int | None = None) -> Cookie:
    """A cookie that only the console's own addresses receive."""
    return Cookie(
        key=cookie_name(scheme, name),
        value=value,
        path=HOME,
        httponly=True,
        samesite="lax",
        secure=scheme == "https",
        max_age=max_age,
    )


def token_of(request: Connection) -> str | None:
    """The session's token as the browser sent it."""
    return request.cookies.get(cookie_name(request.scope["scheme"])) or None


def authority_of(request: AnyRequest) -> str | None:
    """The cookie's token where it authorises: at the doors a ticket or an unguessable link does."""
    return None if request.url.path.startswith(DOORS) else token_of(request)


# The session's own 256 random bits make the token unguessable; the key keeps its uses apart.
csrf = Csrf(b"parvis console forms", authority_of)


def sign_in_needed() -> Refusal:
    """Nobody is here, or no longer."""
    return Refusal("console_closed", "Please open the console again: this session has ended.", status=401)


@dataclass(frozen=True)
class Requires:
    """Lets in who is an administrator of the organisation at this moment, and has the permission.

    Asked of the control plane and of the cell at each request. Without the permission the page does not exist.
    """

    permission: Permission

    async def __call__(self, connection: Connection, _handler: BaseRouteHandler) -> None:
        """Litestar's guard."""
        signed = await to_thread.run_sync(who, connection)
        if signed is None:
            raise sign_in_needed()
        if not signed.may(self.permission):
            raise not_found()
        connection.scope["state"][WHO] = signed


def requires(permission: Permission = Permission.CONSOLE) -> Requires:
    """The one permission of a handler."""
    return Requires(permission)


def who(connection: Connection) -> SignedIn | None:
    """Who asks, by a transaction of its own."""
    token = token_of(connection)
    if token is None:
        return None
    with transaction(connection.app.state.engine) as session:
        return sessions.authenticate(session, databases_of(connection, session), token)


def databases_of(connection: Connection, session: Session) -> Databases:
    """The cells' databases, opened once for the process."""
    state = connection.app.state
    if state.get("databases") is None:
        state["databases"] = Databases(vault_of(session))
    found: Databases = state["databases"]
    return found


@dataclass
class Desk:
    """An open transaction, who asks, and for which organisation. It commits once the handler is done."""

    request: AnyRequest
    session: Session
    signed: SignedIn
    cookies: list[Cookie] = field(default_factory=list)

    @property
    def organisation_id(self) -> UUID:
        """The organisation whose console this is. It never comes from the address."""
        return self.signed.organisation_id

    @cached_property
    def organisation(self) -> Organisation:
        """Its row."""
        return organisations.get(self.session, self.organisation_id)

    @cached_property
    def database(self) -> CellDatabase:
        """The cell database where the workspace lives."""
        return databases_of(self.request, self.session).get(self.session, self.signed.database_id)

    @property
    def settings(self) -> ControlPlaneSettings:
        """The process's settings."""
        settings: ControlPlaneSettings = self.request.app.state.settings
        return settings

    @property
    def workspace_url(self) -> str:
        """Where the workspace answers."""
        return self.settings.workspace_url(self.organisation.address)

    @cached_property
    def waiting(self) -> int:
        """How many people their directory would remove and who wait for a decision here."""
        if not self.signed.may(Permission.MEMBERS):
            return 0
        try:
            return len(self.database.pending_removals(self.organisation_id))
        except Unavailable:
            # A slot that waits for its upgrade holds nobody back yet.
            return 0

    @property
    def actor(self) -> Actor:
        """Who asks, as the cause of an event."""
        number = request_id(self.request) or None
        if self.signed.person:
            return Actor("member", str(self.signed.person.id), self.signed.person.name, number)
        assert self.signed.link is not None
        return Actor("link", str(self.signed.link.id), "Set-up link", number)

    @property
    def locale(self) -> str:
        """The language of the page."""
        return locale_of(self.request, self.signed.person.locale if self.signed.person else self.organisation.locale)

    def may(self, permission: str) -> bool:
        """For templates: whether an action is shown at all."""
        return self.signed.may(Permission(permission))

    def errors(self, wrong: Refusal | Refusals) -> dict[str, str]:
        """Field → words, in the language of the page."""
        return field_errors(wrong, self.locale)

    def show(self, template: str, *, status: int = 200, **context: Any) -> Response[str]:
        """A page of the console in this person's language."""
        return page(
            self.request,
            template,
            status=status,
            locale=self.locale,
            cookies=self.cookies,
            csrf=csrf.token(self.request),
            me=self.signed.person,
            may=self.may,
            organisation=self.organisation,
            workspace_url=self.workspace_url,
            done=self.request.query_params.get("done", ""),
            **context,
        )

    def show_once(self, name: str, secret: str, path: str, done: str = "") -> Redirect:
        """To the page that shows a secret once: it travels sealed for this session, in a cookie of two minutes."""
        sealed = vault_of(self.session).seal(secret, self._purpose(name))
        return go(path, done, [make_cookie(self.request.scope["scheme"], sealed, name=name, max_age=SECONDS)])

    def shown_once(self, name: str) -> str | None:
        """The secret that waits for this session, if any; it waits no more."""
        scheme = self.request.scope["scheme"]
        sealed = self.request.cookies.get(cookie_name(scheme, name))
        if not sealed:
            return None
        self.cookies.append(make_cookie(scheme, "", name=name, max_age=0))
        try:
            return vault_of(self.session).open(sealed, self._purpose(name))
        except (Unavailable, ValueError):
            return None

    def _purpose(self, name: str) -> str:
        return f"{name}:{self.signed.token_hash.hex()}"


def provide_desk(request: AnyRequest, session: NamedDependency[Session]) -> Desk:
    """The desk of whom the guard has let in; a handler without a guard has none."""
    signed: SignedIn | None = request.scope["state"].get(WHO)
    if signed is None:
        raise sign_in_needed()
    return Desk(request, session, signed)


def client_of(request: AnyRequest) -> Client:
    """Where the request comes from."""
    return Client(client_ip(request), request.headers.get("user-agent", ""))


def go(path: str = "", done: str = "", cookies: list[Cookie] | None = None) -> Redirect:
    """After a write: to the page that shows it, below the console; `done` names the words of the toast."""
    where, hash_mark, part = f"{HOME}{path}".partition("#")
    if done:
        where = f"{where}{'&' if '?' in where else '?'}done={done}"
    return Redirect(f"{where}{hash_mark}{part}", status_code=303, cookies=cookies or [])


def id_in(text: str) -> UUID | None:
    """An id in a query, or None when it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None
