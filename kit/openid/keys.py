"""A provider's public keys (JWKS), fetched when first needed, again after an hour or when a token names a new one."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey
from joserfc.util import base64_to_int

from kit.fetching import Fetcher
from kit.openid.checks import Checks, kind_of, refusal
from kit.openid.remembered import Clock, Remembered

# Signatures by a key of the provider only: neither "none" nor a shared secret (HS*).
ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
RSA_ALGORITHMS = frozenset(ALGORITHMS[:6])
CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
EDWARDS = frozenset({"EdDSA", "Ed25519"})
MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
USES = (None, "sig")
MOST_KEYS = 100
STRENGTH = "RSA of 2048 to 8192 bits"


@dataclass(frozen=True)
class PublicKey:
    """One key and what it may check. One that is too weak is none, and checks nothing."""

    kid: str | None
    key: Key | None
    algorithms: frozenset[str]


def _algorithms(key: Key) -> frozenset[str]:
    """What a key can check."""
    if isinstance(key, RSAKey):
        return RSA_ALGORITHMS
    if isinstance(key, ECKey):
        return frozenset({CURVES[key.curve_name]} if key.curve_name in CURVES else ())
    return EDWARDS if isinstance(key, OKPKey) and key.curve_name == "Ed25519" else frozenset()


def _is_sound(given: dict[str, Any]) -> bool:
    """Whether a key is neither too weak nor so large that checking a signature takes its time."""
    if given["kty"] != "RSA":
        return True
    modulus, exponent = base64_to_int(given["n"]), base64_to_int(given["e"])
    return 2048 <= modulus.bit_length() <= 8192 and 3 <= exponent < 2**33 and exponent % 2 == 1


def read_key(given: Any) -> PublicKey | None:
    """A key for signatures, or None for one of another kind or of no sense."""
    if not isinstance(given, dict) or given.get("kty") not in tuple(MEMBERS) or given.get("use") not in USES:
        return None
    operations, kid = given.get("key_ops", ["verify"]), given.get("kid")
    if not isinstance(operations, list) or "verify" not in operations or not isinstance(kid, str | None):
        return None
    try:
        if not _is_sound(given):
            return PublicKey(kid, None, frozenset())
        key = JWKRegistry.import_key({name: given[name] for name in ("kty", *MEMBERS[given["kty"]])})
        assert isinstance(key, RSAKey | ECKey | OKPKey)
        # Only now is a point looked at whether it lies on its curve.
        assert isinstance(key.public_key, RSAPublicKey | EllipticCurvePublicKey) or isinstance(key, OKPKey)
        algorithms = _algorithms(key)
    except (JoseError, ValueError, TypeError, KeyError, AssertionError):
        return None
    named = given.get("alg")
    return PublicKey(kid, key, algorithms if named is None else algorithms & {str(named)})


def read_keys(body: bytes, field: str) -> tuple[PublicKey, ...]:
    """The keys of a key set; those that are of no use are passed over."""
    checks = Checks(field=field)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        checks.refuse("keys_document", "no JSON")
    given = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(given, list):
        checks.refuse("keys_document", kind_of(document))
    checks.need("keys_document", len(given) <= MOST_KEYS, f"{len(given)} keys")
    for one in given:
        if isinstance(one, dict) and one.get("kty") in tuple(MEMBERS) and "d" in one:
            checks.refuse("keys_private", one.get("kid", ""))
    keys = tuple(key for key in map(read_key, given) if key is not None and (key.algorithms or key.key is None))
    checks.need("keys_none", bool(keys), len(given), "RS256")
    return keys


class Keys:
    """The keys at one address, shared by all sign-ins of this process."""

    def __init__(self, fetcher: Fetcher, uri: str, *, clock: Clock = time.monotonic) -> None:
        self.fetcher = fetcher
        self.uri = uri
        self._remembered: Remembered[tuple[PublicKey, ...]] = Remembered(self._fetch, clock)

    async def _fetch(self) -> tuple[PublicKey, ...]:
        fetched = await self.fetcher.get(self.uri, "application/json", field="issuer")
        return read_keys(fetched.body, "issuer")

    async def fitting(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        """The keys that a token of this header may be signed with; refuses where there is none."""
        found = self._pick(await self._remembered.get(), kid, algorithm)
        if not found:
            held = await self._remembered.again()
            found = self._pick(held, kid, algorithm)
            if not found:
                weak = any(one.key is None and one.kid == kid for one in held)
                raise refusal("key_weak", kid, STRENGTH) if weak else refusal("key_unknown", kid, algorithm)
        if kid is None and len(found) > 1:
            raise refusal("key_unnamed", f"{len(found)} keys")
        return found

    @staticmethod
    def _pick(held: tuple[PublicKey, ...], kid: str | None, algorithm: str) -> list[Key]:
        fits = (one for one in held if algorithm in one.algorithms and (kid is None or one.kid == kid))
        return [one.key for one in fits if one.key is not None]
