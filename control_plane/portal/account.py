"""One's own account: sessions, passkeys, one-time codes, password, language."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from control_plane import identity
from control_plane.portal.desk import Desk, environment_of, go, origin_of, requires
from control_plane.portal.sign_in import passwords_refused, passwords_taken
from kit.credentials import provisioning_uri, qr_svg, readable_secret, rp_id_of
from kit.errors import Refusal, not_found
from kit.interface import LOCALES, Form, field_errors, locale_of
from kit.interface.entries import Entries
from kit.web import host_of, request_id

ANYBODY = [requires()]


def _page(desk: Desk, *, refusal: Refusal | None = None) -> Response[str]:
    errors = field_errors(refusal, locale_of(desk.request, desk.staff.locale)) if refusal else {}
    return desk.show(
        "portal/account.html",
        status=refusal.status if refusal else 200,
        form=Form({}, errors),
        sessions=identity.sessions(desk.session, desk.staff),
        current=identity.public_id_of(desk.signed.session),
        public_id=identity.public_id_of,
        passkeys=identity.passkeys(desk.session, desk.staff),
        passwords=passwords_taken(desk.request),
    )


@get("/account", guards=ANYBODY, sync_to_thread=True)
def show_account(desk: NamedDependency[Desk]) -> Response[str]:
    """All of it on one page."""
    return _page(desk)


@post("/account/password", guards=ANYBODY, sync_to_thread=True)
def change_password(desk: NamedDependency[Desk], entries: NamedDependency[Entries]) -> Response[Any]:
    """The old one proves the person; every other session ends."""
    if not passwords_taken(desk.request):
        return _page(desk, refusal=passwords_refused("form"))
    wrong = identity.prove_password(desk.session, desk.staff, entries.secret("password"))
    if wrong:
        return _page(desk, refusal=wrong)
    keep = desk.signed.session.token_hash
    try:
        identity.change_password(
            desk.session, desk.staff.id, entries.secret("new_password"), actor=desk.actor, keep=keep
        )
    except Refusal as refusal:
        return _page(desk, refusal=refusal)
    return go("/account", "password")


@post("/account/sessions/{public_id:str}/end", guards=ANYBODY, sync_to_thread=True)
def end_session(desk: NamedDependency[Desk], public_id: FromPath[str]) -> Redirect:
    """End one of one's own sessions; it is refused from the next request on."""
    identity.revoke_session(desk.session, desk.staff, public_id, request_id=request_id(desk.request))
    return go("/account", "session")


@post("/account/sessions/end-others", guards=ANYBODY, sync_to_thread=True)
def end_other_sessions(desk: NamedDependency[Desk]) -> Redirect:
    """Only this browser stays signed in."""
    identity.end_sessions(desk.session, desk.staff.id, keep=desk.signed.session.token_hash)
    return go("/account", "sessions")


@post("/account/passkeys/options", guards=ANYBODY, sync_to_thread=True)
def passkey_options(desk: NamedDependency[Desk]) -> Response[str]:
    """What the browser asks its device for."""
    rp_id = rp_id_of(host_of(desk.request.scope) or "")
    ceremony = identity.begin_new_passkey(desk.session, desk.signed, rp_id=rp_id)
    return Response(ceremony.options, media_type="application/json", status_code=200)


@post("/account/passkeys", guards=ANYBODY, sync_to_thread=True)
def add_passkey(desk: NamedDependency[Desk], entries: NamedDependency[Entries]) -> Response[Any]:
    """Store what the device made."""
    try:
        identity.add_passkey(
            desk.session,
            desk.signed,
            entries.text("answer"),
            entries.text("label"),
            origin=origin_of(desk.request),
            rp_id=rp_id_of(host_of(desk.request.scope) or ""),
            request_id=request_id(desk.request),
        )
    except Refusal as refusal:
        return _page(desk, refusal=refusal)
    return go("/account", "passkey")


@post("/account/passkeys/{passkey_id:uuid}/remove", guards=ANYBODY, sync_to_thread=True)
def remove_passkey(desk: NamedDependency[Desk], passkey_id: FromPath[UUID]) -> Response[Any]:
    """Take one away; the last factor stays."""
    try:
        identity.remove_passkey(desk.session, desk.staff.id, passkey_id, request_id=request_id(desk.request))
    except Refusal as refusal:
        if refusal.status == 404:
            raise
        return _page(desk, refusal=refusal)
    return go("/account", "passkey-removed")


def _codes_page(desk: Desk, *, refusal: Refusal | None = None, sealed: str = "") -> Response[str]:
    if sealed:
        secret = identity.offered_secret(desk.session, desk.staff, sealed)
    else:
        secret, sealed = identity.offer_codes(desk.session, desk.staff)
    uri = provisioning_uri(secret, account=desk.staff.email, issuer=f"Parvis {environment_of(desk.request)}")
    errors = field_errors(refusal, locale_of(desk.request, desk.staff.locale)) if refusal else {}
    return desk.show(
        "portal/account_codes.html",
        status=refusal.status if refusal else 200,
        form=Form({}, errors),
        qr=qr_svg(uri),
        secret=readable_secret(secret),
        sealed=sealed,
    )


@get("/account/codes", guards=ANYBODY, sync_to_thread=True)
def show_codes(desk: NamedDependency[Desk]) -> Response[Any]:
    """The QR code of a fresh secret."""
    if desk.staff.totp_sealed is not None:
        return go("/account")
    return _codes_page(desk)


@post("/account/codes", guards=ANYBODY, sync_to_thread=True)
def set_up_codes(desk: NamedDependency[Desk], entries: NamedDependency[Entries]) -> Response[Any]:
    """On, once the first code is right."""
    sealed = entries.text("sealed")
    try:
        identity.set_up_codes(
            desk.session, desk.signed, sealed, entries.text("code"), request_id=request_id(desk.request)
        )
    except Refusal as refusal:
        if refusal.field != "code":
            raise
        return _codes_page(desk, refusal=refusal, sealed=sealed)
    return go("/account", "codes")


@post("/account/codes/remove", guards=ANYBODY, sync_to_thread=True)
def remove_codes(desk: NamedDependency[Desk]) -> Response[Any]:
    """Off; a passkey must stay."""
    try:
        identity.remove_codes(desk.session, desk.staff.id, request_id=request_id(desk.request))
    except Refusal as refusal:
        if refusal.status == 404:
            raise
        return _page(desk, refusal=refusal)
    return go("/account", "codes-removed")


@post("/account/language", guards=ANYBODY, sync_to_thread=True)
def change_language(desk: NamedDependency[Desk], entries: NamedDependency[Entries]) -> Redirect:
    """The language of every page from now on, on every device."""
    locale = entries.text("locale")
    if locale not in LOCALES:
        raise not_found()
    desk.staff.locale = locale
    chosen = Cookie(key="lang", value=locale, path="/", max_age=365 * 24 * 3600, samesite="lax", httponly=True)
    return go("/account", "language", cookies=[chosen])


handlers = [
    show_account,
    change_password,
    end_session,
    end_other_sessions,
    passkey_options,
    add_passkey,
    remove_passkey,
    show_codes,
    set_up_codes,
    remove_codes,
    change_language,
]
