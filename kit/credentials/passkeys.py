"""Passkeys (WebAuthn): options for the browser and verification of its answers. Storage is the caller's.

The relying party is the exact host without its port: a passkey of one workspace means nothing to another. The person
must have been verified by the device (PIN, finger, face), so that a passkey alone is two factors.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from kit.errors import Refusal

TIMEOUT = 120_000
LARGEST = 20_000


@dataclass(frozen=True)
class Ceremony:
    """What the browser is asked. Keep `challenge` with the session, once; `options` is JSON for the page."""

    options: str
    challenge: bytes


@dataclass(frozen=True)
class NewPasskey:
    """What to store of a fresh passkey."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: tuple[str, ...]


def refused() -> Refusal:
    """One answer to all that is wrong with a passkey: the reasons help only who attacks."""
    return Refusal("passkey_refused", "This passkey was not accepted. Try again, or use another way.", field="passkey")


def rp_id_of(host: str) -> str:
    """The relying party's id: the exact host of the request, without its port."""
    return host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host


def _descriptors(ids: Iterable[bytes]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=one) for one in ids]


def registration_options(
    *, rp_id: str, rp_name: str, user_id: bytes, user_name: str, display_name: str, known: Iterable[bytes] = ()
) -> Ceremony:
    """Ask for a new passkey, kept by a device that verifies its person. `known` ids are not made twice."""
    options = generate_registration_options(
        rp_id=rp_id,
        rp_name=rp_name,
        user_id=user_id,
        user_name=user_name,
        user_display_name=display_name,
        timeout=TIMEOUT,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=_descriptors(known),
    )
    return Ceremony(options_to_json(options), options.challenge)


def verify_registration(answer: str, *, challenge: bytes, origin: str, rp_id: str) -> NewPasskey:
    """Check the browser's answer (JSON) to `registration_options`; raises Refusal `passkey_refused`."""
    try:
        given = _parsed(answer)
        found = verify_registration_response(
            credential=given,
            expected_challenge=challenge,
            expected_rp_id=rp_id,
            expected_origin=origin,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise refused() from error
    transports = given["response"].get("transports")
    kept = tuple(str(t)[:16] for t in transports[:6]) if isinstance(transports, list) else ()
    return NewPasskey(found.credential_id, found.credential_public_key, found.sign_count, kept)


def authentication_options(*, rp_id: str, allowed: Iterable[bytes] = ()) -> Ceremony:
    """Ask for a passkey of this host: one of `allowed`, or any that the device keeps for it."""
    options = generate_authentication_options(
        rp_id=rp_id,
        timeout=TIMEOUT,
        allow_credentials=_descriptors(allowed) or None,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return Ceremony(options_to_json(options), options.challenge)


def credential_id_of(answer: str) -> bytes:
    """Which stored passkey an answer claims to be; nothing is proven yet."""
    try:
        return base64url_to_bytes(_parsed(answer)["rawId"])
    except (ValueError, KeyError, TypeError) as error:
        raise refused() from error


def verify_authentication(
    answer: str, *, challenge: bytes, origin: str, rp_id: str, public_key: bytes, sign_count: int
) -> int:
    """Check the browser's answer to `authentication_options`; gives the sign count to store, or raises Refusal."""
    try:
        found = verify_authentication_response(
            credential=_parsed(answer),
            expected_challenge=challenge,
            expected_rp_id=rp_id,
            expected_origin=origin,
            credential_public_key=public_key,
            credential_current_sign_count=sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise refused() from error
    return found.new_sign_count


def _parsed(answer: str) -> dict[str, Any]:
    if len(answer) > LARGEST:
        raise ValueError(len(answer))
    value = json.loads(answer)
    if not isinstance(value, dict) or not isinstance(value.get("response"), dict):
        raise TypeError(type(value))
    return value
