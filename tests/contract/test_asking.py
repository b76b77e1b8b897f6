"""Asking a cell's worker to compare a workspace's books with its store."""

from uuid import uuid4

import pytest

from kit.errors import Unavailable
from tests.world.cells import Cell, prepared_cell


def due(cell: Cell) -> dict[str, bool]:
    """Who has a chore, and whether it is due."""
    return {str(row[0]): row[1] for row in cell.sql("select organisation_id, due_at <= now() from directory.chore")}


def test_a_comparison_is_due_at_once_and_the_time_of_the_last_one_forgotten(cell: Cell) -> None:
    here, other = cell.tenant().organisation_id, cell.tenant().organisation_id
    for one in (here, other):
        cell.sql(
            "insert into directory.usage (organisation_id, storage_bytes, store_bytes, reconciled_at)"
            " values (%s, 42, 40, now())",
            one,
        )
        cell.sql("insert into directory.chore (organisation_id, due_at) values (%s, now() + interval '5 minutes')", one)
    assert cell.database.ask_reconciliation(here) is True
    told = cell.database.usage([here, other])
    assert (told[here].reconciled_at, told[here].store_bytes, told[here].storage_bytes) == (None, 40, 42)
    assert told[other].reconciled_at is not None
    assert due(cell)[str(here)] is True
    assert due(cell)[str(other)] is False


def test_a_workspace_that_never_reported_is_only_given_a_chore(cell: Cell) -> None:
    here = cell.tenant().organisation_id
    assert cell.database.ask_reconciliation(here) is True
    assert cell.database.usage([here]) == {}
    assert due(cell)[str(here)] is True


def test_nothing_is_left_for_a_workspace_that_is_not_here(cell: Cell) -> None:
    stranger = uuid4()
    assert cell.database.ask_reconciliation(stranger) is False
    assert str(stranger) not in due(cell)


def test_a_directory_of_an_older_release_is_worth_another_try(postgres: str) -> None:
    with prepared_cell(postgres) as older:
        record = older.tenant()
        older.sql("alter table directory.usage drop column reconciled_at")
        with pytest.raises(Unavailable, match="cell_outdated"):
            older.database.ask_reconciliation(record.organisation_id)
