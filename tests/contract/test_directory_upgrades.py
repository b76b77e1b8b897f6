"""The directory that exists is brought to the newest shape, with its rights, while it is read."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from kit.errors import Unavailable
from migrations import cell as cell_schema
from tenant_app.contract import Identity
from tests.world.cells import Cell, fresh_database

BEAT = "insert into directory.heartbeat (process, version) values ('probe', 7) on conflict (process) do nothing"


@pytest.fixture
def older(postgres: str) -> Iterator[Cell]:
    """A database as the release before left it."""
    with fresh_database(postgres) as url:
        cell = Cell(url)
        cell.tenant()
        cell.sql("drop table directory.unknown_key")
        cell.sql("alter table directory.tenant drop column identity")
        cell.sql("alter table directory.heartbeat drop column version")
        for column in ("store_bytes", "store_objects", "orphans", "missing", "reconciled_at"):
            cell.sql(f"alter table directory.usage drop column {column}")
        cell.sql(f'revoke delete on directory.heartbeat from "{cell.database.names.app}"')
        cell.sql("update directory.alembic_version set version_num = '0001'")
        yield cell
        cell.close()


def as_app(cell: Cell, statement: str) -> None:
    with psycopg.connect(cell.app_url) as connection:
        connection.execute(statement.encode())


def test_an_older_directory_gets_its_columns_and_its_rights_once(older: Cell) -> None:
    ((organisation_id,),) = older.sql("select organisation_id from directory.tenant")
    older.sql("insert into directory.usage (organisation_id, storage_bytes) values (%s, 42)", organisation_id)
    asked: list[Callable[[], object]] = [
        lambda: older.database.usage([organisation_id]),
        lambda: older.database.inspect(organisation_id),
        older.tenant,
        lambda: older.database.unknown_keys(1),
    ]
    for ask in asked:
        with pytest.raises(Unavailable, match="cell_outdated"):
            ask()
    with pytest.raises(psycopg.errors.UndefinedColumn):
        as_app(older, BEAT)
    assert older.database.upgrade_directory()
    assert not older.database.upgrade_directory()
    as_app(older, BEAT)
    as_app(older, "delete from directory.heartbeat")
    record = older.database.inspect(organisation_id).record
    assert record is not None
    assert record.identity == Identity()
    told = older.database.usage([organisation_id])[organisation_id]
    assert (told.storage_bytes, told.store_bytes, told.orphans, told.reconciled_at) == (42, None, 0, None)
    assert older.sql("select version_num from directory.alembic_version") == [(cell_schema.versions()[0],)]
    assert [check.name for check in older.database.verify() if not check.ok] == []


def test_forced_it_mends_rights_and_hardening_and_keeps_the_password(older: Cell) -> None:
    assert older.database.upgrade_directory(force=True)
    older.sql(f'revoke insert on directory.heartbeat from "{older.database.names.app}"')
    older.sql("grant usage on language plpgsql to public")
    assert not older.database.upgrade_directory()
    assert older.database.upgrade_directory(force=True)
    as_app(older, BEAT)
    older.database.build_slots(2)
    assert [check.name for check in older.database.verify() if not check.ok] == []


def test_what_the_store_holds_is_read_back(older: Cell) -> None:
    older.database.upgrade_directory()
    record = older.tenant()
    older.sql(
        "insert into directory.usage (organisation_id, store_bytes, store_objects, orphans, missing, reconciled_at)"
        " values (%s, 4096, 3, 2, 1, now())",
        record.organisation_id,
    )
    told = older.database.usage([record.organisation_id])[record.organisation_id]
    assert (told.store_bytes, told.store_objects, told.orphans, told.missing) == (4096, 3, 2, 1)
    assert told.reconciled_at is not None


@pytest.mark.parametrize("force", [False, True])
def test_a_directory_of_a_newer_release_is_left_alone(older: Cell, force: bool) -> None:
    older.sql("update directory.alembic_version set version_num = '9999'")
    assert not older.database.upgrade_directory(force=force)
    assert older.sql("select version_num from directory.alembic_version") == [("9999",)]


def test_a_directory_that_is_in_use_is_left_for_later_and_nobody_waits_long(older: Cell) -> None:
    with psycopg.connect(older.admin_url) as reader:
        reader.execute("select count(*) from directory.usage")
        with pytest.raises(Unavailable, match="cell_busy"):
            older.database.upgrade_directory()
    assert older.database.upgrade_directory()
