"""A person's own page: name, language, password, passkeys, one-time codes, sessions."""

from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from litestar import Response, get, post
from litestar.params import FromPath

from kit.credentials import new_secret, provisioning_uri, qr_svg, readable_secret
from kit.errors import Refusal, Refusals
from kit.web import client_ip
from tenant_app.accounts import credentials, factors, passwords, people, sessions
from tenant_app.accounts.desk import Desk, connection, csrf, desk
from tenant_app.accounts.doorway import (
    AnyRequest,
    Room,
    fields,
    host,
    origin,
    outside,
    proven_again,
    refused_form,
    told,
)
from tenant_app.accounts.journal import note
from tenant_app.accounts.sessions import Way
from tenant_app.interface import Role, show
from tenant_app.tenancy import seals

NOTHING = Refusals([])
BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


async def account_page(desk: Desk, form: Any = None, status: int = 200, part: str = "") -> Response[Any]:
    """The page as it stands; `part` names the form that was refused."""
    have = await credentials.of(desk.conn, desk.viewer.id)
    return await show(
        desk.request,
        desk.conn,
        desk.viewer,
        "accounts/account.html",
        csrf=csrf.token(desk.request),
        status=status,
        current="account",
        form=form or refused_form(desk.request, NOTHING, {}),
        empty_form=refused_form(desk.request, NOTHING, {}),
        part=part,
        device=device,
        passkeys=[c for c in have if c.kind == credentials.PASSKEY],
        has_password=any(c.kind == credentials.PASSWORD for c in have),
        has_codes=any(c.kind == credentials.CODES for c in have),
        open_sessions=await sessions.sessions_of(desk.conn, desk.viewer.id),
        zones=[(zone, zone.replace("_", " ")) for zone in sorted(available_timezones())],
    )


def device(agent: str | None) -> str:
    """A browser and a system, as far as a user agent tells."""
    agent = agent or ""
    browser = next((name for mark, name in BROWSERS if mark in agent), agent.split("/")[0][:40] or "—")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    return f"{browser}, {system}" if system else browser


async def set_up_page(desk: Desk, form: Any = None, status: int = 200) -> Response[Any]:
    """The first choice: a passkey or a password."""
    return outside(
        desk.request,
        "accounts/welcome.html",
        status=status,
        locale=desk.viewer.locale,
        viewer=desk.viewer,
        form=form or refused_form(desk.request, NOTHING, {}),
    )


async def renew_session(desk: Desk, to: str, way: Way | None = None) -> Response[Any]:
    """His rights changed: the old id ends, a new one begins, by the stronger of both proofs."""
    if way is None and desk.viewer.way is not None:
        way = Way(desk.viewer.way)
    return await proven_again(desk.request, desk.conn, desk.viewer, to, way)


async def proof_of_new(desk: Desk, way: Way) -> Way | None:
    """What a factor that is set up now proves: itself, unless a password alone stood before factors he has already.

    Otherwise who knows a password could make himself a second factor. Ask before it is set up.
    """
    weak = desk.viewer.way not in sessions.STRONG
    return None if weak and await credentials.second_factors(desk.conn, desk.viewer.id) else way


async def choose_password(request: AnyRequest, sent: dict[str, str], *, first: bool) -> tuple[Desk, str]:
    """The hash of the password he chose, after all that may be wrong with it. No transaction is held while hashing."""
    async with desk(request) as d:
        person = await people.by_id(d.conn, d.viewer.id)
        have = await credentials.one(d.conn, d.viewer.id, credentials.PASSWORD)
    assert person is not None
    if have is not None and not first:
        await passwords.sign_in(
            partial(connection, request), d.viewer.email, sent.get("current", ""), client_ip(request)
        )
    if have is not None and first:
        raise Refusal("already_set_up", "You have a password already: change it on your account's page.", status=409)
    secret = await passwords.hashed(
        sent.get("password", ""), sent.get("repeated"), person=person, organisation=d.tenant.name
    )
    return d, secret


