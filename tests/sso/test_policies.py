"""What an organisation asks of every way of signing in, asked again on each request."""

import datetime as dt
from typing import Any

import msgspec
import pyotp
import pytest

from tenant_app.contract import Identity, SignInPolicy, TenantRecord
from tests.sso.places import with_codes
from tests.sso.providers import DOMAIN, Paper, by_password, paper, sign_in, signed_in
from tests.workspace.houses import CSRF, House

ELSEWHERE = ("198.51.100.0/24",)


def policy(**fields: Any) -> Identity:
    return Identity(policy=SignInPolicy(**fields))


def sessions(house: House, record: TenantRecord) -> int:
    return int(house.rows(record, "select count(*) from session")[0][0])


@pytest.mark.parametrize(
    "age", ["seen_at = now() - interval '11 minutes'", "created_at = now() - interval '61 minutes'"]
)
def test_a_session_ends_for_good_when_its_length_or_its_idleness_is_over(house: House, age: str) -> None:
    record = house.workspace(identity=policy(session_seconds=3600, idle_seconds=600))
    owner = house.owner(record)
    assert signed_in(owner)
    house.rows(record, f"update session set {age}")
    assert not signed_in(owner)
    assert sessions(house, record) == 0
    # Another browser of his, as old, which was not refused while the policy stood.
    other = house.stranger(record)
    by_password(other, owner.email)
    house.rows(record, f"update session set {age}")
    house.change(record, identity=Identity())
    assert not signed_in(owner), "a loosened policy revives nothing"
    assert signed_in(other), "the control: this one no policy has refused"


def test_who_reads_in_a_read_only_workspace_is_not_idle(house: House) -> None:
    record = house.workspace(identity=policy(idle_seconds=600))
    owner = house.owner(record)
    house.change(record, state="read_only")
    house.rows(record, "update session set seen_at = now() - interval '9 minutes'")
    assert owner.get("/account").status_code == 200
    [(idle,)] = house.rows(record, "select now() - seen_at from session")
    assert idle < dt.timedelta(minutes=5)
    # The control: who does nothing is.
    house.rows(record, "update session set seen_at = now() - interval '11 minutes'")
    assert not signed_in(owner)


