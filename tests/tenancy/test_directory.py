"""Hosts are looked up in memory, which follows the database within a second and outlives its absence."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from kit.errors import Refusal, Unavailable
from tenant_app.contract import mint, new_key
from tenant_app.tenancy import Directory, use_ticket
from tests.world.cells import Cell, prepared_cell, run

# The promise is one second. Tests wait longer, for a busy machine is no failure of the product.
PATIENCE = 90.0


@asynccontextmanager
async def following(cell_file: Path, **options) -> AsyncIterator[Directory]:
    directory = Directory(cell_file, **options)
    await directory.start()
    try:
        yield directory
    finally:
        await directory.close()


async def eventually(condition: Callable[[], bool]) -> float:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < PATIENCE, "it did not come to be"
        await asyncio.sleep(0.01)
    return time.monotonic() - started


def test_a_host_leads_to_its_record_and_to_nothing_else(cell: Cell, tmp_path: Path) -> None:
    record = cell.tenant(hosts=("acme.parvis.localhost", "drive.acme.example"))

    async def look() -> None:
        async with following(cell.write_file(tmp_path / "cell.json")) as directory:
            for host in ("acme.parvis.localhost", "ACME.parvis.localhost:8080", "drive.acme.example"):
                assert directory.find(host) == record
            for host in (
                "parvis.localhost",
                "x.acme.parvis.localhost",
                "acme.parvis.localhost.",
                "",
                ":80",
                "[::1]:80",
            ):
                assert directory.find(host) is None
            assert directory.record(record.organisation_id) == record
            assert record in list(directory.records())
            assert directory.cell.store == {"kind": "files"}
            await directory.check()

    run(look())


@pytest.mark.parametrize("heard", [True, False], ids=["by notification", "by asking each second"])
def test_what_is_published_changed_and_withdrawn_is_live_within_a_moment(
    cell: Cell, tmp_path: Path, heard: bool
) -> None:
    async def look() -> None:
        # A poll of an hour leaves only the notification; without the trigger's NOTIFY only the poll is left.
        poll = 3600 if heard else 0.05
        async with following(cell.write_file(tmp_path / "cell.json"), poll_seconds=poll) as directory:
            record = await asyncio.to_thread(cell.tenant)
            await eventually(lambda: directory.find(record.hosts[0]) == record)
            changed = msgspec.structs.replace(record, state="suspended", hosts=("moved.example.org",))
            await asyncio.to_thread(cell.database.publish, changed)
            await eventually(lambda: directory.find("moved.example.org") == changed)
            assert directory.find(record.hosts[0]) is None
            await asyncio.to_thread(cell.database.unpublish, record.organisation_id, 2)
            await eventually(lambda: directory.find("moved.example.org") is None)
            assert directory.record(record.organisation_id) is None

    if not heard:
        cell.sql("alter table directory.tenant disable trigger note; alter table directory.host disable trigger note")
        cell.sql(QUIET)
    try:
        run(look())
    finally:
        cell.sql(
            "drop trigger if exists quiet on directory.tenant; drop trigger if exists quiet on directory.host;"
            "alter table directory.tenant enable trigger note; alter table directory.host enable trigger note"
        )


# The same bookkeeping as `note`, without its NOTIFY.
QUIET = """
create or replace function directory.quiet() returns trigger language plpgsql set search_path = directory as $$
declare n bigint;
begin
    update version set number = number + 1 returning number into n;
    insert into change (organisation_id, number) values (coalesce(new.organisation_id, old.organisation_id), n)
    on conflict (organisation_id) do update set number = excluded.number;
    return null;
end $$;
create trigger quiet after insert or update or delete on directory.tenant
    for each row execute function directory.quiet();
create trigger quiet after insert or update or delete on directory.host
    for each row execute function directory.quiet();
