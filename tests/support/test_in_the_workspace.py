"""Support in a workspace: by a consent alone, for as long as it stands, with both names in the record."""

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import msgspec
import pytest
from psycopg.types.json import Jsonb

from tenant_app.accounts import support
from tenant_app.contract import Identity, SignInPolicy, TenantRecord
from tests.support.consents import INES, agreed, entered, grant_of, refused
from tests.workspace.houses import House

JSON = {"Accept": "application/json"}


def test_support_sees_what_the_administrator_sees_and_changes_nothing_where_it_may_only_read(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space("Budget")
    owner.put(space, "plan.txt", b"secret plan")
    record, grant = agreed(house, record)
    staff = entered(house, record, grant)
    for page in ("/", "/spaces", f"/spaces/{space}", f"/drive/{space}", f"/spaces/{space}/trash", "/members"):
        shown = staff.get(page)
        assert shown.status_code == 200, (page, shown.text)
        assert "Support access: Inès Bakkali of your provider is here until" in shown.text, page
        assert "to read only" in shown.text
    assert "plan.txt" in staff.get(f"/drive/{space}").text
    token = staff.token("/")
    sent = staff.post(f"/drive/{space}/folders", {"name": "Neu"}, csrf=token, headers=JSON)
    refused(sent, "support_read_only")
    assert house.rows(record, "select count(*) from node where kind = 'd'") == [(0,)]
    # The control: with a consent to write as well, the same form makes a folder, and both names stand in the record.
    record, writing = agreed(house, record, read_only=False)
    other = entered(house, record, writing)
    assert "to read and write" in other.get("/").text
    assert other.post(f"/drive/{space}/folders", {"name": "Neu"}, csrf=other.token("/")).status_code == 200
    both = {"grant": str(writing.id), "staff": str(INES), "name": "Inès Bakkali"}
    lines = house.rows(
        record, "select verb, actor_id from journal where data -> 'support' = %s order by id", Jsonb(both)
    )
    assert [verb for verb, _ in lines] == ["support.entered", "support.opened", "folder.made", "support.opened"]
    assert {actor for _, actor in lines} == {record.organisation_id}
    # And what the owner does himself names nobody else.
    owner.folder(space, "Eigen")
    assert house.rows(record, "select data -> 'support' from journal order by id desc limit 1") == [(None,)]


def test_what_support_sends_bears_no_member_s_name(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space("Budget")
    owner.put(space, "by-owner.txt", b"mine")
    record, grant = agreed(house, record, read_only=False)
    staff = entered(house, record, grant)
    csrf = staff.token("/")
    sent = staff.put(space, "by-support.txt", b"repaired", csrf=csrf)
    staff.put(space, "by-owner.txt", b"mine, repaired", csrf=csrf)
    name = house.rows(record, "select name from principal where id = %s", record.organisation_id)[0][0]
    versions = owner.get(f"/drive/{sent}").text
    assert "Your provider's support" in versions
    assert name not in versions.partition("<main")[2]
    listed = owner.get(f"/drive/{space}").text
    assert listed.count(">Support</span>") == 2
    # What the owner sent first is still his, and what he sends next is his again.
    owner.put(space, "by-support.txt", b"again")
    assert owner.get(f"/drive/{space}").text.count(">Support</span>") == 1
    assert name in owner.get(f"/drive/{sent}").text.partition("<main")[2]
    # Who put it in the trash is told as truly.
    trash = f"/spaces/{space}/trash"
    assert staff.post(f"/drive/{space}/trash", {"of": sent}, csrf=csrf).status_code == 200
    assert "Your provider's support" in owner.get(trash).text
    assert owner.post(f"/drive/{sent}/restoration").status_code == 200
    assert owner.post(f"/drive/{space}/trash", {"of": sent}).status_code == 200
    assert "Your provider's support" not in owner.get(trash).text


@pytest.mark.parametrize("comes", [True, False])
def test_a_consent_that_is_on_its_way_is_waited_for_a_moment(
    house: House, monkeypatch: pytest.MonkeyPatch, comes: bool
) -> None:
    before = house.workspace()
    grant = grant_of(before)
    after = msgspec.structs.replace(before, identity=Identity(support=(grant,)))
    looks = iter([before, None, after if comes else before])

    def look(_of: UUID) -> TenantRecord | None:
        return next(looks, before)

    monkeypatch.setattr(support, "tenant", lambda _request: before)
    monkeypatch.setattr(support, "directory_of", lambda _request: SimpleNamespace(record=look))
    monkeypatch.setattr(support, "ON_ITS_WAY_SECONDS", 60 if comes else 0.3)
    found = asyncio.run(support.awaited(SimpleNamespace(), grant.id))  # type: ignore[arg-type]
    assert found == (grant if comes else None)
    # The control: who does not wait turns away a consent that was given.
    assert support.living(before, grant.id) is None


@pytest.mark.parametrize("kind", ["revoked", "over", "administrator", "demoted"])
def test_what_ends_the_consent_ends_the_session_with_its_next_request(house: House, kind: str) -> None:
    record = house.workspace()
    house.owner(record)
    _, colleague = house.add(record, role=2, name="Omar Idrissi")
    record, grant = agreed(house, record, administrator_id=colleague)
    staff = entered(house, record, grant)
    assert staff.get("/").status_code == 200
    if kind == "revoked":
        house.change(record, identity=Identity())
    elif kind == "over":
        # It is to end in a moment, when nobody publishes anything: the workspace's own clock ends it.
        until = datetime.now(UTC) + timedelta(seconds=2)
        house.change(record, identity=Identity(support=(msgspec.structs.replace(grant, until=until),)))
        house.rows(record, "update session set expires_at = now() + interval '1 hour' where purpose = 'support'")
        time.sleep(max(0, (until - datetime.now(UTC)).total_seconds()) + 0.1)
    elif kind == "administrator":
        house.rows(record, "update principal set disabled_at = now() where id = %s", colleague)
    else:
        house.rows(record, "update principal set role = 1 where id = %s", colleague)
    answer = staff.get("/", headers=JSON)
    assert answer.json()["code"] == ("sign_in_needed" if kind == "administrator" else "support_ended"), answer.text
    assert answer.status_code in {401, 403}


def test_no_ticket_opens_without_a_living_consent_of_this_very_organisation(house: House) -> None:
    record, other = house.workspace(), house.workspace()
    house.owner(record)
    member, member_id = house.add(record, role=1)
    assert member.get("/").status_code == 200
    record, grant = agreed(house, record)

    def asked(of: UUID, **options: Any) -> str:
        stranger = house.stranger(options.pop("at", record))
        ticket = options.pop("ticket", None) or house.ticket(record, of, purpose="support", **options)
        return stranger.get("/enter", params={"ticket": ticket}).url.path

    assert asked(uuid4()) == "/enter"
    # A person's id is no grant, and a grant is no person.
    assert asked(member_id) == "/enter"
    assert house.stranger(record).get("/enter", params={"ticket": house.ticket(record, grant.id)}).status_code == 410
    # Signed for this workspace, it opens no other; nor does another organisation's grant open this one.
    assert asked(grant.id, at=other) == "/enter"
    assert asked(grant.id, at=other, host=other.hosts[0], organisation=other.organisation_id) == "/enter"
    # By who is no administrator, or no longer in time.
    record, by_member = agreed(house, record, administrator_id=member_id)
    assert asked(by_member.id) == "/enter"
    record, over = agreed(house, record, until=datetime.now(UTC) - timedelta(seconds=1))
    assert asked(over.id) == "/enter"
    # The control, once; the same ticket again opens nothing.
    record, good = agreed(house, record)
    ticket = house.ticket(record, good.id, purpose="support")
    assert asked(good.id, ticket=ticket) == "/"
    assert asked(good.id, ticket=ticket) == "/enter"


def test_people_sign_in_and_rules_stay_closed_to_support_that_may_write(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    _, colleague = house.add(record, role=1)
    space = owner.space("Budget")
    record, grant = agreed(house, record, read_only=False)
    staff = entered(house, record, grant)
    token = staff.token("/")
    closed = [
        *("/account/password", "/account/codes", "/console", "/welcome", "/members/invitations", "/confirm/code"),
        *(f"/members/{colleague}/role", f"/members/{colleague}/deactivation", f"/spaces/{space}/people"),
        f"/spaces/{space}/people/{colleague}/removal",
    ]
    for path in closed:
        refused(staff.post(path, {"role": "2", "person": str(colleague)}, csrf=token, headers=JSON), "support_closed")
    for path in ("/account", "/account/codes", "/console", "/welcome", "/confirm"):
        refused(staff.get(path, headers=JSON), "support_closed")
    assert house.rows(record, "select role, disabled_at from principal where id = %s", colleague) == [(1, None)]
    # The controls: the owner may, and support renames a space.
    assert owner.post(f"/members/{colleague}/role", {"role": "2"}).status_code == 200
    assert staff.post(f"/spaces/{space}", {"name": "Finances"}, csrf=token).status_code == 200


def test_support_neither_counts_as_a_visit_nor_stands_among_the_sessions_of_whoever_agreed(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    record, grant = agreed(house, record)
    staff = entered(house, record, grant)
    house.rows(record, "update principal set seen_at = '2020-01-01'")
    house.rows(record, "update session set seen_at = now() - interval '2 minutes' where purpose = 'support'")
    assert staff.get("/").status_code == 200
    assert house.rows(record, "select extract(year from seen_at)::int from principal") == [(2020,)]
    assert owner.get("/account").text.count("/revocation") <= 1
    assert staff.post("/sign-out", csrf=staff.token("/")).status_code == 200
    assert house.rows(record, "select count(*) from session where purpose = 'support'") == [(0,)]


def test_the_organisation_s_own_networks_and_second_factor_are_not_asked_of_support(house: House) -> None:
    record = house.workspace()
    house.owner(record)
    record, grant = agreed(house, record)
    policy = SignInPolicy(networks=("192.0.2.0/24",), second_factor=True)
    record = house.change(record, identity=Identity(support=(grant,), policy=policy))
    staff = entered(house, record, grant)
    assert staff.get("/").status_code == 200
    # But how long a session may last is: this one is older.
    tight = msgspec.structs.replace(policy, session_seconds=300)
    house.change(record, identity=Identity(support=(grant,), policy=tight))
    house.rows(record, "update session set created_at = now() - interval '6 minutes' where purpose = 'support'")
    refused(staff.get("/", headers=JSON), "support_ended")


def test_the_banner_speaks_french(house: House) -> None:
    record = house.workspace()
    house.owner(record)
    record, grant = agreed(house, record)
    staff = house.stranger(record, lang="fr")
    staff.get("/enter", params={"ticket": house.ticket(record, grant.id, purpose="support")})
    shown = staff.get("/").text.replace("\xa0", " ").replace("\u202f", " ")
    assert "Accès du support : Inès Bakkali, de votre fournisseur, est ici jusqu’au" in shown


def test_what_the_consent_says_now_counts_and_not_what_it_said_as_the_session_began(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space("Budget")
    _, colleague = house.add(record, role=2, name="Omar Idrissi")
    record, grant = agreed(house, record, read_only=False)
    staff = entered(house, record, grant)
    token = staff.token("/")
    # The control: what it said first opens.
    assert staff.post(f"/drive/{space}/folders", {"name": "Neu"}, csrf=token).status_code == 200
    narrower = msgspec.structs.replace(grant, read_only=True)
    record = house.change(record, identity=Identity(support=(narrower,)))
    refused(staff.post(f"/drive/{space}/folders", {"name": "Anders"}, csrf=token, headers=JSON), "support_read_only")
    # Another administrator's sight is not lent by it, whatever the record says.
    moved = msgspec.structs.replace(grant, administrator_id=colleague)
    house.change(record, identity=Identity(support=(moved,)))
    refused(staff.get("/", headers=JSON), "support_ended")


def test_a_download_s_address_is_for_one_version_and_a_minute_and_none_is_given_after_the_end(house: House) -> None:
    record = house.workspace()
    owner = house.owner(record)
    space = owner.space("Budget")
    owner.put(space, "plan.txt", b"secret plan")
    found = re.search(r"/drive/([0-9a-f-]{36})/content", owner.get(f"/drive/{space}").text)
    assert found
    path = f"/drive/{found[1]}/content"
    record, grant = agreed(house, record)
    staff = entered(house, record, grant)
    address = staff.http.get(path, follow_redirects=False).headers["location"]
    assert parse_qs(urlsplit(address).query)["X-Amz-Expires"] == ["60"]
    assert staff.http.get(address).content == b"secret plan"
    # It opens nothing else: neither another object, nor another method.
    other = address.replace(urlsplit(address).path, f"{urlsplit(address).path}x")
    assert staff.http.get(other).is_error
    assert staff.http.put(address, content=b"x").is_error
    assert staff.http.get(address).content == b"secret plan"
    house.change(record, identity=Identity())
    after = staff.http.get(path, follow_redirects=False, headers=JSON)
    assert "location" not in after.headers
    refused(after, "support_ended")
