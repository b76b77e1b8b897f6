"""The end of a session: what the provider may say in the back and the front, and where we send people."""

import asyncio
import base64
import json
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from kit.checking import Check
from kit.errors import Refusal
from kit.openid import (
    Keys,
    LogoutToken,
    check_front_channel,
    check_logout_token,
    check_logout_token_now,
    discover,
    end_session,
)
from tests.openid.driving import FETCHER, client_of, parameters
from tests.openid.forging import THIEF, by_secret, unsigned
from tests.openid.op import CLIENT, RSA, SECRET, SUBJECT, Op, Scene, signed

EVENT = "http://schemas.openid.net/event/backchannel-logout"
Make = Callable[[dict[str, Any], dict[str, Any]], str]


def by_rsa(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return signed(header, claims, RSA)


def token_of(scene: Scene, header: dict[str, Any], claims: dict[str, Any], make: Make = by_rsa) -> str:
    now = int(time.time())
    whole = {
        "iss": scene.issuer, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": secrets.token_hex(8),
        "sub": SUBJECT, "sid": "session-7", "events": {EVENT: {}}, **claims,
    }  # fmt: skip
    head = {"alg": "RS256", "kid": "one", "typ": "logout+jwt", **header}
    return make(
        {name: value for name, value in head.items() if value is not None},
        {name: value for name, value in whole.items() if value != "(none)"},
    )


async def checked(scene: Scene, token: str, trail: list[Check] | None = None) -> LogoutToken:
    provider = await discover(FETCHER, scene.issuer)
    keys = Keys(FETCHER, provider.jwks_uri)
    return await check_logout_token(provider, keys, client_of(scene), token, now=datetime.now(UTC), trail=trail)


VALID: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "as it is": ({}, {}),
    "a person alone": ({}, {"sid": "(none)"}),
    "a session alone": ({}, {"sub": "(none)"}),
    "typ of an older provider": ({"typ": "JWT"}, {}),
    "no typ": ({"typ": None}, {}),
    "a list with us alone": ({}, {"aud": [CLIENT]}),
    "another event beside": ({}, {"events": {EVENT: {}, "https://more.test": {}}}),
}


@pytest.mark.parametrize("name", VALID)
def test_a_provider_may_end_its_sessions(op: Op, name: str) -> None:
    scene = op.scene()
    header, claims = VALID[name]
    found = asyncio.run(checked(scene, token_of(scene, header, claims)))
    assert found.id
    assert found.subject == (SUBJECT if claims.get("sub") != "(none)" else None)
    assert found.sid == ("session-7" if claims.get("sid") != "(none)" else None)
    assert found.expires_at > datetime.now(UTC)


