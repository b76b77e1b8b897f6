"""The portal's door: password and second factor, or a passkey; setting up the first second factor."""

from typing import Any
from urllib.parse import quote

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.response import Redirect
from sqlalchemy.orm import Session

from control_plane import identity
from control_plane.identity import Opened, SignedIn
from control_plane.portal.desk import (
    AnyRequest,
    client_of,
    csrf,
    environment_of,
    go,
    local_path,
    origin_of,
    second_factor_needed,
    sign_in_needed,
    signed_in_cookie,
    token_of,
)
from kit.credentials import (
    clear_cookie,
    cookie_name,
    provisioning_uri,
    qr_svg,
    readable_secret,
    require_secure,
    rp_id_of,
    session_cookie,
)
from kit.errors import Refusal
from kit.interface import Form, field_errors, locale_of, page
from kit.interface.entries import Entries
from kit.web import host_of

CEREMONY = "portal-passkey"
CEREMONY_SECONDS = 300
OPEN = {"public": True}


def passwords_taken(request: AnyRequest) -> bool:
    """Unless the settings leave it to the provider's own sign-in; passkeys work in any case."""
    oidc = request.app.state.settings.staff_oidc
    return oidc is None or not oidc.only


def issuer_of(request: AnyRequest) -> str | None:
    """The provider's own OpenID Connect; whom it knows comes in by it alone."""
    oidc = request.app.state.settings.staff_oidc
    return None if oidc is None else str(oidc.issuer)


def passwords_refused(field: str) -> Refusal:
    """Where they are not taken."""
    message = "Passwords are not taken here. Use the company's sign-in or a passkey."
    return Refusal("passwords_refused", message, field=field)


def door(request: AnyRequest, template: str, *, refusal: Refusal | None = None, **context: Any) -> Response[str]:
    """A page of the door; a refusal shows beside its field."""
    form = Form(context.pop("entered", {}), field_errors(refusal, locale_of(request)) if refusal else {})
    return page(
        request,
        template,
        status=refusal.status if refusal else 200,
        csrf=csrf.token(request),
        form=form,
        environment=environment_of(request),
        next=local_path(context.pop("next", None) or request.query_params.get("next")),
        company=issuer_of(request) is not None,
        passwords=passwords_taken(request),
        **context,
    )


def opened(request: AnyRequest, answer: Opened, next_path: str) -> Redirect:
    """Into the portal, or to the next stage, under a new session."""
    where = next_path if answer.stage == "full" else f"/sign-in/next?next={quote(next_path)}"
    return go(where, cookies=[signed_in_cookie(request, answer.token)])


def half_way(request: AnyRequest, session: Session) -> SignedIn:
    """Who has shown the password; refused when nobody has, or passwords are not taken any more."""
    signed = identity.authenticate(session, token_of(request))
    if signed is None or not (signed.full or passwords_taken(request)):
        raise sign_in_needed()
    return signed


@get("/sign-in", opt=OPEN, sync_to_thread=True)
def show_sign_in(request: AnyRequest, session: NamedDependency[Session]) -> Response[Any]:
    """The door; who is signed in goes on."""
    require_secure(request.scope["scheme"], host_of(request.scope) or "")
    signed = identity.authenticate(session, token_of(request))
    if signed is not None and signed.full:
        return go(local_path(request.query_params.get("next")))
    return door(request, "portal/sign_in.html")


@post("/sign-in", opt=OPEN, sync_to_thread=True)
def sign_in(request: AnyRequest, session: NamedDependency[Session], entries: NamedDependency[Entries]) -> Response[Any]:
    """The password. Right or wrong, the answer takes as long."""
    require_secure(request.scope["scheme"], host_of(request.scope) or "")
    if not passwords_taken(request):
        return door(request, "portal/sign_in.html", refusal=passwords_refused("company"))
    email = entries.text("email")
    answer = identity.sign_in_by_password(
        session,
        email,
        entries.secret("password"),
        client_of(request),
        issuer=issuer_of(request),
        replaces=token_of(request),
    )
    if isinstance(answer, Refusal):
        entered = {"email": email}
        return door(request, "portal/sign_in.html", refusal=answer, entered=entered, next=entries.text("next"))
    return opened(request, answer, local_path(entries.text("next")))


@get("/sign-in/next", opt=OPEN, sync_to_thread=True)
def next_stage(request: AnyRequest, session: NamedDependency[Session]) -> Response[Any]:
    """The second stage: show the factor one has, or set one up."""
    signed = half_way(request, session)
    if signed.full:
        return go(local_path(request.query_params.get("next")))
    if not identity.has_second_factor(session, signed.staff):
        return _set_up_page(request, session, signed)
    return door(request, "portal/sign_in_code.html", codes=signed.staff.totp_sealed is not None)


