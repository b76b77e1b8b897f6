"""Signing in by the provider's own OpenID Connect: there and back, in the browser that began it.

Who is signed in comes this way again and again, see `identity.vouching`; then whatever fails there leaves his session
as long as it lasts, unless the provider says no.
"""

from datetime import UTC, datetime
from typing import Any

from litestar import Response, get
from litestar.response import Redirect

from control_plane import identity
from control_plane.portal.company import CALLBACK, Company, the_company
from control_plane.portal.desk import AnyRequest, client_of, go, local_path, token_of
from control_plane.portal.sign_in import OPEN, door, opened
from kit import logs
from kit.credentials import clear_cookie, cookie_name, require_secure, session_cookie
from kit.db import transaction
from kit.errors import Refusal
from kit.openid import Begun, Claims, begin, finish_now
from kit.web import host_of

FLOW = "portal-oidc"
FLOW_SECONDS = 600
DENIED = "oidc_denied"

log = logs.get("control_plane.portal.sign_in")


def _company(request: AnyRequest) -> Company:
    require_secure(request.scope["scheme"], host_of(request.scope) or "")
    return the_company(request)


def _refused(request: AnyRequest, refusal: Refusal, next_path: str = "/") -> Response[str]:
    """Back at the door, with what failed beside the button."""
    log.warning("staff_oidc_refused", code=refusal.code, reason=str(refusal))
    shown = Refusal(refusal.code, refusal.message, field="company", status=refusal.status, **refusal.params)
    return door(request, "portal/sign_in.html", refusal=shown, next=next_path)


@get("/sign-in/oidc", opt=OPEN, sync_to_thread=True)
def begin_company_sign_in(request: AnyRequest) -> Response[Any]:
    """To the provider. The browser keeps a secret by which it is known when it comes back."""
    company, engine = _company(request), request.app.state.engine
    next_path = local_path(request.query_params.get("next"))
    with transaction(engine) as session:
        signed = identity.ask_again(session, token_of(request))
    try:
        # Nobody who works here is sent to a provider that is away.
        provider = company.provider_now() if signed else company.provider()[0]
        begun = begin(provider, company.client(provider), login_hint=signed.staff.email if signed else None)
    except Refusal as refusal:
        if signed:
            log.warning("staff_oidc_away", code=refusal.code, reason=str(refusal))
            return go(next_path)
        return _refused(request, refusal, next_path)
    with transaction(engine) as session:
        secret = identity.begin_flow(session, begun, next_path, client_of(request))
    if isinstance(secret, Refusal):
        return go(next_path) if signed else _refused(request, secret, next_path)
    cookie = session_cookie(request.scope["scheme"], FLOW, secret, max_age=FLOW_SECONDS)
    return Redirect(begun.url, status_code=303, cookies=[cookie])


def _claims(request: AnyRequest, company: Company, begun: Begun) -> Claims:
    provider, keys = company.provider()
    oidc = company.oidc
    return finish_now(
        company.providers.fetcher,
        provider,
        keys,
        company.client(provider),
        begun,
        query=dict(request.query_params),
        now=datetime.now(UTC),
        wanted=("email", "email_verified", oidc.role_claim) if oidc.roles else ("email", "email_verified"),
    )


@get(CALLBACK, opt=OPEN, sync_to_thread=True)
def finish_company_sign_in(request: AnyRequest) -> Response[Any]:
    """Back from the provider. Two transactions: none stays open while the provider is asked."""
    company = _company(request)
    scheme, engine, token = request.scope["scheme"], request.app.state.engine, token_of(request)
    with transaction(engine) as session:
        secret = request.cookies.get(cookie_name(scheme, FLOW))
        flow = identity.take_flow(session, request.query_params.get("state"), secret)
    if isinstance(flow, Refusal):
        return _refused(request, flow)
    try:
        claims = _claims(request, company, flow.begun)
    except Refusal as refusal:
        if refusal.code == DENIED and token:
            with transaction(engine) as session:
                identity.leave(session, token)
        return _refused(request, refusal, flow.next_path)
    with transaction(engine) as session:
        answer = identity.sign_in_by_claims(session, company.oidc, claims, client_of(request), replaces=token)
    if isinstance(answer, Refusal):
        return _refused(request, answer, flow.next_path)
    redirect = opened(request, answer, flow.next_path)
    redirect.cookies.append(clear_cookie(scheme, FLOW))
    return redirect


handlers = [begin_company_sign_in, finish_company_sign_in]
