"""Passwords, one-time codes, passkeys and session tokens: the same rules for staff and for members, storage apart."""

from kit.credentials.passkeys import (
    Ceremony,
    NewPasskey,
    authentication_options,
    credential_id_of,
    registration_options,
    rp_id_of,
    verify_authentication,
    verify_registration,
)
from kit.credentials.passwords import (
    LEAST,
    check_password,
    hash_password,
    hash_password_async,
    needs_rehash,
    verify_password,
    verify_password_async,
)
from kit.credentials.tokens import (
    clear_cookie,
    cookie_name,
    new_token,
    require_secure,
    session_cookie,
    token_hash,
)
from kit.credentials.totp import matching_step, new_secret, provisioning_uri, qr_svg, readable_secret

__all__ = [
    "LEAST",
    "Ceremony",
    "NewPasskey",
    "authentication_options",
    "check_password",
    "clear_cookie",
    "cookie_name",
    "credential_id_of",
    "hash_password",
    "hash_password_async",
    "matching_step",
    "needs_rehash",
    "new_secret",
    "new_token",
    "provisioning_uri",
    "qr_svg",
    "readable_secret",
    "registration_options",
    "require_secure",
    "rp_id_of",
    "session_cookie",
    "token_hash",
    "verify_authentication",
    "verify_password",
    "verify_password_async",
    "verify_registration",
]