@post("/sign-in/code", opt=OPEN, sync_to_thread=True)
def sign_in_by_code(
    request: AnyRequest, session: NamedDependency[Session], entries: NamedDependency[Entries]
) -> Response[Any]:
    """The one-time code."""
    signed = half_way(request, session)
    token = token_of(request) or ""
    answer = identity.sign_in_by_code(session, signed, entries.text("code"), client_of(request), token=token)
    if isinstance(answer, Refusal):
        return door(request, "portal/sign_in_code.html", refusal=answer, codes=True, next=entries.text("next"))
    return opened(request, answer, local_path(entries.text("next")))


def _set_up_page(
    request: AnyRequest, session: Session, signed: SignedIn, *, refusal: Refusal | None = None, sealed: str = ""
) -> Response[str]:
    if sealed:
        secret = identity.offered_secret(session, signed.staff, sealed)
    else:
        secret, sealed = identity.offer_codes(session, signed.staff)
    uri = provisioning_uri(secret, account=signed.staff.email, issuer=f"Parvis {environment_of(request)}")
    return door(
        request,
        "portal/sign_in_set_up.html",
        refusal=refusal,
        qr=qr_svg(uri),
        secret=readable_secret(secret),
        sealed=sealed,
        staff=signed.staff,
    )


@post("/sign-in/set-up/codes", opt=OPEN, sync_to_thread=True)
def set_up_codes(
    request: AnyRequest, session: NamedDependency[Session], entries: NamedDependency[Entries]
) -> Response[Any]:
    """The first second factor, by one-time codes; the session becomes full."""
    signed = half_way(request, session)
    try:
        identity.set_up_codes(session, signed, entries.text("sealed"), entries.text("code"))
    except Refusal as refusal:
        if refusal.field != "code":
            raise
        return _set_up_page(request, session, signed, refusal=refusal, sealed=entries.text("sealed"))
    return _complete(request, session, signed, "codes", entries)


@post("/sign-in/set-up/passkey/options", opt=OPEN, sync_to_thread=True)
def set_up_passkey_options(request: AnyRequest, session: NamedDependency[Session]) -> Response[str]:
    """What the browser asks its device for."""
    signed = half_way(request, session)
    ceremony = identity.begin_new_passkey(session, signed, rp_id=rp_id_of(host_of(request.scope) or ""))
    return Response(ceremony.options, media_type="application/json", status_code=200)


@post("/sign-in/set-up/passkey", opt=OPEN, sync_to_thread=True)
def set_up_passkey(
    request: AnyRequest, session: NamedDependency[Session], entries: NamedDependency[Entries]
) -> Response[Any]:
    """The first second factor, by a passkey; the session becomes full."""
    signed = half_way(request, session)
    if signed.full:
        raise second_factor_needed()
    try:
        identity.add_passkey(
            session,
            signed,
            entries.text("answer"),
            entries.text("label"),
            origin=origin_of(request),
            rp_id=rp_id_of(host_of(request.scope) or ""),
        )
    except Refusal as refusal:
        if refusal.status == 401:
            raise
        return _set_up_page(request, session, signed, refusal=refusal)
    return _complete(request, session, signed, "passkey", entries)


def _complete(request: AnyRequest, session: Session, signed: SignedIn, way: str, entries: Entries) -> Redirect:
    answer = identity.complete(session, signed.staff, client_of(request), way, replaces=token_of(request))
    return opened(request, answer, local_path(entries.text("next")))


@post("/sign-in/passkey/options", opt=OPEN, sync_to_thread=True)
def passkey_options(request: AnyRequest, session: NamedDependency[Session]) -> Response[str]:
    """A challenge for any passkey of this host, bound to this browser."""
    token, ceremony = identity.begin_passkey(session, rp_id=rp_id_of(host_of(request.scope) or ""))
    cookie = session_cookie(request.scope["scheme"], CEREMONY, token, max_age=CEREMONY_SECONDS)
    return Response(ceremony.options, media_type="application/json", status_code=200, cookies=[cookie])


@post("/sign-in/passkey", opt=OPEN, sync_to_thread=True)
def sign_in_by_passkey(
    request: AnyRequest, session: NamedDependency[Session], entries: NamedDependency[Entries]
) -> Response[Any]:
    """A passkey is both factors: the device has verified its person."""
    scheme = request.scope["scheme"]
    answer = identity.sign_in_by_passkey(
        session,
        entries.text("answer"),
        client_of(request),
        ceremony=request.cookies.get(cookie_name(scheme, CEREMONY)),
        origin=origin_of(request),
        rp_id=rp_id_of(host_of(request.scope) or ""),
        issuer=issuer_of(request),
        replaces=token_of(request),
    )
    if isinstance(answer, Refusal):
        return door(request, "portal/sign_in.html", refusal=answer, next=entries.text("next"))
    redirect = opened(request, answer, local_path(entries.text("next")))
    redirect.cookies.append(_gone(scheme))
    return redirect


def _gone(scheme: str) -> Cookie:
    return clear_cookie(scheme, CEREMONY)


handlers = [
    show_sign_in,
    sign_in,
    next_stage,
    sign_in_by_code,
    set_up_codes,
    set_up_passkey_options,
    set_up_passkey,
    passkey_options,
    sign_in_by_passkey,
]