HOUR = 3600
HOSTILE: dict[str, tuple[str, dict[str, Any], dict[str, Any], Make]] = {
    "unsigned": ("oidc_algorithm", {"alg": "none"}, {}, unsigned),
    "signed with our secret": ("oidc_algorithm", {"alg": "HS256"}, {}, by_secret(SECRET.encode())),
    "signed by a thief": ("oidc_signature", {}, {}, lambda header, claims: signed(header, claims, THIEF)),
    "an unknown key": ("oidc_key_unknown", {"kid": "two"}, {}, by_rsa),
    "an extension demanded": ("oidc_critical", {"crit": ["exp"]}, {}, by_rsa),
    "an access token": ("oidc_kind", {"typ": "at+jwt"}, {}, by_rsa),
    "an ID token": ("oidc_logout_events", {"typ": "JWT"}, {"events": "(none)", "nonce": "n"}, by_rsa),
    "no token": ("oidc_token_shape", {}, {}, lambda *_: "logout"),
    "nothing": ("oidc_token_shape", {}, {}, lambda *_: ""),
    "an endless one": ("oidc_token_shape", {}, {"more": "a" * 200_000}, by_rsa),
    "of another issuer": ("oidc_issuer", {}, {"iss": "https://other.test"}, by_rsa),
    "for another application": ("oidc_audience", {}, {"aud": "other"}, by_rsa),
    "without end": ("oidc_expiry", {}, {"exp": "(none)"}, by_rsa),
    "ended": ("oidc_expired", {}, {"exp": int(time.time()) - HOUR}, by_rsa),
    "without beginning": ("oidc_issued", {}, {"iat": "(none)"}, by_rsa),
    "issued tomorrow": ("oidc_issued_in_future", {}, {"iat": int(time.time()) + 24 * HOUR}, by_rsa),
    "no events": ("oidc_logout_events", {}, {"events": {}}, by_rsa),
    "a list of events": ("oidc_logout_events", {}, {"events": [EVENT]}, by_rsa),
    "a flag as event": ("oidc_logout_events", {}, {"events": {EVENT: True}}, by_rsa),
    "another event": ("oidc_logout_events", {}, {"events": {"https://other.test": {}}}, by_rsa),
    "with a nonce": ("oidc_logout_nonce", {}, {"nonce": "n"}, by_rsa),
    "with an empty nonce": ("oidc_logout_nonce", {}, {"nonce": None}, by_rsa),
    "without an id": ("oidc_logout_id", {}, {"jti": "(none)"}, by_rsa),
    "a number as id": ("oidc_logout_id", {}, {"jti": 7}, by_rsa),
    "nobody": ("oidc_logout_whom", {}, {"sub": "(none)", "sid": "(none)"}, by_rsa),
    "a list of people": ("oidc_logout_whom", {}, {"sub": [SUBJECT]}, by_rsa),
    "an empty session": ("oidc_logout_whom", {}, {"sid": ""}, by_rsa),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nobody_else_ends_them(op: Op, name: str) -> None:
    scene, trail = op.scene(), list[Check]()
    code, header, claims, make = HOSTILE[name]
    with pytest.raises(Refusal) as refused:
        asyncio.run(checked(scene, token_of(scene, header, claims, make), trail))
    assert refused.value.code == code
    assert (trail[-1].name, trail[-1].ok) == (code.removeprefix("oidc_"), False)


def test_the_control_who_believes_what_is_posted_ends_anybody_s_session(op: Op) -> None:
    scene, ended = op.scene(), 0
    for _code, header, claims, make in HOSTILE.values():
        parts = token_of(scene, header, claims, make).split(".")
        if len(parts) == 3:
            believed = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
            ended += bool(believed.get("sub") or believed.get("sid"))
    assert ended > len(HOSTILE) // 2


def test_a_provider_s_token_for_another_provider_s_people_ends_nothing(op: Op) -> None:
    mine, other = op.scene(), op.scene()
    with pytest.raises(Refusal) as refused:
        asyncio.run(checked(mine, token_of(other, {}, {})))
    assert refused.value.code == "oidc_issuer"


def test_synchronous_callers_may_ask_too(op: Op) -> None:
    scene = op.scene()
    provider = asyncio.run(discover(FETCHER, scene.issuer))
    keys = Keys(FETCHER, provider.jwks_uri)
    token = token_of(scene, {}, {"jti": "once"})
    assert check_logout_token_now(provider, keys, client_of(scene), token, now=datetime.now(UTC)).id == "once"


def test_who_signs_out_is_sent_to_the_provider_with_the_way_back(op: Op) -> None:
    scene = op.scene()
    provider = asyncio.run(discover(FETCHER, scene.issuer))
    url = end_session(provider, client_of(scene), "id.to.ken", "https://acme.parvis.test/signed-out?a=b")
    assert url is not None
    assert url.startswith(scene.discovery["end_session_endpoint"])
    assert parameters(url) == {
        "client_id": [CLIENT],
        "id_token_hint": ["id.to.ken"],
        "post_logout_redirect_uri": ["https://acme.parvis.test/signed-out?a=b"],
    }


def test_where_a_provider_has_no_end_nobody_is_sent_there(op: Op) -> None:
    scene = op.scene()
    scene.discovery.pop("end_session_endpoint")
    provider = asyncio.run(discover(FETCHER, scene.issuer))
    assert end_session(provider, client_of(scene), None, "https://acme.parvis.test/") is None


def test_a_frame_ends_the_session_that_it_names(op: Op) -> None:
    scene = op.scene()
    provider = asyncio.run(discover(FETCHER, scene.issuer))
    assert check_front_channel(provider, {"iss": scene.issuer, "sid": "session-7"}) == "session-7"
    for query, code in (
        ({"sid": "session-7"}, "oidc_logout_issuer"),
        ({"iss": "https://other.test", "sid": "session-7"}, "oidc_logout_issuer"),
        ({"iss": scene.issuer}, "oidc_logout_session"),
        ({"iss": scene.issuer, "sid": ""}, "oidc_logout_session"),
    ):
        with pytest.raises(Refusal) as refused:
            check_front_channel(provider, query)
        assert refused.value.code == code
