"""A transaction is one tenant's; what ends in doubt is thrown away."""

import asyncio
from uuid import uuid4

import asyncpg
import msgspec
import pytest
from sqlalchemy import Column, MetaData, SmallInteger, String, Table, Uuid, bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from kit.errors import Refusal, Unavailable
from tenant_app.tenancy import Q, TenantPool
from tests.world.cells import Cell, run

principal = Table(
    "principal",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("kind", String(1)),
    Column("name", String(120)),
    Column("role", SmallInteger),
    Column("member_ids", ARRAY(Uuid)),
    Column("prefs", JSONB),
)


class Person(msgspec.Struct):
    name: str
    prefs: dict
    member_ids: list | None = None


def using(cell: Cell, work, **options):
    async def inside():
        pool = TenantPool(cell.app_url, **({"size": 2} | options))
        try:
            return await work(pool)
        finally:
            await pool.close()

    return run(inside())


def test_statements_written_once_run_with_names_and_give_structs(cell: Cell) -> None:
    record, guests = cell.tenant(), [uuid4(), uuid4()]
    add = Q(
        insert(principal).values(
            id=bindparam("id"),
            kind="g",
            name=bindparam("name"),
            role=0,
            member_ids=bindparam("ids"),
            prefs=bindparam("prefs"),
        )
    )
    rename = Q(update(principal).where(principal.c.kind == bindparam("of")).values(name=bindparam("to")))
    among = Q(
        select(principal.c.name, principal.c.prefs, principal.c.member_ids).where(
            principal.c.role.in_((0, 1)), principal.c.id == bindparam("id")
        ),
        Person,
    )

    async def work(pool: TenantPool) -> None:
        one = uuid4()
        async with pool.transaction(record) as conn:
            assert await add.run(conn, id=one, name="Guest", ids=guests, prefs={"lang": "fr"}) == 1
            assert await among.one(conn, id=one) == Person("Guest", {"lang": "fr"}, guests)
            assert await rename.run(conn, of="g", to="Renamed") == 1
            assert [person.name for person in await among.all(conn, id=one)] == ["Renamed"]
            assert await among.scalar(conn, id=one) == "Renamed"
            assert await among.one(conn, id=uuid4()) is None
            with pytest.raises(TypeError, match="unknown values"):
                await among.one(conn, id=one, name="x")
            with pytest.raises(KeyError):
                await among.one(conn)

    using(cell, work)


def test_a_struct_that_does_not_fit_its_statement_is_told_at_once() -> None:
    with pytest.raises(TypeError, match="Person has the fields"):
        Q(select(principal.c.prefs, principal.c.name), Person)


def test_types_that_a_slot_could_not_look_up_are_known_from_the_start(cell: Cell) -> None:
    record = cell.tenant()
    kinds = {
        "uuid[]": [uuid4()],
        "text[]": ["a"],
        "int8[]": [1],
        "timestamptz[]": [],
        "jsonb[]": [{"a": 1}],
        "jsonb": [1],
    }

    async def work(pool: TenantPool) -> None:
        async with pool.transaction(record) as conn:
            for kind, value in kinds.items():
                assert await conn.fetchval(f"select $1::{kind}", value) == value

    using(cell, work)


def test_a_type_that_nobody_primed_would_fail_as_a_slot(cell: Cell) -> None:
    """The control: the driver looks it up with set_config, which no slot may call."""
    record = cell.tenant()

    async def work(pool: TenantPool) -> None:
        async with pool.transaction(record) as conn:
            await conn.fetchval("select $1::macaddr8[]", ["08:00:2b:01:02:03:04:05"])

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="set_config"):
        using(cell, work)


def test_a_read_only_workspace_is_read_and_not_written(cell: Cell) -> None:
    record = cell.tenant(state="read_only")

    async def work(pool: TenantPool) -> None:
        async with pool.transaction(record) as conn:
            assert await conn.fetchval("select count(*) from principal") == 1
        with pytest.raises(Refusal) as refusal:
            async with pool.transaction(record) as conn:
                await conn.execute("delete from principal")
        assert (refusal.value.code, refusal.value.status) == ("read_only", 403)
        async with pool.transaction(record, read_only=False) as conn:  # signing in goes on
            await conn.execute("update principal set seen_at = now()")

    using(cell, work)


