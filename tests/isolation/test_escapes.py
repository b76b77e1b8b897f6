"""Every way out of a slot is refused, and each is seen to work where the wall is missing."""

from collections.abc import Iterator

import asyncpg
import msgspec
import psycopg
import pytest

from kit.errors import Refusal, Unavailable
from tenant_app.contract import TenantRecord
from tenant_app.tenancy import TenantPool, as_tenant
from tenant_app.tenancy.connecting import connect
from tests.isolation.escapes import ESCAPES, Escape
from tests.world.cells import Cell, prepared_cell, run, soften

REFUSED = (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError)


@pytest.fixture(scope="module")
def tenants(cell: Cell) -> tuple[TenantRecord, TenantRecord]:
    return cell.tenant("mine"), cell.tenant("theirs")


@pytest.fixture(scope="module")
def soft(postgres: str) -> Iterator[Cell]:
    """The same database without its hardening, as PostgreSQL comes."""
    with prepared_cell(postgres) as made:
        made.tenant("mine")
        made.tenant("theirs")
        soften(made)
        yield made


def filled(escape: Escape, cell: Cell) -> str:
    mine, theirs = (
        cell.sql("select slot from directory.tenant where address = %s", address)[0][0]
        for address in ("mine", "theirs")
    )
    places = {
        "own": mine,
        "other": theirs,
        "database": cell.name,
        "builder": cell.database.names.builder,
        "admin": cell.sql("select quote_ident(current_user)")[0][0],
    }
    return escape.statement.format(**places)


@pytest.mark.parametrize("escape", ESCAPES, ids=lambda escape: escape.name)
def test_a_way_out_is_refused(cell: Cell, tenants: tuple[TenantRecord, TenantRecord], escape: Escape) -> None:
    async def attempt() -> None:
        pool = TenantPool(cell.app_url, size=1)
        entered = pool.shared() if escape.as_login else pool.transaction(tenants[0])
        try:
            async with entered as connection:
                # The extended protocol, as all of the product's statements.
                await connection.fetch(filled(escape, cell))
        finally:
            await pool.close()

    with pytest.raises(REFUSED):
        run(attempt())


@pytest.mark.parametrize("escape", ESCAPES, ids=lambda escape: escape.name)
def test_the_same_way_is_open_where_the_wall_is_missing(soft: Cell, escape: Escape) -> None:
    """The control: the statement is good, and it is the missing right that stops it above."""
    slot = soft.sql("select slot from directory.tenant where address = 'mine'")[0][0]
    with psycopg.connect(soft.admin_url if escape.control == "admin" else soft.app_url) as connection:
        if escape.control != "admin":
            connection.execute(f"set local role {slot}; set local search_path = {slot}, pg_temp".encode())
        try:
            connection.execute(filled(escape, soft).encode())
        except psycopg.errors.FeatureNotSupported:
            # A server built without XML still tells that everybody may call the function.
            assert "xml" in escape.statement
        connection.rollback()


def test_a_neighbours_row_is_stolen_in_one_query_where_the_wall_is_missing(soft: Cell) -> None:
    """What it is all about: one injected expression, and the other tenant's data comes back."""
    escape = next(escape for escape in ESCAPES if escape.name.startswith("role switched, then SQL"))
    slot = soft.sql("select slot from directory.tenant where address = 'mine'")[0][0]
    with psycopg.connect(soft.app_url) as connection:
        connection.execute(f"set local role {slot}".encode())
        words = {row[0] for row in connection.execute(filled(escape, soft).encode())}
    assert "theirs" in words


def test_a_second_statement_never_rides_along(cell: Cell, tenants: tuple[TenantRecord, TenantRecord]) -> None:
    mine, theirs = tenants
    rider = f"select 1; set local role {theirs.slot}; select name from {theirs.slot}.principal"

    async def attempt() -> None:
        pool = TenantPool(cell.app_url, size=1)
        async with pool.transaction(mine) as connection:
            assert await connection.fetchval("select $1::text", rider) == rider
        with pytest.raises(asyncpg.PostgresSyntaxError, match="multiple commands"):
            async with pool.transaction(mine) as connection:
                await connection.fetch(rider)
        # The control: over the simple protocol a whole message of statements runs, and that is why values are bound.
        async with pool.transaction(mine) as connection:
            await connection.execute(rider)
            assert await connection.fetchval("select current_user") == theirs.slot
        async with pool.transaction(mine) as connection:
            assert await connection.fetchval("select current_user") == mine.slot
        await pool.close()

    run(attempt())


