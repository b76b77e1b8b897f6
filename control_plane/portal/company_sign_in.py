"""Signing in by the provider's own OpenID Connect: there and back, in the browser that began it."""

from datetime import UTC, datetime
from typing import Any

from litestar import Response, get
from litestar.response import Redirect

from control_plane import identity
from control_plane.portal.desk import AnyRequest, client_of, local_path, token_of
from control_plane.portal.sign_in import OPEN, door, opened
from kit import logs
from kit.credentials import clear_cookie, cookie_name, require_secure, session_cookie
from kit.db import transaction
from kit.errors import Refusal, not_found
from kit.fetching import Fetcher
from kit.openid import Begun, Claims, Client, Provider, Providers, begin, finish_now
from kit.settings import ControlPlaneSettings, StaffOidc
from kit.web import host_of

FLOW = "portal-oidc"
FLOW_SECONDS = 600
CALLBACK = "/sign-in/oidc/callback"

log = logs.get("control_plane.portal.sign_in")


def _settings(request: AnyRequest) -> tuple[ControlPlaneSettings, StaffOidc]:
    """Without its settings there is no such way in."""
    require_secure(request.scope["scheme"], host_of(request.scope) or "")
    settings: ControlPlaneSettings = request.app.state.settings
    if settings.staff_oidc is None:
        raise not_found()
    return settings, settings.staff_oidc


def _providers(request: AnyRequest) -> Providers:
    """What the issuer says of itself and its keys, remembered for the process."""
    state = request.app.state
    if state.get("staff_providers") is None:
        state["staff_providers"] = Providers(Fetcher(allow_private=state.settings.allow_private_fetch))
    found: Providers = state["staff_providers"]
    return found


def _client(settings: ControlPlaneSettings, oidc: StaffOidc, provider: Provider) -> Client:
    basic = "client_secret_basic" in provider.auth_methods
    return Client(
        client_id=oidc.client_id,
        redirect_uri=f"{settings.portal_url}{CALLBACK}",
        client_secret=oidc.client_secret,
        auth_method="client_secret_basic" if basic else "client_secret_post",
        scopes=oidc.scopes,
    )


def _refused(request: AnyRequest, refusal: Refusal, next_path: str = "/") -> Response[str]:
    """Back at the door, with what failed beside the button."""
    log.warning("staff_oidc_refused", code=refusal.code, reason=str(refusal))
    shown = Refusal(refusal.code, refusal.message, field="company", status=refusal.status, **refusal.params)
    return door(request, "portal/sign_in.html", refusal=shown, next=next_path)


@get("/sign-in/oidc", opt=OPEN, sync_to_thread=True)
def begin_company_sign_in(request: AnyRequest) -> Response[Any]:
    """To the provider. The browser keeps a secret by which it is known when it comes back."""
    settings, oidc = _settings(request)
    next_path = local_path(request.query_params.get("next"))
    try:
        provider, _ = _providers(request).get_now(oidc.issuer)
        begun = begin(provider, _client(settings, oidc, provider))
    except Refusal as refusal:
        return _refused(request, refusal, next_path)
    with transaction(request.app.state.engine) as session:
        secret = identity.begin_flow(session, begun, next_path, client_of(request))
    if isinstance(secret, Refusal):
        return _refused(request, secret, next_path)
    cookie = session_cookie(request.scope["scheme"], FLOW, secret, max_age=FLOW_SECONDS)
    return Redirect(begun.url, status_code=303, cookies=[cookie])


def _claims(request: AnyRequest, begun: Begun) -> Claims:
    settings, oidc = _settings(request)
    providers = _providers(request)
    provider, keys = providers.get_now(oidc.issuer)
    return finish_now(
        providers.fetcher,
        provider,
        keys,
        _client(settings, oidc, provider),
        begun,
        query=dict(request.query_params),
        now=datetime.now(UTC),
        wanted=("email", "email_verified", oidc.role_claim) if oidc.roles else ("email", "email_verified"),
    )


@get(CALLBACK, opt=OPEN, sync_to_thread=True)
def finish_company_sign_in(request: AnyRequest) -> Response[Any]:
    """Back from the provider. Two transactions: none stays open while the provider is asked."""
    _, oidc = _settings(request)
    scheme, engine = request.scope["scheme"], request.app.state.engine
    with transaction(engine) as session:
        secret = request.cookies.get(cookie_name(scheme, FLOW))
        flow = identity.take_flow(session, request.query_params.get("state"), secret)
    if isinstance(flow, Refusal):
        return _refused(request, flow)
    try:
        claims = _claims(request, flow.begun)
    except Refusal as refusal:
        return _refused(request, refusal, flow.next_path)
    with transaction(engine) as session:
        answer = identity.sign_in_by_claims(session, oidc, claims, client_of(request), replaces=token_of(request))
    if isinstance(answer, Refusal):
        return _refused(request, answer, flow.next_path)
    redirect = opened(request, answer, flow.next_path)
    redirect.cookies.append(clear_cookie(scheme, FLOW))
    return redirect


handlers = [begin_company_sign_in, finish_company_sign_in]
