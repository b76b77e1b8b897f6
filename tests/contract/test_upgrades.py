"""Slots that exist are brought to the newest schema, and are whole at every moment."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import uuid4

import msgspec
import psycopg
import pytest

from kit.errors import Unavailable
from migrations.tenant import compiled
from tenant_app.contract import connections
from tenant_app.contract.upgrading import Upgrading
from tests.contract.schemas import (
    FIRST,
    broken_release,
    build,
    first_release,
    next_release,
    of_release,
    shapes,
    versions,
    waits,
    whole_round,
)
from tests.world.cells import Cell, fresh_database
from tests.world.waiting import eventually

NEWEST = compiled().version


@pytest.fixture
def cell(postgres: str) -> Iterator[Cell]:
    """A prepared database of one's own: what is behind in it is this test's."""
    with fresh_database(postgres) as url:
        made = Cell(url)
        yield made
        made.close()


def test_an_upgraded_slot_equals_a_built_one_and_keeps_its_rows(cell: Cell) -> None:
    build(first_release(cell), 1)
    record = cell.tenant()
    later = of_release(cell, next_release())
    built = later.build_slots(1)[0]
    assert versions(cell) == {record.slot: FIRST, built: "to_come"}
    done = whole_round(later)
    assert (done.version, done.upgraded, done.locked, done.failed, done.behind) == ("to_come", 1, 0, {}, 0)
    assert set(versions(cell).values()) == {"to_come"}
    assert shapes(cell)[record.slot] == shapes(cell)[built]
    assert later.inspect(record.organisation_id).drift == ()
    assert cell.sql(f"select id from {record.slot}.principal") == [(record.organisation_id,)]
    assert later.upgrade().upgraded == 0


def test_the_tables_that_an_upgrade_makes_are_granted(cell: Cell) -> None:
    record = cell.tenant()
    whole_round(of_release(cell, next_release()))
    with psycopg.connect(cell.app_url) as connection:
        connection.execute(f"set role {record.slot}".encode())
        connection.execute(f"insert into {record.slot}.probe values (gen_random_uuid())".encode())


def test_spares_come_before_organisations(cell: Cell) -> None:
    build(first_release(cell), 5)
    taken = {cell.tenant().slot, cell.tenant().slot}
    assert whole_round(cell.database, limit=3).behind == 2
    assert {slot for slot, version in versions(cell).items() if version == FIRST} == taken


def test_a_round_without_time_upgrades_nothing_and_tells_what_is_behind(cell: Cell) -> None:
    build(first_release(cell), 3)
    done = cell.database.upgrade(seconds=-1)
    assert (done.upgraded, done.behind) == (0, 3)


def test_an_older_slot_is_behind_and_not_damaged(cell: Cell) -> None:
    build(first_release(cell), 2)
    record = cell.tenant()
    later = of_release(cell, next_release())
    health = later.health()
    assert (health.slots, health.slots_behind, health.schema_version) == (2, 2, FIRST)
    assert later.inspect(record.organisation_id).drift == ()
    assert later.repair(record.organisation_id, 2) == ()
    assert [check.name for check in later.verify() if not check.ok] == []
    whole_round(later)
    assert (later.health().slots_behind, later.health().schema_version) == (0, "to_come")


def test_measured_by_a_version_that_it_does_not_have_a_slot_would_be_damaged(cell: Cell) -> None:
    """The control of the test above: it is the slot's own version, and nothing else, that makes it whole."""
    record = cell.tenant()
    cell.sql("update directory.slot set schema_version = 'to_come'")
    later = of_release(cell, next_release())
    assert "table probe is missing" in later.inspect(record.organisation_id).drift
    with pytest.raises(Unavailable, match="slot_damaged"):
        later.repair(record.organisation_id, 2)


def test_what_a_newer_release_made_is_left_alone(cell: Cell) -> None:
    record = cell.tenant()
    whole_round(of_release(cell, next_release()))
    assert cell.database.upgrade().upgraded == 0
    assert cell.database.health().slots_behind == 0
    assert cell.database.inspect(record.organisation_id).drift == ()
    cell.sql(f"drop table {record.slot}.discard")  # as a later release may
    assert cell.database.inspect(record.organisation_id).drift == ()
    assert versions(cell) == {record.slot: "to_come"}


def test_a_spare_of_this_release_is_taken_first(cell: Cell) -> None:
    build(first_release(cell), 2)
    newest = cell.database.build_slots(1)[0]
    assert cell.database.take_slot(uuid4(), 1) == newest
    assert versions(cell)[cell.database.take_slot(uuid4(), 1)] == FIRST


def test_upgraders_at_the_same_time_share_the_work(cell: Cell) -> None:
    build(first_release(cell), 60)
    with ThreadPoolExecutor(3) as threads:
        done = list(threads.map(lambda _: whole_round(cell.database), range(3)))
    assert sum(one.upgraded for one in done) == 60
    assert [one.failed for one in done] == [{}] * 3
    assert set(versions(cell).values()) == {NEWEST}


def test_a_slot_that_cannot_be_upgraded_is_named_and_stops_no_other(cell: Cell) -> None:
    build(first_release(cell), 20)
    broken = cell.tenant()
    cell.sql(f"alter table {broken.slot}.upload rename to elsewhere")
    done = whole_round(cell.database)
    assert (done.upgraded, done.behind, list(done.failed)) == (19, 1, [broken.slot])
    assert 'relation "upload" does not exist' in done.failed[broken.slot]
    cell.sql(f"alter table {broken.slot}.elsewhere rename to upload")
    assert cell.database.upgrade().behind == 0


def test_a_revision_that_runs_nowhere_is_tried_on_few(cell: Cell) -> None:
    cell.database.build_slots(20)
    for _ in range(10):
        cell.database.take_slot(uuid4(), 1)
    before = shapes(cell)
    done = of_release(cell, broken_release()).upgrade()
    assert (done.upgraded, done.behind) == (0, 20)
    # Three of the spares, three of the others, and what was under way beside them.
    assert 6 <= len(done.failed) <= 12
    assert (shapes(cell), set(versions(cell).values())) == (before, {NEWEST})


@contextmanager
def under_way(cell: Cell, slot: str) -> Iterator[None]:
    """The upgrade of this slot has done all but commit."""
    with connections.transaction(cell.admin_url) as connection:
        assert Upgrading(cell.admin_url, cell.database.names, compiled()).one(connection, slot)
        # What the test does meanwhile may take longer than an upgrade that froze is let to.
        connection.execute("set local idle_in_transaction_session_timeout = 0")
        yield


def test_a_record_is_published_while_its_slot_is_upgraded(cell: Cell) -> None:
    build(first_release(cell), 1)
    record = cell.tenant()
    with under_way(cell, record.slot):
        assert cell.database.publish(msgspec.structs.replace(record, name="Renamed", database=""))
        assert cell.database.upgrade().locked == 1
    assert versions(cell) == {record.slot: NEWEST}


def test_a_slot_is_dropped_once_its_upgrade_has_ended(cell: Cell) -> None:
    build(first_release(cell), 1)
    record = cell.tenant()
    cell.database.unpublish(record.organisation_id, 2)
    with ThreadPoolExecutor(1) as threads:
        with under_way(cell, record.slot):
            dropped = threads.submit(cell.database.drop_slot, record.organisation_id, 2)
            eventually(lambda: waits(cell))
            assert not dropped.done()
        assert dropped.result()
    assert cell.database.upgrade().behind == 0
    assert cell.database.inventory().orphans == frozenset()
