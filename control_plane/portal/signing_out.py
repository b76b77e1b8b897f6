"""The end of a session: here at once, then at the provider's own sign-in if it vouched for it; or told by that one."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from litestar import Response, get, post
from litestar.di import NamedDependency

from control_plane import identity
from control_plane.portal.company import SIGNED_OUT, company_of, the_company
from control_plane.portal.desk import AnyRequest, go, token_of, who
from control_plane.portal.sign_in import OPEN, door
from kit import logs
from kit.credentials import clear_cookie
from kit.db import transaction
from kit.errors import Refusal
from kit.interface.entries import Entries
from kit.openid import check_logout_token_now, end_session

log = logs.get("control_plane.portal.sign_in")


def _there(request: AnyRequest, left: identity.Left) -> str | None:
    """The address that ends the session at the provider; None where it has none, or is away."""
    company = company_of(request)
    if company is None:
        return None
    try:
        # Asked now: nobody is sent to a provider that is away.
        provider = company.provider_now()
    except Refusal as refusal:
        log.warning("staff_oidc_away", code=refusal.code, reason=str(refusal))
        return None
    return end_session(provider, company.client(provider), left.id_token, f"{company.portal_url}{SIGNED_OUT}")


@post("/sign-out", opt=OPEN, sync_to_thread=True, status_code=200)
def sign_out(request: AnyRequest, entries: NamedDependency[Entries]) -> Response[Any]:
    """This session is over, here and in the database, before anything else; then on to the provider, unless `here`."""
    token, left = token_of(request), None
    if token:
        with transaction(request.app.state.engine) as session:
            left = identity.leave(session, token)
    gone = clear_cookie(request.scope["scheme"], "portal")
    if left is None:
        return go("/sign-in", cookies=[gone])
    there = None if entries.text("here") else _there(request, left)
    answer = door(request, "portal/signed_out.html", there=there, host=there and urlsplit(there).netloc, left=True)
    answer.cookies.append(gone)
    return answer


@get(SIGNED_OUT, opt=OPEN, sync_to_thread=True)
def signed_out(request: AnyRequest) -> Response[Any]:
    """Where the provider sends people back to. Whoever is still signed in here is told no such thing."""
    if who(request.app.state.engine, token_of(request)) is not None:
        return go("/")
    return door(request, "portal/signed_out.html", there=None, left=False)


@post("/sign-in/oidc/logout", opt=OPEN, sync_to_thread=True, status_code=200)
def back_channel(request: AnyRequest, entries: NamedDependency[Entries]) -> Response[bytes]:
    """The provider tells, server to server, whose sessions it has ended (OpenID Connect Back-Channel Logout)."""
    company = the_company(request)
    provider, keys = company.provider()
    sent = entries.text("logout_token")
    told = check_logout_token_now(provider, keys, company.client(provider), sent, now=datetime.now(UTC))
    with transaction(request.app.state.engine) as session:
        identity.end_by_provider(session, provider.issuer, told)
    return Response(b"", status_code=200)


handlers = [sign_out, signed_out]
foreign = [back_channel]
"""Posted by others than our own pages: a signature proves them, no cookie counts."""