def test_the_app_of_one_database_cannot_enter_another(cell: Cell, postgres: str) -> None:
    with prepared_cell(postgres) as neighbour:
        trespass = cell.app_url.rpartition("/")[0] + f"/{neighbour.name}"
        with pytest.raises(psycopg.OperationalError, match="CONNECT"):
            psycopg.connect(trespass)
        soften(neighbour)
        psycopg.connect(trespass).close()  # the control


def test_the_app_cannot_pose_as_another_session(cell: Cell) -> None:
    with psycopg.connect(cell.app_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("set session authorization pg_monitor")


def test_what_others_are_doing_stays_hidden(cell: Cell, tenants: tuple[TenantRecord, TenantRecord]) -> None:
    mine, theirs = tenants

    async def look() -> tuple[list[str], list[str]]:
        busy, curious = await connect(cell.app_url), TenantPool(cell.app_url, size=1)
        await busy.execute(f"BEGIN; {as_tenant(theirs)}")
        await busy.execute("select 'canary in a query'")
        seen = "select query from pg_stat_activity where pid <> pg_backend_pid()"
        async with curious.transaction(mine) as connection:
            by_slot = [row[0] or "" for row in await connection.fetch(seen)]
        async with curious.shared() as connection:
            by_login = [row[0] or "" for row in await connection.fetch(seen)]
        await busy.close()
        await curious.close()
        return by_slot, by_login

    by_slot, by_login = run(look())
    assert not any("canary" in query for query in by_slot)
    assert any("canary" in query for query in by_login)  # the control: it was there to be seen


def test_a_long_query_ends_even_if_its_session_lifted_the_limit(
    cell: Cell, tenants: tuple[TenantRecord, TenantRecord]
) -> None:
    endless = "select count(*) from generate_series(1, 100000000) a, generate_series(1, 1000) b"

    async def attempt() -> None:
        pool = TenantPool(cell.app_url, size=1)
        with pytest.raises(Unavailable):  # noqa: PT012 - the end of the block is what raises
            async with pool.transaction(tenants[0], seconds=0.5) as connection:
                await connection.execute("SET statement_timeout = 0; SET LOCAL statement_timeout = 0")
                await connection.fetch(endless)
        async with pool.transaction(tenants[0]) as connection:
            assert await connection.fetchval("show statement_timeout") == "10s"
        await pool.close()

    run(attempt())
    # It ends on the server too: nobody listens any more.
    running = "select count(*) from pg_stat_activity where state = 'active' and query = %s"
    for _ in range(600):
        if not cell.sql(running, endless)[0][0]:
            break
        cell.sql("select pg_sleep(0.1)")
    assert cell.sql(running, endless)[0][0] == 0


def test_a_forgotten_context_fails_closed(cell: Cell, tenants: tuple[TenantRecord, TenantRecord]) -> None:
    mine, theirs = tenants

    async def attempt(statement: str, record: TenantRecord | None) -> object:
        pool = TenantPool(cell.app_url, size=1)
        try:
            async with pool.transaction(record) if record else pool.shared() as connection:
                return await connection.fetchval(statement)
        finally:
            await pool.close()

    with pytest.raises(asyncpg.UndefinedTableError):
        run(attempt("select name from principal", None))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        run(attempt(f"select name from {mine.slot}.principal", None))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        run(attempt(f"select name from {theirs.slot}.principal", mine))
    assert run(attempt("select name from principal", mine)) == "Owner of mine"  # the control


@pytest.mark.parametrize(
    "slot", ["slot_1", "slot_0000001", 'slot_000001"', "slot_000001; drop", "", "public", "SLOT_000001"]
)
def test_a_name_that_is_no_slot_never_enters_sql(cell: Cell, slot: str) -> None:
    record = msgspec.structs.replace(cell.tenant(), slot=slot)

    async def attempt() -> None:
        async with TenantPool(cell.app_url, size=1).transaction(record):
            pass

    with pytest.raises(ValueError, match="not a slot"):
        run(attempt())


def test_a_closed_workspace_gives_no_session(cell: Cell) -> None:
    for state in ("suspended", "closing"):
        record = cell.tenant(state=state)

        async def attempt(closed: TenantRecord = record) -> None:
            async with TenantPool(cell.app_url, size=1).transaction(closed, read_only=True):
                pass

        with pytest.raises(Refusal):
            run(attempt())
