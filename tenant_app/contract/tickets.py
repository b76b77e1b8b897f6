"""Login tickets: how a person crosses from one door to another.

Signed with Ed25519 (RFC 8037, under the algorithm name of RFC 9864), good for 60 seconds and one use, for one exact
host, one organisation, one principal, one purpose. Single use is the reader's part: it writes the ticket's id down.
"""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from kit.errors import Refusal
from kit.ids import new_id
from kit.vault import Vault
from tenant_app.contract.values import Value

Purpose = Literal["first_sign_in", "sign_up", "console", "support"]

ALGORITHM = "Ed25519"
LIFETIME = timedelta(seconds=60)
# Clocks of two machines differ a little; a ticket may seem to come from the near future.
SKEW = timedelta(seconds=5)
LONGEST = 2000
# A moment beyond what dates can hold would fail in a place that does not expect it.
END_OF_TIME = 2**33
CLAIMS = ("aud", "exp", "iat", "jti", "org", "purpose", "sub")


class KeyPair(Value, frozen=True, kw_only=True):
    """A signing key as JWK documents. `private` is a secret: seal it before it is stored."""

    kid: str
    private: dict[str, str]
    public: dict[str, str]

    def __repr__(self) -> str:
        return f"KeyPair({self.kid!r}, …)"


class Ticket(Value, frozen=True, kw_only=True):
    """What a ticket that held says."""

    id: UUID
    organisation_id: UUID
    principal_id: UUID
    purpose: Purpose
    expires_at: datetime


def new_key() -> KeyPair:
    """A fresh Ed25519 key; its id is its thumbprint (RFC 7638)."""
    key = OKPKey.generate_key("Ed25519", private=True)
    return KeyPair(
        kid=key.thumbprint(),
        private={name: str(value) for name, value in key.as_dict(private=True).items()},
        public={name: str(value) for name, value in key.as_dict(private=False).items()},
    )


def derived_key(seed: bytes) -> KeyPair:
    """The key of this seed of 32 bytes: who can derive the seed has the key, and nobody needs to store it."""
    raw = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    public = {"kty": "OKP", "crv": "Ed25519", "x": _plain(raw)}
    kid = OKPKey.import_key(dict(public)).thumbprint()
    return KeyPair(kid=kid, private={**public, "d": _plain(seed)}, public=public)


def _plain(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def console_key(seals: Vault) -> KeyPair:
    """The key by which a cell sends people to the organisation console: both sides derive it from the cell's seals."""
    return derived_key(seals.derive("console-ticket"))


def mint(
    private_key: Mapping[str, str],
    audience_host: str,
    organisation_id: UUID,
    principal_id: UUID,
    purpose: Purpose,
    *,
    now: datetime | None = None,
) -> str:
    """Sign a ticket. `private_key` is a `KeyPair`'s `private`; `audience_host` the exact host that shall accept it."""
    if purpose not in get_args(Purpose):
        msg = f"not a purpose: {purpose!r}"
        raise ValueError(msg)
    issued = now or datetime.now(UTC)
    key = OKPKey.import_key(dict(private_key))
    claims = {
        "jti": str(new_id()),
        "iat": int(issued.timestamp()),
        "exp": int((issued + LIFETIME).timestamp()),
        "aud": audience_host.lower(),
        "org": str(organisation_id),
        "sub": str(principal_id),
        "purpose": purpose,
    }
    header = {"alg": ALGORITHM, "kid": key.thumbprint(), "typ": "JWT"}
    return jwt.encode(header, claims, key, algorithms=[ALGORITHM])


def check(
    token: str,
    keys: Mapping[str, Mapping[str, Any]],
    host: str,
    organisation_id: UUID,
    *,
    now: datetime | None = None,
) -> Ticket:
    """Read a ticket that is for this host and organisation, or refuse. `keys` are the published ones by id."""
    claims = _verified(token, keys)
    ticket = _parsed(claims)
    moment = now or datetime.now(UTC)
    issued = datetime.fromtimestamp(claims["iat"], UTC)
    if not issued - SKEW <= moment < ticket.expires_at or ticket.expires_at - issued > LIFETIME:
        raise Refusal("ticket_expired", "This link has expired. Ask for a new one.", status=403)
    if claims["aud"] != host.lower() or ticket.organisation_id != organisation_id:
        raise _invalid()
    return ticket


def key_named(token: str) -> str | None:
    """The id of the key that a ticket says it is signed by; None where it is no ticket."""
    try:
        return None if len(token) > LONGEST else str(_kid(token))
    except (JoseError, ValueError):
        return None


def _kid(token: str) -> Any:
    return jws.extract_compact(token.encode("ascii")).headers().get("kid")


def _verified(token: str, keys: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    if len(token) > LONGEST:
        raise _invalid()
    try:
        # The key comes from the directory, by its id alone: nothing else in the header is believed.
        kid = _kid(token)
        key = OKPKey.import_key({name: str(value) for name, value in keys[str(kid)].items()})
        verified = jwt.decode(token, key, algorithms=[ALGORITHM])
    except (JoseError, KeyError, ValueError) as error:
        raise _invalid() from error
    if sorted(verified.claims) != list(CLAIMS):
        raise _invalid()
    return verified.claims


def _parsed(claims: dict[str, Any]) -> Ticket:
    moments = all(isinstance(claims[name], int) and 0 <= claims[name] < END_OF_TIME for name in ("iat", "exp"))
    if claims["purpose"] not in get_args(Purpose) or not moments:
        raise _invalid()
    try:
        return Ticket(
            id=UUID(claims["jti"]),
            organisation_id=UUID(claims["org"]),
            principal_id=UUID(claims["sub"]),
            purpose=claims["purpose"],
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )
    except (ValueError, AttributeError, TypeError) as error:
        raise _invalid() from error


def _invalid() -> Refusal:
    return Refusal("ticket_invalid", "This link does not work here. Ask for a new one.", status=403)
