"""The ways in: a login ticket, a password, a passkey, a code, a mailed link."""

from functools import partial
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromQuery

from kit.errors import Refusal, Refusals
from kit.web import client_ip
from tenant_app.accounts import factors, passwords, people, sessions
from tenant_app.accounts.desk import connection, token_of
from tenant_app.accounts.doorway import (
    AnyRequest,
    Room,
    code_awaited,
    fields,
    host,
    origin,
    outside,
    refused_form,
    signed_in,
    signed_out,
    way_on,
)
from tenant_app.accounts.journal import record as journal
from tenant_app.interface import Viewer
from tenant_app.tenancy import Connection, directory_of, seals, tenant, use_ticket

ADMITTED = frozenset({"first_sign_in", "sign_up"})


async def greet(request: AnyRequest, conn: Connection, person: UUID, to: str) -> Response[Any]:
    """Signed in by password: on, or to the code first."""
    if await factors.has_codes(conn, person):
        return await code_awaited(request, conn, person, to)
    await journal(conn, person, "account.signed_in", person, by="password")
    return await signed_in(request, conn, person, to)


def _not_here() -> Refusal:
    return Refusal("ticket_invalid", "This link does not work here. Ask for a new one.", status=403)


async def by_ticket(request: AnyRequest, ticket: str) -> Response[Any]:
    """A session for the person that the ticket names, if nobody has used it before."""
    used = await use_ticket(directory_of(request), tenant(request), host(request), ticket)
    if used.purpose not in ADMITTED:
        raise _not_here()
    async with connection(request) as (_, conn):
        person = await people.by_id(conn, used.principal_id)
        if person is None or person.disabled_at is not None:
            raise _not_here()
        await journal(conn, person.id, "account.signed_in", person.id, by="ticket")
        return await signed_in(request, conn, person.id, "/")


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
        return outside(request, "accounts/sign_in.html", form=refused_form(request, Refusals([]), {}), to=way_on(next))

    @post("/sign-in", status_code=200)
    async def sign_in(self, request: AnyRequest) -> Response[Any]:
        """E-mail and password."""
        sent = await fields(request)
        to = way_on(sent.get("next", "/"))
        try:
            person = await passwords.sign_in(
                partial(connection, request), sent.get("email", ""), sent.get("password", ""), client_ip(request)
            )
        except Refusal as refusal:
            form = refused_form(request, refusal, sent)
            return outside(request, "accounts/sign_in.html", status=refusal.status, form=form, to=to)
        async with connection(request) as (_, conn):
            return await greet(request, conn, person.id, to)

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
                return await signed_in(request, conn, person.id, to)
        except Refusal as refusal:
            form = refused_form(request, refusal, {})
            return outside(request, "accounts/sign_in.html", status=refusal.status, form=form, to=to)

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
                await sessions.close(conn, viewer.session_hash)
                await journal(conn, viewer.id, "account.signed_in", viewer.id, by="code")
                return await signed_in(request, conn, viewer.id, to)
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
            return outside(request, "accounts/reset.html", status=422, form=form, token=token, email="")
        async with connection(request) as (_, conn):
            return await greet(request, conn, person.id, "/")

    @post("/sign-out", status_code=303)
    async def sign_out(self, request: AnyRequest) -> Response[Any]:
        """This session ends, on both sides."""
        token = token_of(request)
        if token:
            async with connection(request) as (_, conn):
                await sessions.close(conn, sessions.digest(token))
        return signed_out(request, "/sign-in")


async def waiting(request: AnyRequest, conn: Connection) -> Viewer:
    """Who gave his password and is asked for a code."""
    token = token_of(request)
    viewer = await sessions.authenticate(conn, token) if token else None
    if viewer is None or viewer.purpose != sessions.CODE:
        raise Refusal("sign_in_needed", "Please sign in: this session has ended.", status=401)
    return viewer
