"""Tenants with a canary in every text column, and requests that read, write, fail, are cut off and leave notes."""

import asyncio
import random
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from kit.errors import Unavailable
from migrations.tenant import compiled
from tenant_app.contract import TenantRecord
from tests.world.cells import Cell

CANARY = re.compile(r"~([0-9a-z]+)~")
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
COLUMNS = """
select a.attname, t.typname, a.atttypmod - 4, a.attnotnull and not a.atthasdef,
       (select substring(pg_get_constraintdef(c.oid) from '''([a-z])''')
        from pg_constraint c where c.conrelid = a.attrelid and c.contype = 'c' and c.conkey = array[a.attnum]),
       exists (select from pg_constraint c
               where c.conrelid = a.attrelid and c.contype = 'p' and a.attnum = any(c.conkey))
from pg_attribute a join pg_type t on t.oid = a.atttypid
where a.attrelid = (%s || '.' || %s)::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum
"""
OPERATIONS = ("read", "write", "abort", "fail", "cancel", "late", "session", "temporary", "swallow")
LONG = "select count(*) from generate_series(1, 40000000)"


class Leak(AssertionError):  # noqa: N818 - it is what it says
    """One tenant saw what belongs to another."""


def canary(number: int) -> str:
    """A short mark of one tenant: `~k3~`."""
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = DIGITS[digit] + digits
    return f"~{digits}~"


def plant(cell: Cell, record: TenantRecord, mark: str) -> int:
    """A row in every table whose every text column holds the tenant's mark; returns how many columns do."""
    one_id = UUID(int=int(record.slot[5:]))
    planted = 0
    for table in compiled().tables:
        values: dict[str, Any] = {}
        for name, kind, length, needed, allowed, key in cell.sql(COLUMNS, record.slot, table):
            value = _value(kind, length, allowed, one_id, mark)
            if value is not None and (needed or key or kind in {"varchar", "text", "jsonb"}):
                values[name] = value
                planted += isinstance(value, str) and mark in value
        names, places = ", ".join(values), ", ".join(["%s"] * len(values))
        cell.sql(f"insert into {record.slot}.{table} ({names}) values ({places})", *values.values())
    return planted


def _value(kind: str, length: int, allowed: str | None, one_id: UUID, mark: str) -> Any:
    if kind in {"varchar", "text"}:
        return allowed if allowed and length == 1 else mark if kind == "text" or length >= len(mark) else "s"[:length]
    if kind == "jsonb":
        return f'{{"mark": "{mark}"}}'
    plain: dict[str, Any] = {"uuid": one_id, "timestamptz": "2099-01-01", "bool": False, "bytea": mark.encode()}
    return plain.get(kind, 1 if kind.startswith("int") else None)


@dataclass
class Traffic:
    """Requests against a pool; raises `Leak` when one sees a foreign mark."""

    pool: Any
    tenants: list[tuple[TenantRecord, str]]
    random: random.Random
    served: int = 0
    seen: dict[str, int] = field(default_factory=dict)

    async def request(self, which: int, operation: str) -> None:
        """One request of one tenant. Its failures are its own; only what it sees matters."""
        record, mark = self.tenants[which % len(self.tenants)]
        work: Callable[[TenantRecord, str], Any] = getattr(self, f"_{operation}")
        with suppress(asyncpg.PostgresError, Unavailable, asyncio.CancelledError, Abort, RuntimeError):
            await work(record, mark)
            self.seen[operation] = self.seen.get(operation, 0) + 1
        self.served += 1

    async def _look(self, conn: Any, mark: str) -> None:
        table = self.random.choice(list(compiled().tables))
        rows = await conn.fetch(f"select to_jsonb(t)::text from {table} t limit 20")
        note = await conn.fetchval("select current_setting('app.note', true)")
        found = {f"~{key}~" for text in (*(row[0] for row in rows), note or "") for key in CANARY.findall(text)}
        if found - {mark}:
            raise Leak(f"{mark} saw {found} in {table}")
        if any("undone" in row[0] for row in rows):
            raise Leak(f"{mark} sees what was rolled back in {table}")
        if not rows and table != "tally":
            raise Leak(f"{mark} did not see its own row in {table}")

    async def _read(self, record: TenantRecord, mark: str) -> None:
        async with self.pool.transaction(record, read_only=True) as conn:
            await self._look(conn, mark)

    async def _write(self, record: TenantRecord, mark: str) -> None:
        async with self.pool.transaction(record) as conn:
            await self._look(conn, mark)
            await conn.execute("update setting set value = to_jsonb($1::text)", mark)

    async def _abort(self, record: TenantRecord, mark: str) -> None:
        async with self.pool.transaction(record) as conn:
            await conn.execute("update setting set value = to_jsonb($1::text)", f"{mark} undone")
            raise Abort

    async def _fail(self, record: TenantRecord, mark: str) -> None:
        async with self.pool.transaction(record) as conn:
            await self._look(conn, mark)
            await conn.fetch("select * from table_that_is_not_there")

    async def _swallow(self, record: TenantRecord, mark: str) -> None:
        async with self.pool.transaction(record) as conn:
            await self._look(conn, mark)
            with suppress(asyncpg.PostgresError):
                await conn.fetch("select 1 / 0")

    async def _cancel(self, record: TenantRecord, mark: str) -> None:
        async def slow() -> None:
            async with self.pool.transaction(record) as conn:
                await self._look(conn, mark)
                await conn.fetch(LONG)

        task = asyncio.create_task(slow())
        await asyncio.sleep(self.random.random() / 50)
        task.cancel()
        await task

    async def _late(self, record: TenantRecord, mark: str) -> None:
        async with self.pool.transaction(record, seconds=0.02) as conn:
            await self._look(conn, mark)
            await conn.fetch(LONG)

    async def _session(self, record: TenantRecord, mark: str) -> None:
        """A whole statement in somebody's hands, which sets what outlives the transaction."""
        async with self.pool.transaction(record) as conn:
            await self._look(conn, mark)
            await conn.execute(f"SET app.note = '{mark}'; SET search_path = {record.slot}; SET ROLE {record.slot}")

    async def _temporary(self, record: TenantRecord, mark: str) -> None:
        async with self.pool.transaction(record) as conn:
            await conn.execute("create temporary table setting (key text, value jsonb)")
            await conn.execute("insert into pg_temp.setting values ('x', to_jsonb($1::text))", mark)


class Abort(Exception):  # noqa: N818 - the request's own decision
    """A handler that gives up in the middle."""
