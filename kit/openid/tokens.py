"""Signed tokens of a provider: their form, their key and signature, and the claims that ID and logout tokens share."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any, TypeGuard

from joserfc import jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry

from kit.errors import Refusal
from kit.openid.checks import Checks, kind_of, refusal
from kit.openid.client import Client
from kit.openid.keys import Keys
from kit.openid.provider import Provider

SKEW_SECONDS = 60
LONGEST_TOKEN = 100_000
LONGEST_NAME = 255
# Times beyond the year 9999 are no times.
LAST_SECOND = 253402300799


class Registry(JWSRegistry):
    """Reads what `read_header` let pass; certificates in a header make it longer than joserfc expects."""

    max_header_length = 16_000

    def get_alg(self, name: str) -> Any:
        """The algorithm, one of ours: they were compared with the list of those allowed already."""
        return self.algorithms[name]

    def check_header(self, header: dict[str, Any]) -> None:
        """See `read_header`."""


REGISTRY = Registry()


@dataclass(frozen=True)
class Token:
    """A token whose signature is good. Its claims are not judged yet."""

    header: dict[str, Any]
    claims: dict[str, Any]


def text_of_time(value: float) -> str:
    """A time for people."""
    return datetime.fromtimestamp(int(value), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def read_header(token: str, checks: Checks) -> dict[str, Any]:
    """The header of a signed token. Nothing is proven yet."""
    parts = token.split(".") if len(token) <= LONGEST_TOKEN and token.isascii() else []
    if len(parts) == 5:
        checks.refuse("encrypted", "5 parts", "3 parts")
    checks.need("token_shape", len(parts) == 3, f"{len(token)} letters in {len(parts)} parts", "3 parts")
    try:
        header = json.loads(urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        checks.refuse("token_shape", "its header is not JSON")
    return header


def _judge_header(header: dict[str, Any], provider: Provider, kinds: Sequence[str], checks: Checks) -> None:
    algorithm, kid = header.get("alg"), header.get("kid")
    known = isinstance(algorithm, str) and algorithm in provider.algorithms
    checks.need("algorithm", known, algorithm, ", ".join(provider.algorithms))
    demanded = header.get("crit", header.get("b64"))
    checks.need("critical", demanded is None, demanded)
    kind = header.get("typ")
    plain = str(kind).lower().removeprefix("application/")
    checks.need("kind", kind is None or plain in kinds, kind, " / ".join(kinds))
    if not isinstance(kid, str | None):
        checks.refuse("key_unnamed", kind_of(kid))


def _decoded(token: str, key: Key) -> dict[str, Any] | None:
    try:
        return jwt.decode(token, key, registry=REGISTRY).claims
    except BadSignatureError:
        return None
    except RecursionError as error:
        raise refusal("token_shape", "too deep") from error
    except (JoseError, ValueError, TypeError) as error:
        raise refusal("token_shape", error) from error


async def read_token(token: str, provider: Provider, keys: Keys, kinds: Sequence[str], checks: Checks) -> Token:
    """The token, if the provider signed it."""
    header = read_header(token, checks)
    _judge_header(header, provider, kinds, checks)
    kid = header.get("kid")
    try:
        fitting = await keys.fitting(kid, header["alg"])
        claims = next((found for key in fitting if (found := _decoded(token, key)) is not None), None)
    except Refusal as refused:
        checks.failed(refused)
        raise
    checks.need("signature", claims is not None, kid or "", header["alg"])
    assert claims is not None
    return Token(header, claims)


def is_time(value: object) -> TypeGuard[float]:
    """Whether a claim is a time at all: neither a flag, nor NaN, nor the year 10000."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isfinite(value) and 0 <= value <= LAST_SECOND


def is_name(value: object) -> bool:
    """Whether a claim can name something."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()


def judge_claims(claims: dict[str, Any], provider: Provider, client: Client, now: datetime, checks: Checks) -> None:
    """Issuer, audience and times."""
    checks.need("issuer", claims.get("iss") == provider.issuer, claims.get("iss"), provider.issuer)
    _judge_audience(claims, client, checks)
    second = now.timestamp()
    expiry, issued, start = claims.get("exp"), claims.get("iat"), claims.get("nbf")
    if not is_time(expiry):
        checks.refuse("expiry", kind_of(expiry))
    checks.need("expired", expiry > second - SKEW_SECONDS, text_of_time(expiry), text_of_time(second))
    if not is_time(issued):
        checks.refuse("issued", kind_of(issued))
    checks.need("issued_in_future", issued <= second + SKEW_SECONDS, text_of_time(issued), text_of_time(second))
    if start is not None:
        sound = is_time(start) and start <= second + SKEW_SECONDS
        checks.need(
            "not_yet_valid", sound, text_of_time(start) if is_time(start) else kind_of(start), text_of_time(second)
        )


def _judge_audience(claims: dict[str, Any], client: Client, checks: Checks) -> None:
    given = claims.get("aud")
    audience = given if isinstance(given, list) else [given]
    checks.need("audience", client.client_id in audience, ", ".join(map(str, audience[:5])), client.client_id)
    party = claims.get("azp")
    # Others may hold a token for several: it must then say that it was made for us.
    sound = party == client.client_id or (party is None and len(audience) == 1)
    checks.need("authorized_party", sound, "" if party is None else party, client.client_id)


def half_hash(value: str, algorithm: str) -> str:
    """The left half of a token's hash, as `at_hash` and `c_hash` have it."""
    digest = hashlib.new(f"sha{'512' if algorithm.startswith('Ed') else algorithm[2:]}", value.encode()).digest()
    return urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


def same(given: object, wanted: str) -> bool:
    """Compare without telling by the time it takes."""
    return isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())
