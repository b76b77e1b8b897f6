"""What the rooms write in SQLAlchemy Core is what the migrations build."""

import importlib
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from migrations.tenant import compiled
from tests.world.cells import Cell

ROOMS = ("accounts", "members", "spaces", "drive")


def declared() -> Iterator[sa.Table]:
    for room in ROOMS:
        yield from importlib.import_module(f"tenant_app.{room}.models").metadata.sorted_tables


def kind(column: sa.Column) -> str:
    return column.type.compile(dialect=postgresql.dialect()).partition(" COLLATE")[0]


@pytest.mark.parametrize("table", list(declared()), ids=lambda table: table.name)
def test_a_rooms_table_is_what_the_migrations_build(cell: Cell, table: sa.Table) -> None:
    slot = cell.tenant().slot
    engine = sa.create_engine(
        cell.admin_url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=sa.NullPool
    )
    built = sa.Table(table.name, sa.MetaData(), schema=slot, autoload_with=engine, resolve_fks=False)
    assert {c.name: kind(c) for c in table.columns} == {c.name: kind(c) for c in built.columns if c.name in table.c}
    assert {c.name for c in table.primary_key} == {c.name for c in built.primary_key}


def test_every_table_is_granted_by_name_and_no_other(cell: Cell) -> None:
    slot = cell.tenant().slot
    built = {row[0] for row in cell.sql("select tablename from pg_tables where schemaname = %s", slot)}
    assert built == set(compiled().tables)
