"""Who serves which version of the directory, and which keys of login tickets still count."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from kit.errors import Unavailable
from tests.world.cells import Cell, prepared_cell

SILENT = timedelta(seconds=120)


@pytest.fixture
def cell(postgres: str) -> Iterator[Cell]:
    with prepared_cell(postgres) as made:
        yield made


def beat(cell: Cell, process: str, version: int | None, seconds_ago: int = 0) -> None:
    cell.sql(
        "insert into directory.heartbeat (process, seen_at, version)"
        " values (%s, now() - make_interval(secs => %s), %s)",
        process,
        seconds_ago,
        version,
    )


def test_each_change_of_a_record_moves_the_version_at_which_it_changed(cell: Cell) -> None:
    import msgspec

    one, other = cell.tenant(), cell.tenant()
    first = cell.database.changed_at(one.organisation_id)
    second = cell.database.changed_at(other.organisation_id)
    assert first is not None
    assert second is not None
    assert first < second
    cell.database.publish(msgspec.structs.replace(one, name="Ville", database=""))
    assert cell.database.changed_at(one.organisation_id) == second + 1 == cell.database.health().directory_version
    assert cell.database.changed_at(uuid4()) is None


def test_the_slowest_living_process_counts(cell: Cell) -> None:
    assert cell.database.served(SILENT) is None
    beat(cell, "one", 9)
    beat(cell, "two", 7)
    beat(cell, "dead", 1, seconds_ago=121)
    assert cell.database.served(SILENT) == 7
    beat(cell, "of an older release", None)
    assert cell.database.served(SILENT) == -1


def test_a_directory_of_an_older_release_is_worth_another_try(cell: Cell) -> None:
    cell.sql("alter table directory.heartbeat drop column version")
    with pytest.raises(Unavailable, match="cell_outdated"):
        cell.database.served(SILENT)


def test_keys_of_tickets_that_nobody_uses_any_more_are_forgotten_after_a_while(cell: Cell) -> None:
    for kid in ("new", "old", "older"):
        cell.database.ensure_signing_key(kid, {"kid": kid})
    cell.sql("update directory.signing_key set created_at = now() - interval '25 hours' where kid <> 'old'")
    day = timedelta(days=1)
    assert cell.database.retire_signing_keys_but(["new"], day) == ["older"]
    assert cell.database.retire_signing_keys_but(["new"], day) == []
    assert set(cell.database.signing_keys()) == {"new", "old"}


def note(cell: Cell, connection_id: UUID, minutes_ago: int) -> None:
    cell.sql(
        "insert into directory.unknown_key (connection_id, organisation_id, at)"
        " values (%s, %s, now() - make_interval(mins => %s))",
        *(connection_id, uuid4(), minutes_ago),
    )


def test_connections_with_unknown_keys_are_told_and_only_what_was_seen_to_is_forgotten(cell: Cell) -> None:
    late, early = uuid4(), uuid4()
    note(cell, late, 1)
    note(cell, early, 5)
    told = cell.database.unknown_keys(10)
    assert [one.connection_id for one in told] == [early, late]
    assert cell.database.unknown_keys(1) == told[:1]
    cell.sql("update directory.unknown_key set at = now() where connection_id = %s", early)
    cell.database.forget_unknown_keys(told)
    assert [one.connection_id for one in cell.database.unknown_keys(10)] == [early], "somebody was refused meanwhile"
