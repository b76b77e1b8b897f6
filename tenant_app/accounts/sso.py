"""Signing in by the organisation's identity provider: the way there, and the two ways back."""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from anyio import to_thread
from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from kit import saml
from kit.checking import Check
from kit.errors import Refusal, Unavailable
from kit.fetching import Fetcher
from kit.openid import Begun, Providers, begin, finish
from kit.web import client_ip
from tenant_app.accounts import attempts, policies, sso_flow, sso_openid, sso_saml
from tenant_app.accounts.desk import connection as transaction
from tenant_app.accounts.desk import settled
from tenant_app.accounts.doorway import AnyRequest, origin, outside, way_on
from tenant_app.accounts.sso_arrival import (
    Back,
    conclude,
    connection_named,
    flow_cookie,
    posting,
    refused,
    replayed,
    require_same_browser,
    unknown_flow,
)
from tenant_app.accounts.sso_flow import Flow, Started
from tenant_app.accounts.sso_said import Said
from tenant_app.accounts.sso_traces import Trail
from tenant_app.contract import SignInConnection
from tenant_app.tenancy import seals

LONGEST_RESPONSE = 1_000_000
MOST_BEGUN = 3000


class Abroad:
    """What a process knows of providers elsewhere: discovered descriptions and keys, shared by all requests."""

    def __init__(self, *, allow_private: bool) -> None:
        self.fetcher = Fetcher(allow_private=allow_private)
        self.providers = Providers(self.fetcher)


def abroad(request: AnyRequest) -> Abroad:
    """This process's."""
    found: Abroad = request.app.state.abroad
    return found


def _is_test(connection: SignInConnection, token: str) -> bool:
    """Whether this token begins a test run: the console keeps it, we know its hash and its end."""
    wanted, until = str(connection.settings.get("test_sha256") or ""), connection.settings.get("test_until")
    if until and datetime.fromisoformat(str(until)) < datetime.now(UTC):
        return False
    return bool(token and wanted) and hmac.compare_digest(hashlib.sha256(token.encode()).hexdigest(), wanted)


def _require_open(connection: SignInConnection, token: str) -> bool:
    """Whether this is a test run; a Refusal where nobody may begin."""
    if token and _is_test(connection, token):
        return True
    if token:
        raise Refusal(
            "sso_test_void", "This test link has been replaced or withdrawn. Begin a test in the console.", status=403
        )
    if policies.stage_of(connection) not in policies.OPEN_STAGES:
        raise Refusal(
            "sso_closed", "Signing in with {provider} is not open. Sign in another way.", status=403,
            provider=connection.name,
        )  # fmt: skip
    return False


async def _require_few(request: AnyRequest) -> None:
    """One address begins thousands of flows at most, as the whole of an organisation behind it may in the morning."""
    async with transaction(request) as (_, conn):
        begun = await attempts.count(conn, "sso begun", client_ip(request), allowed=MOST_BEGUN)
    if begun.count > MOST_BEGUN:
        raise Refusal("too_many_requests", "Too many tries. Wait ten minutes.", status=429)


