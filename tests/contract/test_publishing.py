"""The directory holds exactly what was last wished for."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import msgspec
import psycopg
import pytest

from kit.errors import Refusal, Unavailable
from tenant_app.contract import Identity, ScimToken, SignInConnection, SignInPolicy
from tests.world.cells import Cell

SET_UP = Identity(
    connections=(
        SignInConnection(
            id=uuid4(),
            kind="saml",
            name="Entra ID",
            stage="enforced",
            domains=("acme.example",),
            attributes={"email": "mail"},
            roles={"chiefs": "administrator"},
            otherwise=None,
            settings={"entity_id": "https://idp.example", "keys": [{"certificate": "AA==", "key_sealed": "x.y"}]},
            reverts_at=datetime(2027, 1, 1, 12, tzinfo=UTC),
        ),
    ),
    domains=("acme.example",),
    policy=SignInPolicy(session_seconds=3600, networks=("192.0.2.0/24",), break_glass=(uuid4(), uuid4())),
    scim_tokens=(ScimToken(id=uuid4(), sha256="00" * 32, expires_at=datetime(2027, 1, 1, tzinfo=UTC)),),
    brake_percent=5,
)


def test_a_record_reads_back_as_it_was_published(cell: Cell) -> None:
    record = cell.tenant(
        hosts=("b.example.org", "a.example.org"),
        entitlements={"storage_bytes": 10**11, "features": ["drive"]},
        store={"bucket": "x", "secret": "sealed"},
        trial_ends_at=datetime(2027, 1, 1, tzinfo=UTC),
        notice="Closing soon",
        identity=SET_UP,
        locale="en",
    )
    expected = msgspec.structs.replace(record, database="", hosts=("a.example.org", "b.example.org"))
    assert cell.database.inspect(record.organisation_id).record == expected


def test_publishing_the_same_again_wakes_nobody(cell: Cell) -> None:
    record = cell.tenant()
    before = cell.database.health().directory_version
    assert not cell.database.publish(msgspec.structs.replace(record, fence=9))
    assert cell.database.health().directory_version == before
    assert cell.database.publish(msgspec.structs.replace(record, fence=9, state="read_only"))
    assert cell.database.health().directory_version > before


def test_hosts_are_exactly_those_published_and_a_dropped_one_comes_back(cell: Cell) -> None:
    record = cell.tenant(hosts=("one.example.org", "two.example.org"))
    cell.sql("delete from directory.host where host = 'two.example.org'")
    cell.sql("insert into directory.host values ('stray.example.org', %s)", record.organisation_id)
    assert cell.database.publish(record)
    found = cell.database.inspect(record.organisation_id).record
    assert found is not None
    assert found.hosts == ("one.example.org", "two.example.org")


def test_a_host_of_another_organisation_is_refused_and_nothing_is_stored(cell: Cell) -> None:
    theirs, ours = cell.tenant(hosts=("taken.example.org",)), cell.tenant()
    with pytest.raises(Refusal) as refusal:
        cell.database.publish(
            msgspec.structs.replace(ours, hosts=("free.example.org", "taken.example.org"), name="Changed")
        )
    assert (refusal.value.code, refusal.value.field) == ("host_taken", "hosts")
    assert cell.database.inspect(theirs.organisation_id).record == msgspec.structs.replace(theirs, database="")
    assert cell.database.inspect(ours.organisation_id).record == msgspec.structs.replace(ours, database="")


@pytest.mark.parametrize("host", ["", "Acme.example", "a..b", "-a.b", "a b", "a.b:80", "é.example", "a" * 64, "a/b"])
def test_what_is_no_host_is_refused(cell: Cell, host: str) -> None:
    record = cell.tenant()
    with pytest.raises(Refusal) as refusal:
        cell.database.publish(msgspec.structs.replace(record, hosts=(host,)))
    assert refusal.value.code == "host_invalid"


def test_an_older_wish_never_overwrites_a_newer_one(cell: Cell) -> None:
    record = cell.tenant(generation=5)
    with pytest.raises(Unavailable, match="fenced"):
        cell.database.publish(msgspec.structs.replace(record, generation=4, name="Old"))


def test_a_record_cannot_lead_to_a_slot_that_another_took(cell: Cell) -> None:
    mine, theirs = cell.tenant(), cell.tenant()
    with pytest.raises(Unavailable, match="no_slot"):
        cell.database.publish(msgspec.structs.replace(mine, slot=theirs.slot))
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        cell.sql("update directory.tenant set slot = %s where organisation_id = %s", theirs.slot, mine.organisation_id)


def test_changes_appear_in_the_order_of_their_numbers(cell: Cell) -> None:
    records = [cell.tenant() for _ in range(6)]

    def rename(number: int) -> None:
        record = records[number % 6]
        cell.database.publish(msgspec.structs.replace(record, name=f"Name {number}", generation=1))

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(rename, range(60)))
    numbers = [row[0] for row in cell.sql("select number from directory.change order by number")]
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) == cell.database.health().directory_version


def test_usage_is_given_for_those_that_reported(cell: Cell) -> None:
    record, silent = cell.tenant(), cell.tenant()
    cell.sql(
        "insert into directory.usage (organisation_id, storage_bytes, members) values (%s, 42, 3)",
        record.organisation_id,
    )
    usage = cell.database.usage([record.organisation_id, silent.organisation_id, uuid4()])
    assert {key: (use.storage_bytes, use.members) for key, use in usage.items()} == {record.organisation_id: (42, 3)}