def test_nothing_stays_of_a_block_that_failed_or_was_cancelled(cell: Cell) -> None:
    record = cell.tenant()

    async def write(pool: TenantPool, ending) -> None:
        async with pool.transaction(record) as conn:
            await conn.execute("update principal set name = 'Changed'")
            await ending()

    async def fail() -> None:
        raise LookupError

    async def work(pool: TenantPool) -> None:
        with pytest.raises(LookupError):
            await write(pool, fail)
        begun = asyncio.Event()

        async def stay() -> None:
            begun.set()
            await asyncio.sleep(600)

        task = asyncio.create_task(write(pool, stay))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with pool.transaction(record) as conn:
            assert await conn.fetchval("select name from principal") != "Changed"
        await write(pool, lambda: asyncio.sleep(0))  # the control: a block that ends well is kept
        async with pool.transaction(record) as conn:
            assert await conn.fetchval("select name from principal") == "Changed"

    using(cell, work)


def test_an_error_that_was_passed_over_does_not_look_like_success(cell: Cell) -> None:
    record = cell.tenant()

    async def work(pool: TenantPool) -> None:
        async with pool.transaction(record) as conn:
            await conn.execute("update principal set name = 'Changed'")
            with pytest.raises(asyncpg.DivisionByZeroError):
                await conn.fetch("select 1 / 0")

    with pytest.raises(RuntimeError, match="nothing was committed"):
        using(cell, work)


def test_a_connection_is_renewed_after_so_many_tenants(cell: Cell) -> None:
    tenants = [cell.tenant() for _ in range(4)]

    async def work(pool: TenantPool) -> list[int]:
        pids = []
        for record in tenants:
            async with pool.transaction(record) as conn:
                pids.append(await conn.fetchval("select pg_backend_pid()"))
        return pids

    renewed = using(cell, work, size=1, tenants_a_connection=2)
    assert renewed[0] == renewed[1] != renewed[2] == renewed[3]
    kept = using(cell, work, size=1, tenants_a_connection=100)
    assert len(set(kept)) == 1


def test_a_tenant_meets_the_connection_that_knows_it(cell: Cell) -> None:
    tenants = [cell.tenant() for _ in range(2)]

    async def work(pool: TenantPool) -> list[int]:
        pids = []
        for turn in (0, 1, 0, 0, 1, 1):
            async with pool.transaction(tenants[turn]) as conn:
                pids.append(await conn.fetchval("select pg_backend_pid()"))
        return pids

    a, b, *rest = using(cell, work)
    assert a != b
    assert rest == [a, a, b, b]


def test_connections_that_died_while_they_waited_are_replaced(cell: Cell) -> None:
    record = cell.tenant()

    async def work(pool: TenantPool) -> None:
        async with pool.transaction(record) as conn:
            pid = await conn.fetchval("select pg_backend_pid()")
        cell.sql("select pg_terminate_backend(%s, 5000)", pid)
        async with pool.transaction(record) as conn:
            assert await conn.fetchval("select pg_backend_pid()") != pid

    using(cell, work)


def test_a_database_that_is_away_is_unavailable_and_not_a_bug(cell: Cell) -> None:
    record = cell.tenant()

    async def work(_: TenantPool) -> None:
        pool = TenantPool(cell.app_url.rpartition("@")[0] + "@127.0.0.1:1/cell", size=1)
        for _attempt in range(3):  # and it gives its place back each time
            with pytest.raises(Unavailable, match="database_unavailable"):
                async with pool.transaction(record):
                    raise AssertionError("there is nothing to connect to")

    using(cell, work)


def test_a_lost_connection_in_the_middle_is_unavailable(cell: Cell) -> None:
    record = cell.tenant()

    async def work(pool: TenantPool) -> None:
        with pytest.raises(Unavailable):  # noqa: PT012 - the end of the block is what raises
            async with pool.transaction(record) as conn:
                pid = await conn.fetchval("select pg_backend_pid()")
                await asyncio.to_thread(cell.sql, "select pg_terminate_backend(%s, 5000)", pid)
                await conn.fetchval("select 1")
        async with pool.transaction(record) as conn:
            assert await conn.fetchval("select 1") == 1

    using(cell, work)
