"""The end of sessions at both sides: asked of the provider after a sign-out here, or told by the provider."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post, route
from litestar.enums import HttpMethod
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from kit import saml
from kit.errors import Refusal, Unavailable
from kit.openid import Provider, check_front_channel, check_logout_token, end_session
from kit.web import content_policy
from tenant_app.accounts import policies, sessions, sso_flow, sso_openid, sso_saml
from tenant_app.accounts.desk import connection as transaction
from tenant_app.accounts.doorway import AnyRequest, origin, outside
from tenant_app.accounts.journal import record as journal
from tenant_app.accounts.sessions import Ended
from tenant_app.accounts.sso import abroad
from tenant_app.accounts.sso_arrival import connection_named, origin_of, posting, refused, replayed, unknown_flow
from tenant_app.accounts.sso_traces import Trail
from tenant_app.contract import SignInConnection, TenantRecord, seal_purpose
from tenant_app.tenancy import Connection, seals


async def way_out(conn: Connection, record: TenantRecord, ended: Ended | None) -> str:
    """Where a person goes who has signed out here: to a page that offers to sign out at his provider too, or the door.

    What ending the session there takes is kept for ten minutes under the handle in that address.
    """
    connection = (
        None if ended is None or ended.connection_id is None else policies.connection_of(record, ended.connection_id)
    )
    if ended is None or connection is None or not ended.sso_data:
        return "/sign-in"
    if connection.kind == "saml" and not connection.settings.get("slo_url"):
        return "/sign-in"
    started = await sso_flow.start(conn, connection.id, {"out": ended.sso_data, "request_id": saml.new_id()})
    return f"/signed-out?connection={connection.id}&flow={started.handle}"


class SingleLogout(Controller):
    """Public: providers come here, and people who are no longer signed in. Signatures or handles prove them."""

    opt = {"public": True}  # noqa: RUF012 - Litestar's way
    include_in_schema = False

    @get("/signed-out")
    async def signed_out_page(
        self, request: AnyRequest, connection: FromQuery[str] = "", flow: FromQuery[str] = ""
    ) -> Response[Any]:
        """Signed out here; perhaps not at the provider."""
        found = None
        if connection and flow:
            async with transaction(request) as (record, conn):
                wanted = next((one for one in record.identity.connections if str(one.id) == connection), None)
                if wanted is not None and await sso_flow.peek(conn, flow, wanted.id):
                    found = wanted
        return outside(request, "accounts/signed_out.html", provider=found, flow=flow)

    @get("/sso/{connection_id:uuid}/out")
    async def out(self, request: AnyRequest, connection_id: FromPath[UUID], flow: FromQuery[str] = "") -> Response[Any]:
        """On to the provider, to end the session there."""
        connection = connection_named(request, connection_id)
        try:
            async with transaction(request) as (_, conn):
                taken = await sso_flow.take(conn, flow, connection.id)
                if taken is None or "out" not in taken.data:
                    raise unknown_flow()
                # The answer comes back under a handle of its own.
                back = await sso_flow.start(conn, connection.id, {"asked": taken.data["request_id"]})
            return await _there(request, connection, taken.data, back.handle)
        except (Refusal, Unavailable) as error:
            return await refused(request, connection, Trail(connection.id), error)

    @route(
        "/saml/{connection_id:uuid}/slo", http_method=[HttpMethod.GET, HttpMethod.POST], foreign=True, status_code=200
    )
    async def slo(self, request: AnyRequest, connection_id: FromPath[UUID]) -> Response[Any]:
        """A provider asks to end sessions, or answers that it has ended its own."""
        connection = connection_named(request, connection_id, "saml")
        sent = await _logout_message(request)
        trail = Trail(connection.id)
        try:
            if saml.is_answer(**sent):
                await _heard(request, connection, trail, sent)
                return Redirect("/signed-out", status_code=303)
            return await _asked(request, connection, trail, sent)
        except (Refusal, Unavailable) as error:
            return await refused(request, connection, trail, error)

    @post("/oidc/{connection_id:uuid}/logout", foreign=True, status_code=200)
    async def back_channel(self, request: AnyRequest, connection_id: FromPath[UUID]) -> Response[Any]:
        """A provider tells, server to server, whose sessions have ended (OpenID Connect Back-Channel Logout)."""
        connection = connection_named(request, connection_id, "oidc")
        token = str((await request.form()).get("logout_token", ""))
        trail = Trail(connection.id)
        provider, keys = await abroad(request).providers.get(connection.settings["issuer"])
        client = sso_openid.client(connection, origin(request), seals(request))
        told = await check_logout_token(provider, keys, client, token, now=datetime.now(UTC), trail=trail.checks)
        async with transaction(request) as (_, conn):
            if not await sso_flow.use_once(conn, connection.id, f"logout {told.id}", told.expires_at):
                raise replayed()
            named = (told.sid,) if told.sid else ()
            await _end(conn, connection, told.subject, named)
        return Response(b"", status_code=200)

    @get("/oidc/{connection_id:uuid}/logout")
    async def front_channel(self, request: AnyRequest, connection_id: FromPath[UUID]) -> Response[Any]:
        """A provider's hidden frame tells which of its sessions has ended (OpenID Connect Front-Channel Logout).

        It carries no cookie of ours, so the session's name proves it: only the provider and its browser know that.
        """
        connection = connection_named(request, connection_id, "oidc")
        provider, _ = await abroad(request).providers.get(connection.settings["issuer"])
        sid = check_front_channel(provider, dict(request.query_params.multi_items()))
        async with transaction(request) as (_, conn):
            await _end(conn, connection, None, (sid,))
        policy = content_policy().replace("frame-ancestors 'none'", f"frame-ancestors {_framing(provider)}")
        return Response(b"", status_code=200, media_type="text/html", headers={"Content-Security-Policy": policy})


def _framing(provider: Provider) -> str:
    """Where a provider's pages live: beside its issuer's name, or where it ends sessions."""
    pages = (provider.issuer, provider.end_session_endpoint or provider.issuer)
    return " ".join(dict.fromkeys(map(origin_of, pages)))


async def _there(request: AnyRequest, connection: SignInConnection, kept: dict[str, Any], handle: str) -> Response[Any]:
    """To where the provider ends its session; to our own page where it has no such address."""
    out = kept["out"]
    if connection.kind == "saml":
        asked = saml.ask_logout(
            sso_saml.service_provider(connection, origin(request), seals(request)),
            sso_saml.identity_provider(connection),
            request_id=kept["request_id"],
            subject=out["name_id"],
            subject_format=out["format"],
            session_index=out["index"],
            relay_state=handle,
            now=datetime.now(UTC),
        )
        return _sent(request, connection, asked)
    provider, _ = await abroad(request).providers.get(connection.settings["issuer"])
    client = sso_openid.client(connection, origin(request), seals(request))
    token = seals(request).open(out["id_token_sealed"], seal_purpose(connection.id))
    there = end_session(provider, client, token, f"{origin(request)}/signed-out")
    return Redirect(there or "/signed-out", status_code=303)


def _sent(
    request: AnyRequest, connection: SignInConnection, message: saml.Redirect | saml.Form | None
) -> Response[Any]:
    """A message on its way to the provider, as its binding asks; to our own page where there is none."""
    if isinstance(message, saml.Form):
        return posting(request, connection, message.url, message.fields, leaving=True)
    return Redirect(message.url if message is not None else "/signed-out", status_code=303)


async def _logout_message(request: Request[Any, Any, Any]) -> dict[str, Any]:
    if request.method == "POST":
        form = await request.form()
        return {"form": {name: value for name, value in form.items() if isinstance(value, str)}}
    return {"query": request.url.query}


async def _heard(request: AnyRequest, connection: SignInConnection, trail: Trail, sent: dict[str, Any]) -> None:
    """The provider's answer to our question, whose handle comes back as RelayState."""
    relay = (sent.get("form") or dict(request.query_params.multi_items())).get("RelayState", "")
    async with transaction(request) as (_, conn):
        asked = await sso_flow.take(conn, relay, connection.id)
    if asked is None or "asked" not in asked.data:
        raise unknown_flow()
    sp = sso_saml.service_provider(connection, origin(request), seals(request))
    idp = sso_saml.identity_provider(connection)
    saml.check_logout_answer(sp, idp, **sent, request_id=asked.data["asked"], now=datetime.now(UTC), trail=trail.checks)


async def _asked(
    request: AnyRequest, connection: SignInConnection, trail: Trail, sent: dict[str, Any]
) -> Response[Any]:
    """A signed request of the provider: end these sessions, and tell it so."""
    sp = sso_saml.service_provider(connection, origin(request), seals(request))
    idp, now = sso_saml.identity_provider(connection), datetime.now(UTC)
    told = saml.check_logout_request(sp, idp, **sent, now=now, trail=trail.checks)
    async with transaction(request) as (_, conn):
        if not await sso_flow.use_once(conn, connection.id, f"logout {told.id}", now + sso_flow.LIFE):
            raise replayed()
        await _end(conn, connection, told.subject, told.session_indexes)
    return _sent(request, connection, saml.answer_logout(sp, idp, told, now=now))


async def _end(conn: Connection, connection: SignInConnection, subject: str | None, named: tuple[str, ...]) -> None:
    ended = await sessions.close_by_provider(conn, connection.id, subject, named)
    # Who guesses names of sessions fills no journal.
    if ended:
        await journal(conn, None, "account.ended_by_provider", connection.id, sessions=ended)
