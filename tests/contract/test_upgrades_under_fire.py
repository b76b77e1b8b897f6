"""Upgrades are killed, frozen and stood in the way of while people work: none half, none stuck, nobody waits long."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest

from kit.errors import Unavailable
from migrations.tenant import compiled
from tenant_app.contract import TenantRecord, connections
from tenant_app.contract.upgrading import LOCK_SECONDS, Upgrading
from tests.contract.schemas import (
    FIRST,
    Shape,
    build,
    first_release,
    halves,
    shapes,
    versions,
    waits,
    whole_round,
)
from tests.contract.traffic import Traffic, traffic
from tests.world.cells import Cell, fresh_database, run
from tests.world.servers import postgres_server
from tests.world.waiting import eventually

NEWEST = compiled().version
# Seconds: longer than any upgrade waits, and than a busy machine stands still; less than a statement of an upgrade may.
STRETCHED = 20
NO_LIMIT = 1e4


@pytest.fixture
def cell(postgres: str) -> Iterator[Cell]:
    with fresh_database(postgres) as url:
        made = Cell(url)
        yield made
        made.close()


def models(cell: Cell) -> dict[str, Shape]:
    """What a slot of each version looks like."""
    first, now = first_release(cell).build_slots(1)[0], cell.database.build_slots(1)[0]
    found = shapes(cell)
    return {FIRST: found[first], NEWEST: found[now]}


def kill_an_upgrader(cell: Cell, chance: random.Random) -> None:
    """Let a process upgrade some slots and be killed."""
    when = [str(chance.randint(1, 30)), str(chance.uniform(0, 0.05))]
    command = [sys.executable, "-m", "tests.contract.upgrader", cell.admin_url, *when]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL


def upgrade_under_fire(cell: Cell, slots: int, tenants: int, kills: int) -> Traffic:
    """So many kills, then one upgrade to the end, all under traffic; what people met meanwhile."""
    shape = models(cell)
    build(first_release(cell), slots - 2)
    records = [cell.tenant() for _ in range(tenants)]
    chance = random.Random(20261201)

    def torment() -> None:
        for _ in range(kills):
            kill_an_upgrader(cell, chance)
            assert halves(cell, shape) == {}
        behind = list(versions(cell).values()).count(FIRST)
        started = time.monotonic()
        done = whole_round(cell.database)
        print(f"{behind} upgraded at {behind / (time.monotonic() - started):.0f} slots/s under traffic")
        assert (done.failed, done.behind) == ({}, 0)

    async def work() -> Traffic:
        async with traffic(cell, records) as people:
            await asyncio.to_thread(torment)
        return people

    met = run(work())
    assert halves(cell, shape) == {}
    assert set(versions(cell).values()) == {NEWEST}
    assert all(cell.database.inspect(record.organisation_id).drift == () for record in records[:20])
    return met


@pytest.mark.timeout(300)
def test_three_hundred_slots_are_upgraded_under_kill_9_and_nobody_who_works_there_notices(cell: Cell) -> None:
    met = upgrade_under_fire(cell, slots=300, tenants=280, kills=6)
    print(f"{met.done} rounds of work")
    assert met.errors == []
    assert met.done > 50


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_two_thousand_slots_are_upgraded_under_kill_9(cell: Cell) -> None:
    met = upgrade_under_fire(cell, slots=2000, tenants=1950, kills=40)
    print(f"{met.done} rounds of work")
    assert met.errors == []


def test_without_a_transaction_of_its_own_a_kill_leaves_a_slot_half_made_and_stuck(cell: Cell) -> None:
    """The control: the same statements one by one, the version after them, and a kill between."""
    shape = models(cell)
    slot = next(slot for slot, version in versions(cell).items() if version == FIRST)
    with psycopg.connect(cell.admin_url, autocommit=True) as connection:
        connection.execute(f"set search_path = {slot}".encode())
        connection.execute(compiled().revisions[1].statements[0].encode())
    assert halves(cell, shape) == {slot: FIRST}
    assert list(whole_round(cell.database).failed) == [slot]


def test_a_server_that_is_killed_in_the_midst_comes_back_with_every_slot_whole(world_folder: Path) -> None:
    folder = world_folder / "killed-under-fire"
    folder.mkdir()
    with postgres_server(folder, fsync="on") as server, fresh_database(server.url) as url:
        cell = Cell(url)
        shape = models(cell)
        build(first_release(cell), 60)
        # Somebody reads in one of them, so that no upgrade comes to its end before the kill.
        upgrading = Upgrading(cell.admin_url, cell.database.names, compiled(), lock_seconds=NO_LIMIT)
        with ThreadPoolExecutor(1) as threads, closing(psycopg.connect(cell.admin_url)) as reader:
            reader.execute(f"select count(*) from {max(versions(cell))}.version".encode())
            upgrade = threads.submit(upgrading.round, None, None)
            eventually(lambda: list(versions(cell).values()).count(NEWEST) > 1)
            server.process.kill()
            with pytest.raises(Unavailable, match="cell_unreachable"):
                upgrade.result()
        server.restart()
        assert halves(cell, shape) == {}
        left = list(versions(cell).values()).count(FIRST)
        assert left > 0
        assert whole_round(cell.database).upgraded == left
        assert halves(cell, shape) == {}
        cell.close()


@contextmanager
def held(cell: Cell, table: str) -> Iterator[Callable[[], None]]:
    """Somebody reads a table, and keeps his transaction open until the block ends or he is told to let go."""
    with psycopg.connect(cell.admin_url) as connection:
        connection.execute(f"select count(*) from {table}".encode())
        yield connection.rollback


def came_to_wait(cell: Cell, upgrade: "Future[Any]") -> bool:
    """Whether the upgrade has come to where it waits for a lock; it may have given that up already."""
    return upgrade.done() or waits(cell)


def read(cell: Cell, table: str, seconds: int) -> None:
    """As somebody who waits so many seconds for a lock and then gives up."""
    with psycopg.connect(cell.admin_url, options=f"-c lock_timeout={seconds}s") as connection:
        connection.execute(f"select count(*) from {table}".encode())


def read_after(cell: Cell, record: TenantRecord, lock_seconds: float | None, seconds: int) -> None:
    """Read, with so much patience, after an upgrade that waits for another reader."""
    with ThreadPoolExecutor(3) as threads, held(cell, f"{record.slot}.version") as let_go:
        upgrading = Upgrading(cell.admin_url, cell.database.names, compiled(), lock_seconds or NO_LIMIT)
        upgrade = threads.submit(upgrading.round, None, None)
        eventually(lambda: came_to_wait(cell, upgrade))
        # `upload` is altered before `version`: its lock is held while the other is waited for.
        readers = threads.map(lambda name: read(cell, f"{record.slot}.{name}", seconds), ["upload", "version"])
        try:
            list(readers)
        finally:
            if lock_seconds is None:
                let_go()
            locked = upgrade.result().locked
        assert locked == (1 if lock_seconds else 0)


def test_who_works_waits_two_seconds_at_most_for_an_upgrade_that_waits_for_another(cell: Cell) -> None:
    build(first_release(cell), 1)
    record = cell.tenant()
    # The limit itself is compared by its number: on a machine that stands still everything lasts longer.
    assert LOCK_SECONDS < 2
    read_after(cell, record, lock_seconds=LOCK_SECONDS, seconds=STRETCHED)
    assert versions(cell) == {record.slot: FIRST}
    assert whole_round(cell.database).upgraded == 1


def test_without_a_limit_he_waits_as_long_as_the_other_reads(cell: Cell) -> None:
    """The control of the test above."""
    build(first_release(cell), 1)
    with pytest.raises(psycopg.errors.LockNotAvailable):
        read_after(cell, cell.tenant(), lock_seconds=None, seconds=2)


def work_crosswise(cell: Cell, lock_seconds: float, after: float = 0, options: str = "") -> int:
    """Somebody has read `version` and after a while reads `upload`; an upgrade holds that and wants the other."""
    record = cell.tenant()
    upgrading = Upgrading(cell.admin_url, cell.database.names, compiled(), lock_seconds)
    with psycopg.connect(cell.admin_url, options=options) as reader, ThreadPoolExecutor(1) as threads:
        reader.execute(f"select count(*) from {record.slot}.version".encode())
        upgrade = threads.submit(upgrading.round, None, None)
        eventually(lambda: came_to_wait(cell, upgrade))
        time.sleep(after)
        reader.execute(f"select count(*) from {record.slot}.upload".encode())
        return upgrade.result().locked


def test_where_an_upgrade_and_a_person_wait_for_each_other_the_upgrade_gives_way(cell: Cell) -> None:
    build(first_release(cell), 1)
    # It gives way before PostgreSQL looks for a victim, by the numbers; and here PostgreSQL takes its time to look.
    ((looks_after,),) = cell.sql("select setting::int from pg_settings where name = 'deadlock_timeout'")
    assert looks_after > LOCK_SECONDS * 1000
    assert work_crosswise(cell, LOCK_SECONDS, options=f"-c deadlock_timeout={STRETCHED}s") == 1
    assert whole_round(cell.database).upgraded == 1


def test_an_upgrade_with_more_patience_than_postgresql_ends_the_person_s_work(cell: Cell) -> None:
    """The control of the test above."""
    build(first_release(cell), 1)
    with pytest.raises(psycopg.errors.DeadlockDetected):
        # After the upgrade has looked for a deadlock, which it does once: then it is the person who finds it.
        work_crosswise(cell, 60, after=2)


def test_an_upgrader_that_freezes_gives_the_slot_back_within_two_seconds(cell: Cell) -> None:
    build(first_release(cell), 1)
    record = cell.tenant()
    upgrading = Upgrading(cell.admin_url, cell.database.names, compiled())

    def upgrade_and_freeze() -> None:
        with connections.transaction(cell.admin_url) as connection:
            assert upgrading.one(connection, record.slot)
            assert connection.execute("show idle_in_transaction_session_timeout").fetchone() == ("1s",)
            # Frozen here: everything is done but the commit.
            read(cell, f"{record.slot}.upload", STRETCHED)

    with pytest.raises(Unavailable, match="cell_busy"):
        upgrade_and_freeze()
    assert versions(cell) == {record.slot: FIRST}
    assert whole_round(cell.database).upgraded == 1


def test_prepared_statements_that_name_their_columns_survive_an_upgrade_in_the_midst(cell: Cell) -> None:
    async def work() -> None:
        connection = await asyncpg.connect(cell.app_url, statement_cache_size=400)
        build(first_release(cell), 1)
        slot = (await asyncio.to_thread(cell.tenant)).slot

        async def ask(statement: str) -> None:
            async with connection.transaction():
                await connection.execute(f"set local role {slot}; set local search_path = {slot}, pg_temp")
                for _ in range(3):
                    await connection.fetch(statement)

        named, starred = "select id, name, multipart from upload", "select * from upload"
        await ask(named)
        await ask(starred)
        assert (await asyncio.to_thread(whole_round, cell.database)).upgraded == 1
        await ask(named)
        # The control: what leaves the columns to the table fails once.
        with pytest.raises(asyncpg.InvalidCachedStatementError):
            await ask(starred)
        await connection.close()

    run(work())
