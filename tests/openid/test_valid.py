"""What providers rightly do, and differently: each is let in."""

import asyncio
import json
import time
from collections.abc import Callable

import pytest

from kit.openid import Claims
from tests.openid.driving import careless, sign_in
from tests.openid.op import (
    ACCESS,
    CLIENT,
    CODE,
    EC,
    EC384,
    ED,
    EMAIL,
    OTHER_RSA,
    RSA,
    SUBJECT,
    Op,
    Scene,
    half,
    public,
)

Change = Callable[[Scene], object]


def signing(algorithm: str, key: object) -> Change:
    def change(scene: Scene) -> None:
        scene.header["alg"], scene.key = algorithm, key
        scene.keys = [public(key, "one")]  # type: ignore[arg-type]
        scene.discovery["id_token_signing_alg_values_supported"] = [algorithm]
        scene.claims["at_hash"] = half(ACCESS, algorithm)

    return change


def by(method: str, *, offered: bool = True) -> Change:
    def change(scene: Scene) -> None:
        scene.auth_method = method
        if offered:
            scene.discovery["token_endpoint_auth_methods_supported"] = [method]

    return change


def without(*names: str) -> Change:
    return lambda scene: [scene.discovery.pop(name) for name in names]


def claims(**values: object) -> Change:
    return lambda scene: scene.claims.update(values)


def header(**values: object) -> Change:
    return lambda scene: scene.header.update(values)


VALID: dict[str, Change] = {
    "as it is": lambda _: None,
    "PS256": signing("PS256", RSA),
    "RS512": signing("RS512", RSA),
    "ES256": signing("ES256", EC),
    "ES384": signing("ES384", EC384),
    "EdDSA, its old name": signing("EdDSA", ED),
    "Ed25519, its new name": signing("Ed25519", ED),
    "a list with us alone as audience": claims(aud=[CLIENT]),
    "two audiences, issued to us": claims(aud=["api", CLIENT], azp=CLIENT),
    "the party named although alone": claims(azp=CLIENT),
    "no at_hash": lambda scene: setattr(scene, "drop", ("at_hash",)),
    "a c_hash": claims(c_hash=half(CODE)),
    "no name for the only key": lambda scene: (scene.header.pop("kid"), scene.keys.__setitem__(0, public(RSA, "x"))),
    "no typ": lambda scene: scene.header.pop("typ"),
    "typ as a media type": header(typ="application/jwt"),
    "a thumbprint in the header": header(x5t="dGh1bWI", **{"x5t#S256": "dGh1bWI"}),
    "a certificate in the header": header(x5c=["A" * 3000]),
    "a header of the provider's own": header(vendor="acme"),
    "ended less than a minute ago, by our clock": lambda scene: scene.claims.update(exp=int(time.time()) - 40),
    "issued in less than a minute, by our clock": lambda scene: scene.claims.update(iat=int(time.time()) + 40),
    "times with fractions": lambda scene: scene.claims.update(exp=time.time() + 60.5, iat=time.time() - 0.5),
    "e-mail from userinfo only": lambda scene: setattr(scene, "drop", ("email",)),
    "secret in the form": by("client_secret_post"),
    "no secret": by("none", offered=False),
    "token type in small letters": lambda scene: scene.tokens.update(token_type="bearer"),
    "a refresh token, unasked": lambda scene: scene.tokens.update(refresh_token="r", scope="openid"),
    "keys of other kinds beside": lambda scene: scene.keys.extend(
        [
            {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
            {"kty": "AKP", "alg": "ML-DSA-44", "pub": "x", "kid": "later"},
            public(OTHER_RSA, "enc", use="enc"),
            {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "kid": "coin"},
            {"kty": ["RSA"], "use": ["sig"], "key_ops": 3},
        ]
    ),
    "a key of the same name and another kind": lambda scene: scene.keys.insert(0, public(EC, "one")),
    "a discovery document that says little": without(
        "response_types_supported", "code_challenge_methods_supported", "id_token_signing_alg_values_supported",
        "token_endpoint_auth_methods_supported", "end_session_endpoint", "userinfo_endpoint",
        "authorization_response_iss_parameter_supported",
    ),
    "no iss in the answer, none promised": lambda scene: (
        scene.answer.update(iss=None), scene.discovery.pop("authorization_response_iss_parameter_supported"),
    ),
    "a fresh sign-in, asked and done": lambda scene: (
        setattr(scene, "max_age", 0), scene.claims.update(auth_time=int(time.time())),
    ),
    "a query in the authorisation address": lambda scene: scene.discovery.update(
        authorization_endpoint=scene.discovery["authorization_endpoint"] + "?tenant=a"
    ),
    "groups as a list": claims(groups=["staff", "admins"]),
    "a long list of groups": claims(groups=[f"group-{n:05}" for n in range(3000)]),
}  # fmt: skip


@pytest.mark.parametrize("name", VALID)
def test_a_provider_in_good_order_lets_its_people_in(op: Op, name: str) -> None:
    scene = op.scene()
    VALID[name](scene)
    found = asyncio.run(sign_in(scene))
    assert (found.subject, found.issuer, found.values["email"]) == (SUBJECT, scene.issuer, EMAIL)
    # The careless one lets them in as well: what it accepts below is not for want of working.
    assert careless(scene)["sub"] == SUBJECT


@pytest.mark.parametrize("ending", ["/", "/realms/acme", "/v2.0/"])
def test_an_issuer_may_have_a_path_and_a_last_slash(op: Op, ending: str) -> None:
    scene = op.scene(ending)
    document = f"{ending.strip('/')}/.well-known/openid-configuration".lstrip("/")
    if ending != "/":
        scene.raw[document] = (200, {}, json.dumps(scene.discovery).encode())
    assert asyncio.run(sign_in(scene)).issuer == scene.issuer


def test_what_came_is_kept_for_the_session_and_for_its_end(op: Op) -> None:
    scene = op.scene()
    scene.claims |= {"sid": "session-7", "groups": ["staff"]}
    found: Claims = asyncio.run(sign_in(scene))
    assert found.sid == "session-7"
    assert found.values["groups"] == ["staff"]
    assert found.id_token.count(".") == 2
    assert found.id_token not in repr(found)
    assert EMAIL not in repr(found)


def test_userinfo_is_asked_only_where_a_claim_is_wanting(op: Op) -> None:
    scene = op.scene()
    asyncio.run(sign_in(scene))
    assert "userinfo" not in scene.seen
    scene.userinfo = {"groups": ["staff"], "name": "another"}
    scene.claims["name"] = "Alice"
    found = asyncio.run(sign_in(scene, wanted=("email", "groups")))
    assert "userinfo" in scene.seen
    # What is signed comes before what is not.
    assert (found.values["groups"], found.values["name"]) == (["staff"], "Alice")
