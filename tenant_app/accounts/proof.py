"""Proving oneself again: where more than a password is asked for, and before the way to the organisation console."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from litestar import Response, get, post
from litestar.params import FromQuery
from litestar.response import Redirect

from kit.errors import Refusal, Refusals
from kit.web import client_ip, content_policy
from tenant_app.accounts import credentials, factors, policies
from tenant_app.accounts.desk import Desk, csrf, desk
from tenant_app.accounts.doorway import (
    AnyRequest,
    Room,
    fields,
    host,
    origin,
    outside,
    proven_again,
    refused_form,
    way_on,
)
from tenant_app.accounts.journal import note
from tenant_app.accounts.sessions import STRONG, Way
from tenant_app.accounts.sso_arrival import origin_of
from tenant_app.contract import console_key, mint
from tenant_app.interface import Role, Viewer, show
from tenant_app.tenancy import seals

FRESH = timedelta(minutes=15)
NOTHING = Refusals([])
NAME = re.compile(r"[a-z]{1,20}")


def fresh(viewer: Viewer) -> bool:
    """Whether he has shown more than a password within the last quarter of an hour."""
    proven = viewer.verified_at is not None and datetime.now(UTC) - viewer.verified_at < FRESH
    return proven and viewer.way in STRONG


async def confirm_page(desk: Desk, to: str, refusal: Refusal | None = None) -> Response[Any]:
    """What this person can prove himself by: what he has, or what he may set up now."""
    viewer = desk.viewer
    have = await credentials.second_factors(desk.conn, viewer.id)
    provider = None if viewer.connection_id is None else policies.connection_of(desk.tenant, viewer.connection_id)
    return outside(
        desk.request,
        "accounts/confirm.html",
        status=refusal.status if refusal else 200,
        locale=viewer.locale,
        form=refused_form(desk.request, refusal or NOTHING, {}, viewer.locale),
        to=to,
        has_passkey=credentials.PASSKEY in have,
        has_codes=credentials.CODES in have,
        provider=provider,
        has_password=any(one.kind == credentials.PASSWORD for one in await credentials.of(desk.conn, viewer.id)),
    )


class Proof(Room):
    """For whoever is signed in."""

    @get("/confirm", admits=Role.GUEST, weak="open")
    async def confirm(self, request: AnyRequest, next: FromQuery[str] = "/") -> Response[Any]:  # noqa: A002 - the address says so
        """Show more than a password."""
        async with desk(request) as d:
            return await confirm_page(d, way_on(next))

    @post("/confirm/passkey/options", admits=Role.GUEST, weak="open", always=True, status_code=200,
          media_type="application/json")  # fmt: skip
    async def passkey_options(self, request: AnyRequest) -> str:
        """What the browser needs to use a passkey."""
        async with desk(request) as d:
            return (await factors.ask_to_sign_in(d.conn, host(request), client_ip(request))).options

    @post("/confirm/passkey", admits=Role.GUEST, weak="open", always=True, status_code=200)
    async def passkey(self, request: AnyRequest) -> Response[Any]:
        """A passkey of this very person."""
        sent = await fields(request)
        to = way_on(sent.get("next", "/"))
        try:
            async with desk(request) as d:
                person = await factors.sign_in(
                    d.conn, sent.get("answer", ""), origin=origin(request), rp_id=host(request)
                )
                if person.id != d.viewer.id:
                    raise factors.passkey_refused()
                return await proven_again(request, d.conn, d.viewer, to, Way.PASSKEY)
        except Refusal as refusal:
            if refusal.field is None:
                raise
            async with desk(request) as d:
                return await confirm_page(d, to, refusal)

    @post("/confirm/code", admits=Role.GUEST, weak="open", always=True, status_code=200)
    async def code(self, request: AnyRequest) -> Response[Any]:
        """The code shown now."""
        sent = await fields(request)
        to = way_on(sent.get("next", "/"))
        try:
            async with desk(request) as d:
                await factors.count_code(d.conn, d.viewer.id)
            async with desk(request) as d:
                await factors.check_code(d.conn, seals(request), d.viewer.id, sent.get("code", ""))
                return await proven_again(request, d.conn, d.viewer, to, Way.CODE)
        except Refusal as refusal:
            if refusal.field is None:
                raise
            async with desk(request) as d:
                return await confirm_page(d, to, refusal)

    @get("/console", admits=Role.ADMINISTRATOR)
    async def console_page(self, request: AnyRequest, to: FromQuery[str] = "") -> Response[Any]:
        """The way to the organisation console, once a second factor was shown lately; `to` names a page of it."""
        async with desk(request) as d:
            if not fresh(d.viewer):
                return _to_confirm(to)
            token = csrf.token(request)
            page = await show(
                request, d.conn, d.viewer, "accounts/console.html", csrf=token, current="console", to=_place(to)
            )
        # Its form ends at the site, which has another address.
        page.headers["Content-Security-Policy"] = content_policy(form_action=origin_of(d.tenant.site_url))
        return page

    @post("/console", admits=Role.ADMINISTRATOR, always=True, status_code=303)
    async def console(self, request: AnyRequest) -> Response[Any]:
        """A ticket of one minute and one use to the organisation console."""
        to = _place((await fields(request)).get("to", ""))
        async with desk(request) as d:
            if not fresh(d.viewer):
                return _to_confirm(to)
            site = d.tenant.site_url.rstrip("/")
            key = console_key(seals(request))
            audience = urlsplit(site).hostname or ""
            ticket = mint(key.private, audience, d.tenant.organisation_id, d.viewer.id, "console")
            await note(d, "account.entered_console", d.viewer.id)
        return Redirect(f"{site}/console/enter?ticket={ticket}{f'&to={to}' if to else ''}", status_code=303)


def _place(to: str) -> str:
    """The name of a page of the console; what looks like no name leads to its first one."""
    return to if NAME.fullmatch(to) else ""


def _to_confirm(to: str) -> Response[Any]:
    way = f"/console?to={_place(to)}" if _place(to) else "/console"
    return Redirect(f"/confirm?next={quote(way, safe='')}", status_code=303)