class SingleSignOn(Controller):
    """Public: who comes here is not known yet, and answers come from other sites. What binds them is the flow."""

    opt = {"public": True}  # noqa: RUF012 - Litestar's way
    include_in_schema = False

    @get("/sso/{connection_id:uuid}")
    async def begin(
        self,
        request: AnyRequest,
        connection_id: FromPath[UUID],
        next: FromQuery[str] = "/",  # noqa: A002 - the address says so
        test: FromQuery[str] = "",
        again: FromQuery[str] = "",
    ) -> Response[Any]:
        """On to the provider."""
        await settled(request)
        connection = connection_named(request, connection_id)
        trail = Trail(connection.id, test=_require_open(connection, test))
        await _require_few(request)
        kept = {"next": way_on(next), "test": trail.test}
        start = _begin_saml if connection.kind == "saml" else _begin_openid
        try:
            return await start(request, connection, kept, fresh=again == "1")
        except (Refusal, Unavailable) as error:
            return await refused(request, connection, trail, error)

    @get("/saml/{connection_id:uuid}/metadata", media_type="application/samlmetadata+xml")
    async def metadata(self, request: AnyRequest, connection_id: FromPath[UUID]) -> Response[bytes]:
        """Who we are, for the provider."""
        connection = connection_named(request, connection_id, "saml")
        xml = saml.metadata_of(sso_saml.service_provider(connection, origin(request), seals(request)))
        return Response(xml, media_type="application/samlmetadata+xml")

    @post("/saml/{connection_id:uuid}/acs", foreign=True, status_code=200)
    async def acs(self, request: AnyRequest, connection_id: FromPath[UUID]) -> Response[Any]:
        """The provider's answer, posted across sites: checked here, ended where the browser shows its cookie."""
        connection = connection_named(request, connection_id, "saml")
        form = await request.form()
        encoded, relay = str(form.get("SAMLResponse", "")), str(form.get("RelayState", ""))[:2000]
        async with transaction(request) as (_, conn):
            flow = await sso_flow.peek(conn, relay, connection.id)
        trail = Trail(connection.id, test=bool(flow and flow.data.get("test")))
        try:
            if flow is None:
                return await _unsolicited(request, connection, trail, encoded, relay)
            if not _begun_by(flow, "request_id"):
                raise unknown_flow()
            said = await _asserted(request, connection, trail, encoded, str(flow.data["request_id"]))
            return await _arrived(request, connection, trail, relay, said)
        except (Refusal, Unavailable) as error:
            return await refused(request, connection, trail, error)

    @get("/sso/{connection_id:uuid}/finish")
    async def finish_saml(
        self, request: AnyRequest, connection_id: FromPath[UUID], flow: FromQuery[str] = ""
    ) -> Response[Any]:
        """The checked answer meets the browser that asked."""
        connection = connection_named(request, connection_id, "saml")
        trail = Trail(connection.id)
        try:
            taken = await _taken(request, connection, trail, flow, "said")
            trail.claims = taken.flow.data["claims"]
            trail.checks[:0] = [Check(**one) for one in taken.flow.data["checks"]]
            said = msgspec.convert(taken.flow.data["said"], Said)
            return await conclude(request, taken, said, trail)
        except (Refusal, Unavailable) as error:
            return await refused(request, connection, trail, error)

    @get("/oidc/{connection_id:uuid}/callback")
    async def callback(self, request: AnyRequest, connection_id: FromPath[UUID]) -> Response[Any]:
        """The provider's answer, in the address."""
        connection = connection_named(request, connection_id, "oidc")
        query = dict(request.query_params.multi_items())
        trail, state = Trail(connection.id), query.get("state", "")
        try:
            taken = await _taken(request, connection, trail, state, "begun")
            there = abroad(request)
            provider, keys = await there.providers.get(connection.settings["issuer"])
            claims = await finish(
                there.fetcher,
                provider,
                keys,
                sso_openid.client(connection, origin(request), seals(request)),
                Begun.of(taken.flow.data["begun"]),
                query=query,
                now=datetime.now(UTC),
                trail=trail.checks,
                wanted=sso_openid.wanted(connection),
            )
            said = sso_openid.said(connection, claims, trail, seals(request))
            return await conclude(request, taken, said, trail)
        except (Refusal, Unavailable) as error:
            return await refused(request, connection, trail, error)


async def _begin_saml(
    request: AnyRequest, connection: SignInConnection, kept: dict[str, Any], *, fresh: bool
) -> Response[Any]:
    sp = sso_saml.service_provider(connection, origin(request), seals(request))
    request_id = saml.new_id()
    async with transaction(request) as (_, conn):
        started = await sso_flow.start(conn, connection.id, kept | {"request_id": request_id})
    asked = saml.ask(
        sp,
        sso_saml.identity_provider(connection),
        request_id=request_id,
        relay_state=started.handle,
        force=fresh,
        sign=bool(connection.settings.get("sign_requests", True)),
        now=datetime.now(UTC),
    )
    if isinstance(asked, saml.Redirect):
        return _on(request, asked.url, started)
    page = posting(request, connection, asked.url, asked.fields)
    page.set_cookie(flow_cookie(request, started))
    return page


