"""Whatever comes, the answer is a refusal or a sign-in: never an accident."""

import asyncio
import json
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.errors import Refusal
from kit.openid import Keys, Provider, check_logout_token
from kit.openid.keys import read_keys
from kit.openid.provider import read_document
from tests.openid.driving import FETCHER, client_of
from tests.openid.op import CLIENT, EC, ED, RSA, Op, b64, public, signed

ISSUER = "https://login.test"
QUICK = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
words = st.sampled_from(
    ["RSA", "EC", "OKP", "sig", "enc", "verify", "RS256", "none", "P-256", "one", "AQAB", "code", ISSUER]
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | words
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=6
)


def bent(sound: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Something sound, in which some values became others and some names went away."""
    changes = st.dictionaries(st.sampled_from([*sound, "crit", "b64", "d", "key_ops", "nbf"]), values, max_size=3)
    gone = st.sets(st.sampled_from([*sound]), max_size=1)
    return st.builds(lambda new, away: {n: v for n, v in {**sound, **new}.items() if n not in away}, changes, gone)


DOCUMENT = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
    "userinfo_endpoint": f"{ISSUER}/userinfo",
    "end_session_endpoint": f"{ISSUER}/end",
    "response_types_supported": ["code"],
    "code_challenge_methods_supported": ["S256"],
    "id_token_signing_alg_values_supported": ["RS256"],
    "token_endpoint_auth_methods_supported": ["client_secret_basic"],
}


@QUICK
@given(bent(DOCUMENT) | values)
def test_any_discovery_document_is_read_or_refused(document: Any) -> None:
    with suppress(Refusal):
        assert read_document(json.dumps(document).encode(), ISSUER).issuer == ISSUER


@QUICK
@given(st.lists(bent(public(RSA, "one")) | bent(public(EC, "one")) | bent(public(ED, "one")) | values, max_size=4))
def test_any_key_set_is_read_or_refused(keys: list[Any]) -> None:
    with suppress(Refusal):
        assert read_keys(json.dumps({"keys": keys}).encode(), "issuer")


@QUICK
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for read in (lambda: read_keys(content, "issuer"), lambda: read_document(content, ISSUER)):
        with suppress(Refusal):
            read()


HEADER = {"alg": "RS256", "kid": "one", "typ": "logout+jwt"}
CLAIMS = {
    "iss": "",
    "aud": CLIENT,
    "iat": 0,
    "exp": 0,
    "jti": "a",
    "sub": "alice",
    "sid": "s",
    "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
}


@QUICK
@given(header=bent(HEADER), changed=bent(CLAIMS), loose=st.booleans())
def test_any_token_is_believed_or_refused(
    op: Op, header: dict[str, Any], changed: dict[str, Any], *, loose: bool
) -> None:
    scene = op.scene()
    provider = Provider(scene.issuer, "", "", scene.discovery["jwks_uri"])
    now = int(time.time())
    claims = changed | {"iss": scene.issuer} | ({"iat": now, "exp": now + 60} if loose else {})
    signature = signed({"alg": "RS256"}, claims, RSA).split(".")[2]
    whole = f"{b64(json.dumps(header))}.{b64(json.dumps(claims))}"
    # Half of them are signed as they should be: what is believed too early shows in those.
    sound = signed(header, claims, RSA) if header.get("alg") == "RS256" and "b64" not in header else None
    for token in (f"{whole}.{signature}", sound or whole):
        with suppress(Refusal):
            keys = Keys(FETCHER, provider.jwks_uri)
            told = asyncio.run(check_logout_token(provider, keys, client_of(scene), token, now=datetime.now(UTC)))
            assert told.subject or told.sid


@QUICK
@given(st.text(max_size=200) | st.lists(st.text(alphabet="eyJA-_9.", max_size=40), max_size=6).map(".".join))
def test_any_text_is_no_token(op: Op, token: str) -> None:
    scene = op.scene()
    provider = Provider(scene.issuer, "", "", scene.discovery["jwks_uri"])
    keys = Keys(FETCHER, provider.jwks_uri)
    with suppress(Refusal):
        asyncio.run(check_logout_token(provider, keys, client_of(scene), token, now=datetime.now(UTC)))
        raise AssertionError(token)
