"""Each process tells each database that it lives, and up to where it has read the directory."""

import signal
import time
from datetime import datetime
from pathlib import Path

from tests.tenancy.beating import follower
from tests.world.cells import Cell
from tests.world.waiting import PATIENCE, eventually, freeze


def beat(cell: Cell, name: str) -> tuple[datetime, int | None] | None:
    rows = cell.sql("select seen_at, version from directory.heartbeat where process = %s", name)
    return rows[0] if rows else None


def told(cell: Cell, name: str) -> int | None:
    row = beat(cell, name)
    return row[1] if row is not None else None


def current(cell: Cell) -> int:
    return cell.database.health().directory_version


def test_a_process_tells_the_version_it_serves_and_keeps_telling(cell: Cell, tmp_path: Path) -> None:
    cell.tenant()
    with follower(cell.write_file(tmp_path / "cell.json")) as (_, name):
        eventually(lambda: told(cell, name) == current(cell))
        cell.tenant()
        eventually(lambda: told(cell, name) == current(cell))
        before = beat(cell, name)
        assert before is not None
        eventually(lambda: (beat(cell, name) or before)[0] > before[0])


def test_two_processes_never_share_a_name(cell: Cell, tmp_path: Path) -> None:
    file = cell.write_file(tmp_path / "cell.json")
    with follower(file) as (_, first), follower(file) as (_, second):
        assert first != second
        eventually(lambda: beat(cell, first) is not None and beat(cell, second) is not None)


def test_a_process_that_cannot_read_on_lives_and_shows_its_older_number(cell: Cell, tmp_path: Path) -> None:
    app = cell.database.names.app
    with follower(cell.write_file(tmp_path / "cell.json")) as (_, name):
        eventually(lambda: told(cell, name) == current(cell))
        older = current(cell)
        cell.sql(f'revoke select on directory.tenant from "{app}"')
        try:
            cell.tenant()
            before = beat(cell, name)
            assert before is not None
            eventually(lambda: (beat(cell, name) or before)[0] > before[0])
            assert told(cell, name) == older < current(cell)
        finally:
            cell.sql(f'grant select on directory.tenant to "{app}"')
        eventually(lambda: told(cell, name) == current(cell))


def stands_still(cell: Cell, name: str) -> bool:
    """Whether there is a beat, and no other for the time of five."""
    before = beat(cell, name)
    time.sleep(1)
    return before is not None and beat(cell, name) == before


def test_the_moment_of_a_frozen_process_stands_still(cell: Cell, tmp_path: Path) -> None:
    with follower(cell.write_file(tmp_path / "cell.json")) as (process, name):
        eventually(lambda: told(cell, name) == current(cell))
        freeze(process.pid)
        # What it had sent already may still arrive; afterwards nothing does.
        eventually(lambda: stands_still(cell, name))
        stopped = beat(cell, name)
        process.send_signal(signal.SIGCONT)
        eventually(lambda: beat(cell, name) != stopped)


def test_a_process_that_ends_takes_its_row_along_and_one_that_is_killed_leaves_it(cell: Cell, tmp_path: Path) -> None:
    file = cell.write_file(tmp_path / "cell.json")
    with follower(file) as (process, ended), follower(file) as (_, killed):
        eventually(lambda: beat(cell, ended) is not None and beat(cell, killed) is not None)
        process.communicate(timeout=PATIENCE)
        eventually(lambda: beat(cell, ended) is None)
    assert beat(cell, killed) is not None


def test_what_was_not_seen_for_a_day_is_forgotten(cell: Cell, tmp_path: Path) -> None:
    cell.sql(
        "insert into directory.heartbeat (process, seen_at) values"
        " ('of yesterday', now() - interval '25 hours'), ('of today', now() - interval '23 hours')"
    )
    with follower(cell.write_file(tmp_path / "cell.json")):
        eventually(lambda: beat(cell, "of yesterday") is None)
    assert beat(cell, "of today") is not None


def test_a_directory_of_the_release_before_is_served_without_a_heartbeat(cell: Cell, tmp_path: Path) -> None:
    cell.sql("alter table directory.heartbeat rename column version to version_to_come")
    try:
        with follower(cell.write_file(tmp_path / "cell.json")) as (process, name):
            time.sleep(0.5)
            assert process.poll() is None
            assert cell.sql("select from directory.heartbeat where process = %s", name) == []
            cell.sql("alter table directory.heartbeat rename column version_to_come to version")
            eventually(lambda: told(cell, name) == current(cell))
    finally:
        if cell.sql("select from pg_attribute where attname = 'version_to_come'"):
            cell.sql("alter table directory.heartbeat rename column version_to_come to version")