def test_a_session_of_a_provider_ends_when_the_provider_wants_it_to(house: House) -> None:
    provider = paper()
    record = house.workspace(identity=provider.identity())
    soon = (dt.datetime.now(dt.UTC) + dt.timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    sign_in(house.stranger(record), provider, session_until=soon)
    [(left,)] = house.rows(record, "select expires_at - now() from session")
    assert dt.timedelta(minutes=28) < left < dt.timedelta(minutes=31)


def test_only_allowed_networks_open_the_workspace_to_every_way(house: House) -> None:
    provider = paper(domains=(DOMAIN,))
    closed = provider.identity(policy=SignInPolicy(networks=ELSEWHERE))
    record = house.workspace(identity=provider.identity())
    owner = house.owner(record)
    member = house.stranger(record)
    sign_in(member, provider)
    assert signed_in(member)
    record = house.change(record, identity=closed)
    # Those who are in are out with their next request, and nobody comes in anew.
    for inside in (owner, member):
        answer = inside.get("/account")
        assert answer.status_code == 403
        assert "own networks only, and you come from 127.0.0.1" in answer.text
    assert by_password(house.stranger(record), owner.email).status_code == 403
    assert sign_in(house.stranger(record), provider).status_code == 403
    assert house.stranger(record).get("/enter", params={"ticket": house.ticket(record)}).status_code != 200
    # Break-glass accounts come from anywhere.
    glass = SignInPolicy(networks=ELSEWHERE, break_glass=(record.organisation_id,))
    record = house.change(record, identity=provider.identity(policy=glass))
    assert owner.get("/account").status_code == 200
    assert member.get("/account").status_code == 403
    # The control: the client's own network. A session is refused elsewhere, not ended: laptops travel.
    house.change(record, identity=provider.identity(policy=SignInPolicy(networks=("127.0.0.0/8",))))
    assert member.get("/account").status_code == 200


def test_an_enforced_provider_ends_passwords_but_for_break_glass(house: House) -> None:
    provider = paper(stage="pilot", domains=(DOMAIN, "example.org"))
    record = house.workspace(identity=provider.identity())
    owner = house.owner(record)
    member, _ = house.add(record)
    guest, _ = house.add(record, 0, email="guest@elsewhere.test")
    assert signed_in(owner)
    house.stranger(record).http.post("/forgotten", data={"email": member.email})
    enforced = msgspec.structs.replace(provider.connection, stage="enforced")
    glass = SignInPolicy(break_glass=(record.organisation_id,))
    record = house.change(record, identity=Paper(enforced).identity(policy=glass))
    assert signed_in(owner)
    assert not signed_in(member)
    assert signed_in(guest), "another domain is not this provider's business"
    refused = by_password(house.stranger(record), member.email)
    assert refused.status_code == 403
    assert "sign in with Acme ID" in refused.text
    assert by_password(house.stranger(record), owner.email).url.path == "/"
    # A mailed link is no way around it: none is sent any more, and that of before opens nothing.
    house.stranger(record).http.post("/forgotten", data={"email": member.email})
    [(_, _, payload)] = house.mails(record)
    link = payload["url"].split("token=")[1]
    fresh = {"token": link, "password": "Violon-Brume-Escale-42", "repeated": "Violon-Brume-Escale-42"}
    person = house.stranger(record)
    assert person.http.post("/reset", data=fresh).status_code == 403
    assert not signed_in(person)
    # Enforcement that no administrator came in by has ended by itself.
    over = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    reverted = msgspec.structs.replace(enforced, reverts_at=over)
    house.change(record, identity=Paper(reverted).identity())
    assert by_password(house.stranger(record), member.email).url.path == "/", "and the old password is still his"


def test_enforcement_that_is_withdrawn_revives_no_session_that_it_has_ended(house: House) -> None:
    pilot = paper(stage="pilot", domains=(DOMAIN, "example.org"))
    enforced = Paper(msgspec.structs.replace(pilot.connection, stage="enforced"))
    record = house.workspace(identity=pilot.identity())
    owner = house.owner(record)
    asleep = house.stranger(record)
    by_password(asleep, owner.email)
    record = house.change(record, identity=enforced.identity())
    assert not signed_in(owner)
    house.change(record, identity=pilot.identity())
    assert not signed_in(owner)
    # The control: who did not come meanwhile was refused nothing.
    assert signed_in(asleep)


def test_a_session_of_a_connection_that_is_gone_or_not_open_ends(house: House) -> None:
    provider = paper()
    record = house.workspace(identity=provider.identity())
    person = house.stranger(record)
    sign_in(person, provider)
    for identity in (Identity(), Paper(msgspec.structs.replace(provider.connection, stage="tested")).identity()):
        record = house.change(record, identity=identity)
        assert not signed_in(person)
        record = house.change(record, identity=provider.identity())
        assert not signed_in(person), "what was refused has ended"
        sign_in(person, provider)
        assert signed_in(person)
    pilot = msgspec.structs.replace(provider.connection, stage="pilot", pilot=("bob@acme.test",))
    house.change(record, identity=Paper(pilot).identity())
    assert not signed_in(person)


def test_where_a_second_factor_is_required_a_password_alone_opens_nothing(house: House) -> None:
    provider = paper()
    identity = provider.identity(policy=SignInPolicy(second_factor=True))
    record = house.workspace(identity=provider.identity())
    owner = house.owner(record)
    assert signed_in(owner)
    record = house.change(record, identity=identity)
    led = owner.get("/account")
    assert led.url.path == "/confirm"
    assert "Create a passkey" in led.text
    assert owner.post("/spaces", {"name": "X"}, csrf=owner.token("/confirm")).url.path == "/confirm"
    assert house.rows(record, "select count(*) from space")[0][0] == 0
    # Who has none may set one up; who has one must show it, and may not make another by a password alone.
    assert owner.get("/account/codes").url.path == "/account/codes"
    secret = with_codes(house, record)
    assert owner.get("/account/codes").url.path == "/confirm"
    assert owner.post("/account/passkeys/options", csrf=owner.token("/confirm")).status_code in {200, 401}
    wrong = owner.post("/confirm/code", {"code": "000000"}, csrf=owner.token("/confirm"))
    assert wrong.status_code == 422
    before = owner.http.cookies["parvis"]
    code = pyotp.TOTP(secret).now()
    assert (
        owner.post("/confirm/code", {"code": code, "next": "/members"}, csrf=owner.token("/confirm")).url.path
        == "/members"
    )
    assert owner.http.cookies["parvis"] != before
    assert signed_in(owner)
    # The provider's own word is enough.
    person = house.stranger(record)
    sign_in(person, provider)
    assert signed_in(person)


def test_somebody_invited_into_a_governed_domain_comes_in_by_the_provider(house: House) -> None:
    provider = paper()
    record = house.workspace(identity=provider.identity())
    owner = house.owner(record)
    owner.post("/members/invitations", {"emails": f"alice@{DOMAIN}", "role": "1"})
    [(_, _, payload)] = house.mails(record)
    person = house.stranger(record)
    form = {"token": payload["url"].split("token=")[1], "name": "Alice"}
    joined = person.http.post("/join", data=form, follow_redirects=False)
    assert joined.headers["location"] == f"/sign-in/with/{provider.connection.id}"
    assert not signed_in(person)
    assert sign_in(person, provider).url.path == "/"
    assert house.rows(record, "select count(*) from principal where email = %s", f"alice@{DOMAIN}") == [(1,)]
    assert CSRF.search(person.get("/account").text)
