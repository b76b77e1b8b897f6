"""ID tokens as somebody makes them who has not the provider's key, or bends what it signed."""

import hmac
import json
from collections.abc import Callable
from typing import Any

from joserfc.jwk import RSAKey

from tests.openid.misbehaving import (
    Change,
    keys,
    said,
)
from tests.openid.op import EC, RSA, b64, public, signed


def head(**values: Any) -> Change:
    return lambda scene: scene.header.update(values)


def made(make: Callable[[dict[str, Any], dict[str, Any]], Any], **header: Any) -> Change:
    return lambda scene: (scene.header.update(header), setattr(scene, "make", make))


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return f"{b64(json.dumps(header))}.{b64(json.dumps(claims))}."


def by_secret(secret: bytes) -> Callable[[dict[str, Any], dict[str, Any]], str]:
    def make(header: dict[str, Any], claims: dict[str, Any]) -> str:
        whole = f"{b64(json.dumps(header))}.{b64(json.dumps(claims))}"
        return f"{whole}.{b64(hmac.digest(secret, whole.encode(), 'sha256'))}"

    return make


def bent(bend: Callable[[list[str]], list[str]]) -> Callable[[dict[str, Any], dict[str, Any]], str]:
    return lambda header, claims: ".".join(bend(signed(header, claims, RSA).split(".")))


def other_claims(parts: list[str]) -> list[str]:
    return [parts[0], b64(json.dumps({"iss": "x", "sub": "root"})), parts[2]]


def payload(content: bytes) -> Callable[[dict[str, Any], dict[str, Any]], str]:
    from joserfc import jws

    return lambda header, _: jws.serialize_compact(header, content, RSA, algorithms=["RS256"])


EC_ON = said(id_token_signing_alg_values_supported=["ES256"])


def ec_signature(signature: bytes) -> Change:
    def make(header: dict[str, Any], claims: dict[str, Any]) -> str:
        return f"{b64(json.dumps(header))}.{b64(json.dumps(claims))}.{b64(signature)}"

    return lambda scene: (EC_ON(scene), keys(public(EC, "one"))(scene), made(make, alg="ES256")(scene))


THIEF = RSAKey.generate_key(2048)
