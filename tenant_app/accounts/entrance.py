"""The ways in: a login ticket, a password, a passkey, a code, a mailed link."""

from functools import partial
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery

from kit.errors import Refusal, Refusals, not_found
from kit.web import client_ip
from tenant_app.accounts import factors, passwords, people, sessions, support
from tenant_app.accounts.desk import connection, settled, token_of
from tenant_app.accounts.doorway import (
    AnyRequest,
    Room,
    code_awaited,
    fields,
    host,
    let_in_support,
    origin,
    outside,
    refused_form,
    signed_in,
    signed_out,
    to_provider,
    way_on,
)
from tenant_app.accounts.journal import acting
from tenant_app.accounts.journal import record as journal
from tenant_app.accounts.people import Person
from tenant_app.accounts.policies import enforcing, offered
from tenant_app.accounts.sessions import Way
from tenant_app.accounts.sso_out import way_out
from tenant_app.interface import Role, Viewer
from tenant_app.tenancy import Connection, directory_of, seals, tenant, use_ticket

ADMITTED = frozenset({"first_sign_in", "sign_up"})


async def greet(request: AnyRequest, conn: Connection, person: Person, to: str, way: Way) -> Response[Any]:
    """Signed in by password or by a mailed link: on, or to the code first."""
    if await factors.has_codes(conn, person.id):
        return await code_awaited(request, conn, person, to)
    await journal(conn, person.id, "account.signed_in", person.id, by=str(way))
    return await signed_in(request, conn, person, to, way=way)


def _not_here() -> Refusal:
    return Refusal("ticket_invalid", "This link does not work here. Ask for a new one.", status=403)


async def by_ticket(request: AnyRequest, ticket: str) -> Response[Any]:
    """A session for the person that the ticket names, if nobody has used it before."""
    used = await use_ticket(directory_of(request), tenant(request), host(request), ticket)
    if used.purpose == sessions.SUPPORT:
        return await by_consent(request, used.principal_id)
    if used.purpose not in ADMITTED:
        raise _not_here()
    async with connection(request) as (_, conn):
        person = await people.by_id(conn, used.principal_id)
        if person is None or person.disabled_at is not None:
            raise _not_here()
        await journal(conn, person.id, "account.signed_in", person.id, by="ticket")
        return await signed_in(request, conn, person, "/", way=Way.TICKET)


async def by_consent(request: AnyRequest, grant_id: UUID) -> Response[Any]:
    """A session for the provider's staff, while the grant stands and whoever gave it is an administrator."""
    grant = await support.awaited(request, grant_id)
    async with connection(request) as (_, conn):
        giver = None if grant is None else await people.by_id(conn, grant.administrator_id)
        if grant is None or giver is None or giver.disabled_at is not None or giver.role < Role.ADMINISTRATOR:
            raise support.ended()
        await journal(conn, giver.id, "support.entered", grant.id, read_only=grant.read_only, **acting(grant))
        return await let_in_support(request, conn, grant)


def door_page(
    request: AnyRequest, to: str, refusal: Refusal | None = None, sent: dict[str, str] | None = None
) -> Response[Any]:
    """The door: a button for each identity provider that is open, a passkey, a password."""
    return outside(
        request,
        "accounts/sign_in.html",
        status=refusal.status if refusal else 200,
        form=refused_form(request, refusal or Refusals([]), sent or {}),
        to=to,
        connections=offered(tenant(request)),
    )


