"""A ticket opens one door, for one person, for a minute."""

import base64
import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from kit.errors import Refusal
from tenant_app.contract import check, mint, new_key

KEY = new_key()
KEYS = {KEY.kid: KEY.public}
HOST = "acme.parvis.localhost"
ORGANISATION = uuid4()
PERSON = uuid4()
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def ticket(**changes) -> str:
    options = {"key": KEY.private, "host": HOST, "organisation": ORGANISATION, "purpose": "first_sign_in"} | changes
    return mint(options["key"], options["host"], options["organisation"], PERSON, options["purpose"], now=NOW)


def claims(**changes) -> dict:
    moment = int(NOW.timestamp())
    return {
        "jti": str(uuid4()),
        "iat": moment,
        "exp": moment + 60,
        "aud": HOST,
        "org": str(ORGANISATION),
        "sub": str(PERSON),
        "purpose": "console",
    } | changes


def signed(header: dict | None = None, **changes) -> str:
    key = OKPKey.import_key(dict(KEY.private))
    found = {name: value for name, value in claims(**changes).items() if value is not ...}
    return jwt.encode({"alg": "Ed25519", "kid": KEY.kid} | (header or {}), found, key, algorithms=["Ed25519"])


def part(value: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_a_ticket_tells_whom_it_lets_in() -> None:
    read = check(ticket(), KEYS, HOST.upper(), ORGANISATION, now=NOW + timedelta(seconds=59))
    assert (read.principal_id, read.organisation_id, read.purpose) == (PERSON, ORGANISATION, "first_sign_in")
    assert check(signed(), KEYS, HOST, ORGANISATION, now=NOW).purpose == "console"


HOSTILE = {
    "another host": lambda: ticket(host="other.parvis.localhost"),
    "another organisation": lambda: ticket(organisation=uuid4()),
    "another key": lambda: ticket(key=new_key().private),
    "another key under a known id": lambda: jwt.encode(
        {"alg": "Ed25519", "kid": KEY.kid},
        claims(),
        OKPKey.import_key(dict(new_key().private)),
        algorithms=["Ed25519"],
    ),
    "no algorithm": lambda: f"{part({'alg': 'none', 'kid': KEY.kid})}.{part(claims())}.",
    "the public key as a shared secret": lambda: jwt.encode(
        {"alg": "HS256", "kid": KEY.kid}, claims(), OctKey.import_key(KEY.public["x"] + "=" * 8)
    ),
    "a key of its own in the header": lambda: jwt.encode(
        {"alg": "Ed25519", "kid": "mine", "jwk": new_key().public},
        claims(),
        OKPKey.import_key(dict(new_key().private)),
        algorithms=["Ed25519"],
    ),
    "an unknown purpose": lambda: signed(purpose="owner"),
    "no purpose": lambda: signed(purpose=...),
    "no id": lambda: signed(jti=...),
    "an id that is none": lambda: signed(jti="1"),
    "one claim more": lambda: signed(admin=True),
    "a list of hosts": lambda: signed(aud=[HOST]),
    "a time that is none": lambda: signed(exp="never"),
    "a huge time": lambda: signed(exp=10**18),
    "a changed body": lambda: ".".join([(t := signed().split("."))[0], part(claims(sub=str(uuid4()))), t[2]]),
    "a cut signature": lambda: signed()[:-4],
    "a huge time of issue": lambda: signed(iat=10**18),
    "a person who is a list": lambda: signed(sub=[str(PERSON)]),
    "nothing": lambda: "",
    "two parts": lambda: "a.b",
    "no ASCII": lambda: "é" * 10,
    "too long": lambda: signed() + "A" * 3000,
}


@pytest.mark.parametrize("forgery", HOSTILE)
def test_a_forged_ticket_opens_nothing(forgery: str) -> None:
    with pytest.raises(Refusal) as refusal:
        check(HOSTILE[forgery](), KEYS, HOST, ORGANISATION, now=NOW)
    assert refusal.value.status == 403
    assert refusal.value.code in {"ticket_invalid", "ticket_expired"}


@pytest.mark.parametrize("moment", [NOW + timedelta(seconds=60), NOW + timedelta(days=1), NOW - timedelta(seconds=6)])
def test_a_ticket_is_good_for_a_minute(moment: datetime) -> None:
    with pytest.raises(Refusal, match="has expired"):
        check(ticket(), KEYS, HOST, ORGANISATION, now=moment)


def test_a_ticket_that_claims_a_longer_life_is_refused() -> None:
    with pytest.raises(Refusal, match="has expired"):
        check(signed(exp=int(NOW.timestamp()) + 3600), KEYS, HOST, ORGANISATION, now=NOW)


def test_a_retired_key_opens_nothing_any_more() -> None:
    with pytest.raises(Refusal, match="does not work here"):
        check(ticket(), {}, HOST, ORGANISATION, now=NOW)


def test_a_key_does_not_show_its_secret() -> None:
    assert KEY.private["d"] not in repr(KEY)
    assert "d" not in KEY.public


def test_minting_for_a_purpose_that_does_not_exist_is_a_bug() -> None:
    with pytest.raises(ValueError, match="not a purpose"):
        ticket(purpose="owner")