class Account(Room):
    """For whoever is signed in."""

    @get("/welcome", admits=Role.GUEST, unequipped=True, weak="open")
    async def welcome(self, request: AnyRequest) -> Response[Any]:
        """Choose how to sign in from now on."""
        async with desk(request) as d:
            if d.viewer.equipped:
                return told("/", "welcome")
            return await set_up_page(d)

    @post("/welcome", admits=Role.GUEST, unequipped=True, weak="first", always=True, status_code=200)
    async def set_up(self, request: AnyRequest) -> Response[Any]:
        """By password."""
        sent = await fields(request)
        try:
            _, secret = await choose_password(request, sent, first=True)
        except Refusal as refusal:
            if refusal.field is None:
                raise
            async with desk(request) as d:
                return await set_up_page(d, refused_form(request, refusal, sent, d.viewer.locale), 422)
        async with desk(request) as d:
            await passwords.set_password(d.conn, d.viewer.id, secret)
            return await renew_session(d, "/?told=welcome")

    @get("/account", admits=Role.GUEST)
    async def account(self, request: AnyRequest) -> Response[Any]:
        """His page."""
        async with desk(request) as d:
            return await account_page(d)

    @post("/account", admits=Role.GUEST, status_code=200)
    async def change(self, request: AnyRequest) -> Response[Any]:
        """Name, language, time zone."""
        sent = await fields(request)
        async with desk(request) as d:
            try:
                await people.change(
                    d.conn,
                    d.viewer.id,
                    name=sent.get("name", ""),
                    locale=sent.get("locale", ""),
                    tz=sent.get("tz", ""),
                )
            except (Refusal, Refusals) as refusal:
                return await account_page(d, refused_form(request, refusal, sent, d.viewer.locale), 422, "person")
            await note(d, "account.changed", d.viewer.id)
            response = told("/account", "saved")
            # The page follows the new choice at once, whatever was chosen on the way in.
            response.delete_cookie("lang")
            return response

    @post("/account/password", admits=Role.GUEST, always=True, status_code=200)
    async def password(self, request: AnyRequest) -> Response[Any]:
        """Another password; all other sessions end."""
        sent = await fields(request)
        try:
            _, secret = await choose_password(request, sent, first=False)
        except Refusal as refusal:
            if refusal.field is None:
                raise
            field = "current" if refusal.code.startswith("sign_in") else refusal.field
            refusal = Refusal(refusal.code, refusal.message, field=field, status=refusal.status, **refusal.params)
            async with desk(request) as d:
                form = refused_form(request, refusal, {}, d.viewer.locale)
                return await account_page(d, form, refusal.status, "password")
        async with desk(request) as d:
            await passwords.set_password(d.conn, d.viewer.id, secret)
            await sessions.close_others(d.conn, d.viewer.id, d.viewer.session_hash)
            return await renew_session(d, "/account?told=password")

    @post("/account/passkeys/options", admits=Role.GUEST, unequipped=True, weak="first", always=True, status_code=200,
          media_type="application/json")  # fmt: skip
    async def passkey_options(self, request: AnyRequest) -> str:
        """What the browser needs to make a passkey."""
        async with desk(request) as d:
            return (await factors.ask_to_register(d.conn, d.tenant, d.viewer, host(request))).options

    @post("/account/passkeys", admits=Role.GUEST, unequipped=True, weak="first", always=True, status_code=200)
    async def add_passkey(self, request: AnyRequest) -> Response[Any]:
        """Keep the one it made."""
        sent = await fields(request)
        async with desk(request) as d:
            way = await proof_of_new(d, Way.PASSKEY)
            await factors.register(
                d.conn,
                d.viewer,
                sent.get("answer", ""),
                origin=origin(request),
                rp_id=host(request),
                name=people.checked_name(sent.get("name", "") or "Passkey"),
            )
            to = "/account?told=passkey" if d.viewer.equipped else "/?told=welcome"
            return await renew_session(d, to, way)

    @post("/account/passkeys/{key:uuid}/removal", admits=Role.GUEST, always=True, status_code=303)
    async def drop_passkey(self, request: AnyRequest, key: FromPath[UUID]) -> Response[Any]:
        """Remove one."""
        async with desk(request) as d:
            await factors.drop(d.conn, d.viewer, key)
            return told("/account", "passkey_removed")

    @get("/account/codes", admits=Role.GUEST, weak="first")
    async def codes_page(self, request: AnyRequest) -> Response[Any]:
        """A fresh secret for an authenticator application."""
        async with desk(request) as d:
            return await codes_form(d, new_secret())

    @post("/account/codes", admits=Role.GUEST, weak="first", always=True, status_code=200)
    async def start_codes(self, request: AnyRequest) -> Response[Any]:
        """Ask for codes from now on."""
        sent = await fields(request)
        secret = sent.get("secret", "")
        async with desk(request) as d:
            way = await proof_of_new(d, Way.CODE)
            try:
                await factors.start_codes(d.conn, seals(request), d.viewer.id, secret, sent.get("code", ""))
            except Refusal as refusal:
                keep = secret if factors.BASE32.fullmatch(secret) else new_secret()
                return await codes_form(d, keep, refused_form(request, refusal, {}, d.viewer.locale), 422)
            return await renew_session(d, "/account?told=codes", way)

    @post("/account/codes/removal", admits=Role.GUEST, always=True, status_code=303)
    async def stop_codes(self, request: AnyRequest) -> Response[Any]:
        """Ask for codes no more."""
        async with desk(request) as d:
            await factors.stop_codes(d.conn, d.viewer.id)
            return told("/account", "codes_removed")

    @post("/account/sessions/{session_id:uuid}/revocation", admits=Role.GUEST, always=True, status_code=303)
    async def revoke(self, request: AnyRequest, session_id: FromPath[UUID]) -> Response[Any]:
        """End one of his sessions."""
        async with desk(request) as d:
            await sessions.revoke(d.conn, d.viewer.id, session_id)
            await note(d, "account.session_ended", d.viewer.id)
        return told("/account", "session_ended")

    @post("/account/sessions/others/revocation", admits=Role.GUEST, always=True, status_code=303)
    async def revoke_others(self, request: AnyRequest) -> Response[Any]:
        """End all but this one."""
        async with desk(request) as d:
            await sessions.close_others(d.conn, d.viewer.id, d.viewer.session_hash)
            await note(d, "account.sessions_ended", d.viewer.id)
        return told("/account", "session_ended")


async def codes_form(desk: Desk, secret: str, form: Any = None, status: int = 200) -> Response[Any]:
    """The secret as a QR code and in groups to type, and a field for the first code."""
    return await show(
        desk.request,
        desk.conn,
        desk.viewer,
        "accounts/codes.html",
        csrf=csrf.token(desk.request),
        status=status,
        current="account",
        form=form or refused_form(desk.request, NOTHING, {}),
        secret=secret,
        readable=readable_secret(secret),
        qr=qr_svg(provisioning_uri(secret, account=desk.viewer.email, issuer=desk.tenant.name)),
    )