class Entrance(Room):
    """Public: whoever comes here is not known yet."""

    opt = {"public": True}  # noqa: RUF012 - Litestar's way

    @get("/enter")
    async def enter(self, request: AnyRequest, ticket: FromQuery[str] = "") -> Response[Any]:
        """Come in by a login ticket, once."""
        try:
            return await by_ticket(request, ticket)
        except Refusal as refusal:
            return outside(request, "accounts/ticket.html", status=410, refusal=refusal.code)

    @get("/sign-in")
    async def sign_in_page(self, request: AnyRequest, next: FromQuery[str] = "/") -> Response[Any]:  # noqa: A002 - the address says so
        """The door."""
        await settled(request)
        return door_page(request, way_on(next))

    @get("/sign-in/with/{connection_id:uuid}")
    async def with_provider(
        self,
        request: AnyRequest,
        connection_id: FromPath[UUID],
        next: FromQuery[str] = "/",  # noqa: A002 - the address says so
    ) -> Response[Any]:
        """On to the identity provider: a page in between, since a form's answer may not lead to another host."""
        found = {one.id: one for one in offered(await settled(request))}.get(connection_id)
        if found is None:
            raise not_found()
        return outside(request, "accounts/sso_with.html", provider=found, to=way_on(next))

    @post("/sign-in", status_code=200)
    async def sign_in(self, request: AnyRequest) -> Response[Any]:
        """E-mail and password."""
        sent = await fields(request)
        to = way_on(sent.get("next", "/"))
        provider = enforcing(await settled(request), sent.get("email", ""))
        if provider is not None and not sent.get("password"):
            return to_provider(provider, to)
        try:
            person = await passwords.sign_in(
                partial(connection, request), sent.get("email", ""), sent.get("password", ""), client_ip(request)
            )
        except Refusal as refusal:
            return door_page(request, to, refusal, sent)
        async with connection(request) as (_, conn):
            return await greet(request, conn, person, to, Way.PASSWORD)

    @post("/sign-in/passkey/options", status_code=200, media_type="application/json")
    async def passkey_options(self, request: AnyRequest) -> str:
        """What the browser needs to use a passkey."""
        async with connection(request) as (_, conn):
            return (await factors.ask_to_sign_in(conn, host(request), client_ip(request))).options

    @post("/sign-in/passkey", status_code=200)
    async def passkey(self, request: AnyRequest) -> Response[Any]:
        """The browser's answer, in the field `answer`."""
        sent = await fields(request)
        to = way_on(sent.get("next", "/"))
        try:
            async with connection(request) as (_, conn):
                person = await factors.sign_in(
                    conn, sent.get("answer", ""), origin=origin(request), rp_id=host(request)
                )
                await journal(conn, person.id, "account.signed_in", person.id, by="passkey")
                return await signed_in(request, conn, person, to, way=Way.PASSKEY)
        except Refusal as refusal:
            # Who may not come in by this passkey reads why beside it.
            shown = Refusal(refusal.code, refusal.message, field="passkey", status=refusal.status, **refusal.params)
            return door_page(request, to, shown)

    @get("/sign-in/code")
    async def code_page(self, request: AnyRequest, next: FromQuery[str] = "/") -> Response[Any]:  # noqa: A002 - the address says so
        """The code that the authenticator application shows."""
        async with connection(request) as (_, conn):
            await waiting(request, conn)
        return outside(request, "accounts/code.html", form=refused_form(request, Refusals([]), {}), to=way_on(next))

    @post("/sign-in/code", status_code=200)
    async def code(self, request: AnyRequest) -> Response[Any]:
        """Check it, and come in with a new session."""
        sent = await fields(request)
        to = way_on(sent.get("next", "/"))
        try:
            async with connection(request) as (_, conn):
                viewer = await waiting(request, conn)
                await factors.count_code(conn, viewer.id)
            async with connection(request) as (_, conn):
                viewer = await waiting(request, conn)
                await factors.check_code(conn, seals(request), viewer.id, sent.get("code", ""))
                await journal(conn, viewer.id, "account.signed_in", viewer.id, by="code")
                return await signed_in(request, conn, viewer, to, way=Way.CODE)
        except Refusal as refusal:
            if refusal.field is None:
                raise
            form = refused_form(request, refusal, {})
            return outside(request, "accounts/code.html", status=refusal.status, form=form, to=to)

    @get("/forgotten")
    async def forgotten_page(self, request: AnyRequest) -> Response[Any]:
        """Ask for a link."""
        return outside(request, "accounts/forgotten.html", sent=False)

    @post("/forgotten", status_code=200)
    async def forgotten(self, request: AnyRequest) -> Response[Any]:
        """The same answer for everybody."""
        sent = await fields(request)
        async with connection(request) as (record, conn):
            await passwords.ask_reset(conn, record, sent.get("email", ""), origin(request))
        return outside(request, "accounts/forgotten.html", sent=True)

    @get("/reset")
    async def reset_page(self, request: AnyRequest, token: FromQuery[str] = "") -> Response[Any]:
        """Choose a new password by a mailed link."""
        try:
            async with connection(request) as (_, conn):
                person = await passwords.person_of_reset(conn, token)
        except Refusal as refusal:
            return outside(request, "accounts/reset_void.html", status=refusal.status)
        form = refused_form(request, Refusals([]), {})
        return outside(request, "accounts/reset.html", form=form, token=token, email=person.email)

    @post("/reset", status_code=200)
    async def reset(self, request: AnyRequest) -> Response[Any]:
        """It is the password now, and every other session has ended."""
        sent = await fields(request)
        token = sent.get("token", "")
        try:
            person = await passwords.reset(
                partial(connection, request), token, sent.get("password", ""), sent.get("repeated", "")
            )
        except Refusal as refusal:
            if refusal.field is None:
                return outside(request, "accounts/reset_void.html", status=refusal.status)
            form = refused_form(request, refusal, {})
            return outside(request, "accounts/reset.html", status=refusal.status, form=form, token=token, email="")
        async with connection(request) as (_, conn):
            return await greet(request, conn, person, "/", Way.LINK)

    @post("/sign-out", status_code=303)
    async def sign_out(self, request: AnyRequest) -> Response[Any]:
        """This session ends, on both sides."""
        token, to = token_of(request), "/sign-in"
        if token:
            async with connection(request) as (record, conn):
                to = await way_out(conn, record, await sessions.close(conn, sessions.digest(token)))
        return signed_out(request, to)


async def waiting(request: AnyRequest, conn: Connection) -> Viewer:
    """Who gave his password and is asked for a code."""
    token = token_of(request)
    viewer = await sessions.authenticate(conn, token) if token else None
    if viewer is None or viewer.purpose != sessions.CODE:
        raise Refusal("sign_in_needed", "Please sign in: this session has ended.", status=401)
    return viewer