async def _begin_openid(
    request: AnyRequest, connection: SignInConnection, kept: dict[str, Any], *, fresh: bool
) -> Response[Any]:
    provider, _ = await abroad(request).providers.get(connection.settings["issuer"])
    client = sso_openid.client(connection, origin(request), seals(request))
    begun = begin(provider, client, prompt="login" if fresh else None, max_age=0 if fresh else None)
    async with transaction(request) as (_, conn):
        started = await sso_flow.start(conn, connection.id, kept | {"begun": begun.kept()}, handle=begun.state)
    return _on(request, begun.url, started)


def _on(request: AnyRequest, url: str, started: Started) -> Response[Any]:
    response: Response[Any] = Redirect(url, status_code=303)
    response.set_cookie(flow_cookie(request, started))
    return response


def _begun_by(flow: Flow, what: str) -> bool:
    """Whether it is a sign-in that has come so far; flows of signing out, or further ones, are kept beside."""
    return {"next", what} <= flow.data.keys()


async def _taken(request: AnyRequest, connection: SignInConnection, trail: Trail, handle: str, what: str) -> Back:
    """The flow, once, for the browser that began it; another browser leaves it to its owner."""
    async with transaction(request) as (_, conn):
        flow = await sso_flow.peek(conn, handle, connection.id)
        if flow is None or not _begun_by(flow, what):
            raise unknown_flow()
        trail.test = bool(flow.data.get("test"))
        require_same_browser(request, flow, handle)
        taken = await sso_flow.take(conn, handle, connection.id)
    if taken is None:
        raise unknown_flow()
    trail.checked("browser", ok=True)
    return Back(connection, taken, handle)


async def _asserted(
    request: AnyRequest, connection: SignInConnection, trail: Trail, encoded: str, request_id: str | None
) -> Said:
    """What the response says, after every check, and for the first time."""
    sp = sso_saml.service_provider(connection, origin(request), seals(request))
    idp, now = sso_saml.identity_provider(connection), datetime.now(UTC)

    def check() -> saml.Assertion:
        return saml.check_response(
            sp,
            idp,
            encoded[:LONGEST_RESPONSE],
            request_id=request_id,
            allow_unsolicited=request_id is None,
            now=now,
            trail=trail.checks,
        )

    # Beside the loop: a large response keeps nobody else waiting.
    assertion = await to_thread.run_sync(check)
    async with transaction(request) as (_, conn):
        fresh = await sso_flow.use_once(conn, connection.id, assertion.id, assertion.not_on_or_after)
    if not trail.checked("replay", fresh, assertion.id, "an assertion that was not used before"):
        raise replayed()
    return sso_saml.said(connection, assertion, trail)


async def _arrived(
    request: AnyRequest, connection: SignInConnection, trail: Trail, handle: str, said: Said
) -> Response[Any]:
    """Keep what was said under another handle, and ask the browser for its cookie by an address of our own."""
    async with transaction(request) as (_, conn):
        taken = await sso_flow.take(conn, handle, connection.id)
        if taken is None:
            raise unknown_flow()
        data = {name: taken.data[name] for name in ("binding", "next", "test")}
        data |= {"said": msgspec.to_builtins(said), "claims": trail.claims}
        data |= {"cookie": flow_cookie(request, Started(handle, "")).key.removeprefix("__Host-")}
        checks = [msgspec.to_builtins(one) for one in trail.checks]
        arrived = await sso_flow.start(conn, connection.id, data | {"checks": checks}, life=sso_flow.ARRIVED_LIFE)
    return Redirect(f"/sso/{connection.id}/finish?flow={arrived.handle}", status_code=303)


async def _unsolicited(
    request: AnyRequest, connection: SignInConnection, trail: Trail, encoded: str, relay: str
) -> Response[Any]:
    """A provider that begins by itself proves nothing about this browser: once checked, we ask it ourselves.

    Whoever is signed in there comes straight back; an answer that was slipped to another browser signs nobody in.
    """
    if not connection.settings.get("allow_idp_initiated") or policies.stage_of(connection) not in policies.OPEN_STAGES:
        raise unknown_flow()
    await _asserted(request, connection, trail, encoded, None)
    return outside(request, "accounts/sso_with.html", provider=connection, to=way_on(relay))