"""


def test_a_route_dropped_by_hand_is_gone_at_once_and_back_when_mended(cell: Cell, tmp_path: Path) -> None:
    async def look() -> None:
        record = cell.tenant()
        async with following(cell.write_file(tmp_path / "cell.json")) as directory:
            assert directory.find(record.hosts[0]) is not None
            cell.sql("delete from directory.host where host = %s", record.hosts[0])
            await eventually(lambda: directory.find(record.hosts[0]) is None)
            cell.database.publish(record)
            await eventually(lambda: directory.find(record.hosts[0]) == record)

    run(look())


def test_it_serves_from_memory_while_the_database_cuts_it_off_and_catches_up(cell: Cell, tmp_path: Path) -> None:
    async def look() -> None:
        record = cell.tenant()
        async with following(cell.write_file(tmp_path / "cell.json"), poll_seconds=0.2) as directory:
            cell.sql(f'alter role "{cell.database.names.app}" nologin')
            try:
                cell.sql(
                    "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = %s",
                    cell.database.names.app,
                )
                await asyncio.sleep(0.5)
                assert directory.find(record.hosts[0]) == record
                with pytest.raises(Unavailable):
                    async with directory.pool(record).transaction(record):
                        raise AssertionError("nobody can sign in now")
            finally:
                cell.sql(f'alter role "{cell.database.names.app}" login')
            later = await asyncio.to_thread(cell.tenant)
            await eventually(lambda: directory.find(later.hosts[0]) == later)
            async with directory.pool(record).transaction(record) as connection:
                assert await connection.fetchval("select count(*) from principal") == 1

    run(look())


def test_a_database_that_joins_or_leaves_the_file_is_followed(cell: Cell, postgres: str, tmp_path: Path) -> None:
    async def look(second: Cell) -> None:
        here, there = cell.tenant(), second.tenant()
        path = cell.write_file(tmp_path / "cell.json")
        only_first = path.read_bytes()
        both = msgspec.json.decode(only_first)
        both["databases"].append({"name": second.name, "url": second.app_url})
        async with following(path, poll_seconds=0.05) as directory:
            assert directory.find(there.hosts[0]) is None
            replace(path, msgspec.json.encode(both))
            await eventually(lambda: directory.find(there.hosts[0]) == there)
            async with directory.pool(there).transaction(there) as connection:
                assert await connection.fetchval("select name from principal") == f"Owner of {there.address}"
            replace(path, b"{ not a cell file")
            await asyncio.sleep(0.2)
            assert directory.find(there.hosts[0]) == there
            replace(path, only_first)
            await eventually(lambda: directory.find(there.hosts[0]) is None)
            assert directory.find(here.hosts[0]) == here
            with pytest.raises(Unavailable, match="database_unknown"):
                directory.pool(there)

    with prepared_cell(postgres) as second:
        run(look(second))


def replace(path: Path, content: bytes) -> None:
    passing = path.with_name("passing")
    passing.write_bytes(content)
    passing.replace(path)


def test_a_file_that_is_none_stops_the_start_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "cell.json"
    path.write_text('{"cell": 1}')
    with pytest.raises(ValueError, match=r"cell\.json: not a cell file: .*\$\.cell"):
        run(Directory(path).start())


def test_while_an_organisation_moves_the_newest_record_wins(cell: Cell, postgres: str, tmp_path: Path) -> None:
    async def look(second: Cell) -> None:
        old = cell.tenant(generation=1)
        new = second.tenant(organisation_id=old.organisation_id, hosts=old.hosts, generation=2)
        path = cell.write_file(tmp_path / "cell.json")
        both = msgspec.json.decode(path.read_bytes())
        both["databases"].append({"name": second.name, "url": second.app_url})
        path.write_bytes(msgspec.json.encode(both))
        async with following(path) as directory:
            assert directory.find(old.hosts[0]) == new
            assert directory.record(old.organisation_id) == new

    with prepared_cell(postgres) as second:
        run(look(second))


def test_not_ready_until_each_database_was_read_once(cell: Cell, tmp_path: Path) -> None:
    async def look() -> None:
        path = cell.write_file(tmp_path / "cell.json")
        directory = Directory(path)
        with pytest.raises(Unavailable, match="directory_not_loaded"):
            await directory.check()
        await directory.start()
        await directory.check()
        await directory.close()

    run(look())


def test_a_ticket_by_a_key_that_was_published_a_moment_ago_lets_in(cell: Cell, tmp_path: Path) -> None:
    async def look() -> None:
        record, key, stranger = cell.tenant(), new_key(), new_key()
        async with following(cell.write_file(tmp_path / "cell.json")) as directory:
            cell.database.ensure_signing_key(key.kid, key.public)
            await eventually(lambda: key.kid in directory.keys(record))
            # As before it looked: since nothing changes any more, it does not look again.
            directory._sources[record.database].keys = {}
            host, of = record.hosts[0], record.organisation_id
            with pytest.raises(Refusal, match="does not work here"):
                await use_ticket(directory, record, host, mint(stranger.private, host, of, of, "first_sign_in"))
            ticket = await use_ticket(directory, record, host, mint(key.private, host, of, of, "first_sign_in"))
            assert ticket.principal_id == of
            assert directory.keys(record) == {}, "the control: memory alone would have refused it"

    run(look())


def test_a_ticket_lets_in_once_however_often_it_is_shown(cell: Cell, tmp_path: Path) -> None:
    async def look() -> None:
        record, key = cell.tenant(), new_key()
        async with following(cell.write_file(tmp_path / "cell.json")) as directory:
            cell.database.ensure_signing_key(key.kid, key.public)
            await eventually(lambda: key.kid in directory.keys(record))
            host, person = record.hosts[0], record.organisation_id
            token = mint(key.private, host, record.organisation_id, person, "first_sign_in")
            shown = await asyncio.gather(
                *(use_ticket(directory, record, host, token) for _ in range(10)), return_exceptions=True
            )
            let_in = [answer for answer in shown if not isinstance(answer, BaseException)]
            assert [ticket.principal_id for ticket in let_in] == [person]
            assert {answer.code for answer in shown if isinstance(answer, Refusal)} == {"ticket_used"}
            cell.database.retire_signing_key(key.kid)
            await eventually(lambda: key.kid not in directory.keys(record))
            other = mint(key.private, host, record.organisation_id, person, "first_sign_in")
            with pytest.raises(Refusal, match="does not work here"):
                await use_ticket(directory, record, host, other)

    run(look())
