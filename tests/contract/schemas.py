"""Schemas of releases before and after this one, and what slots really look like."""

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from msgspec.structs import replace
from psycopg import IsolationLevel

from migrations.tenant import CompiledSchema, Revision, compiled
from migrations.tenant.grants import ROWS
from tenant_app.contract import CellDatabase, Upgraded
from tests.world.cells import Cell

FIRST = compiled().revisions[0].version
TO_COME = (
    "CREATE TABLE probe (id UUID NOT NULL, node_id UUID REFERENCES node (id), PRIMARY KEY (id));",
    "ALTER TABLE node ADD COLUMN probed BOOLEAN DEFAULT false NOT NULL;",
    "CREATE INDEX node_probed ON node (probed);",
)
VERSIONS = "select name, schema_version from directory.slot"
COLUMNS = r"""
select n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
from pg_namespace n join pg_class c on c.relnamespace = n.oid and c.relkind = 'r'
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where n.nspname like 'slot\_%'
"""

Shape = frozenset[tuple[object, ...]]


def next_release() -> CompiledSchema:
    """A release after this one: a new table, a new column, a new index."""
    now = compiled()
    return CompiledSchema((*now.revisions, Revision("to_come", TO_COME)), {**now.tables, "probe": ROWS})


def broken_release() -> CompiledSchema:
    """A release whose last revision runs on no slot."""
    now = compiled()
    return CompiledSchema((*now.revisions, Revision("broken", ("ALTER TABLE nowhere ADD COLUMN x INT;",))), now.tables)


def of_release(cell: Cell, schema: CompiledSchema) -> CellDatabase:
    """The same database in the hands of another release."""
    return CellDatabase(cell.admin_url, schema)


def first_release(cell: Cell) -> CellDatabase:
    return of_release(cell, compiled().up_to(FIRST))


def build(database: CellDatabase, count: int) -> None:
    """So many spares, by four builders."""
    each, more = divmod(count, 4)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(database.build_slots, [each + (number < more) for number in range(4)]))


def whole_round(database: CellDatabase, limit: int | None = None) -> Upgraded:
    """An upgrade of all, or of so many: what gave way, as it does on a machine that stood still, comes once more."""
    done = database.upgrade(limit=limit)
    while done.locked:
        again = database.upgrade(limit=limit and done.locked)
        done = replace(again, upgraded=done.upgraded + again.upgraded, failed=done.failed | again.failed)
    return done


def waits(cell: Cell) -> bool:
    """Whether somebody in this database waits for a lock."""
    here = "datname = current_database() and wait_event_type = 'Lock'"
    return bool(cell.sql(f"select pid from pg_stat_activity where {here}"))


def versions(cell: Cell) -> dict[str, str]:
    """What the central table says of each slot."""
    return dict(cell.sql(VERSIONS))


def shapes(cell: Cell) -> dict[str, Shape]:
    """What each slot really is: every column of every table."""
    return by_slot(cell.sql(COLUMNS))


def by_slot(columns: list[Any]) -> dict[str, Shape]:
    found: dict[str, set[tuple[object, ...]]] = defaultdict(set)
    for slot, *column in columns:
        found[slot].add(tuple(column))
    return {slot: frozenset(columns) for slot, columns in found.items()}


def halves(cell: Cell, models: dict[str, Shape]) -> dict[str, str]:
    """Slots that are not what the central table says, by its word; `models` has the shape of each version.

    Both are read in one snapshot: the backends of an upgrader that was killed may still commit meanwhile.
    """
    with psycopg.connect(cell.admin_url) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        said = connection.execute(VERSIONS).fetchall()
        real = by_slot(connection.execute(COLUMNS).fetchall())
    return {slot: version for slot, version in said if real[slot] != models[version]}
