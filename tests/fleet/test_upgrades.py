"""Existing databases come to this release: little by little on the sweep's visits, or at once before it starts."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from control_plane import fleet, placement
from control_plane.audit import SYSTEM
from control_plane.placement import Databases
from kit.db import transaction
from kit.errors import Refusal
from kit.ids import new_id
from kit.vault import Vault
from migrations.tenant import compiled
from tenant_app.contract import CellDatabase, Upgraded

FIRST, NEWEST = compiled().revisions[0].version, compiled().version
SLOTS = 12


@pytest.fixture
def databases(vault: Vault) -> Iterator[Databases]:
    made = Databases(vault)
    yield made
    made.close()


@pytest.fixture
def cell(engine: Engine, vault: Vault, cell_url: str, tmp_path: Path) -> Iterator[CellDatabase]:
    """A cell `local` whose one database holds slots of the first release, four of them taken."""
    with transaction(engine) as session:
        placement.add_cell(session, "local", "fr-par", [], {"kind": "files", "root": str(tmp_path)}, SYSTEM)
        placement.add_database(session, vault, "local", cell_url, 20, SLOTS - 4, SYSTEM)
    older = CellDatabase(cell_url, compiled().up_to(FIRST))
    older.build_slots(SLOTS)
    for _ in range(4):
        older.take_slot(new_id(), 1)
    yield older
    older.close()


def seen(engine: Engine) -> placement.DatabaseView:
    with transaction(engine) as session:
        return placement.cell(session, "local").databases[0]


def visits(engine: Engine, databases: Databases, stay: int = 0) -> fleet.Visit:
    """Visits until no more than so many slots stay behind, told as one: what gave way comes with the next."""
    (made,) = fleet.visit(engine, databases, seconds=60)
    while made.behind > stay:
        (again,) = fleet.visit(engine, databases, seconds=60)
        made = replace(again, upgraded=made.upgraded + again.upgraded, built=made.built + again.built)
    return made


def sql(cell: CellDatabase, statement: str) -> None:
    with psycopg.connect(cell.url) as connection:
        connection.execute(statement.encode())


def test_a_visit_upgrades_what_it_finds_behind(engine: Engine, databases: Databases, cell: CellDatabase) -> None:
    name = cell.names.database
    assert visits(engine, databases) == fleet.Visit(name, spares=8, built=0, upgraded=SLOTS)
    assert fleet.visit(engine, databases, seconds=60) == [fleet.Visit(name, spares=8, built=0)]
    assert (seen(engine).schema_version, seen(engine).trouble) == (NEWEST, None)


def test_a_visit_without_time_tells_how_many_are_behind_and_at_which_version(
    engine: Engine, databases: Databases, cell: CellDatabase
) -> None:
    assert fleet.visit(engine, databases, seconds=-1) == [
        fleet.Visit(cell.names.database, spares=8, built=0, behind=SLOTS)
    ]
    assert seen(engine).schema_version == FIRST


def test_a_slot_that_cannot_be_upgraded_is_trouble_until_it_can(
    engine: Engine, databases: Databases, cell: CellDatabase
) -> None:
    slot = min(cell.inventory().slots)
    sql(cell, f"alter table {slot}.upload rename to elsewhere")
    visit = visits(engine, databases, stay=1)
    assert (visit.trouble, visit.upgraded, visit.behind) == ("upgrade_failed", SLOTS - 1, 1)
    assert (seen(engine).trouble, seen(engine).spares_seen) == ("upgrade_failed", 8)
    sql(cell, f"alter table {slot}.elsewhere rename to upload")
    assert visits(engine, databases).trouble is None
    assert seen(engine).trouble is None


def test_everything_is_upgraded_at_once_with_its_progress_told(
    engine: Engine, databases: Databases, cell: CellDatabase
) -> None:
    told: list[fleet.Upgrade] = []
    (done,) = fleet.upgrade_all(engine, databases, progress=told.append)
    assert (done.version, done.slots, done.behind, done.upgraded, done.done) == (NEWEST, SLOTS, 0, SLOTS, True)
    assert (told[0].behind, told[-1]) == (SLOTS, done)
    (again,) = fleet.upgrade_all(engine, databases, cell="local")
    assert (again.upgraded, again.done) == (0, True)


class StoodStill(CellDatabase):
    """The machine stands still in the first round: its time is over before it has begun."""

    late = True

    def upgrade(self, seconds: float | None = None, limit: int | None = None) -> Upgraded:
        seconds, self.late = -1 if self.late else seconds, False
        return super().upgrade(seconds, limit)


class OneDatabase:
    """Databases of which there is one."""

    def __init__(self, database: CellDatabase) -> None:
        self.database = database

    def get(self, _session: object, _database: object) -> CellDatabase:
        return self.database


def test_a_round_that_stood_still_is_followed_by_another(engine: Engine, cell: CellDatabase) -> None:
    told: list[fleet.Upgrade] = []
    databases = OneDatabase(StoodStill(cell.url))
    (done,) = fleet.upgrade_all(engine, databases, progress=told.append)  # type: ignore[arg-type]
    assert [one.upgraded for one in told[:2]] == [0, 0]
    assert (done.upgraded, done.done) == (SLOTS, True)


def test_slots_in_use_are_waited_for(engine: Engine, databases: Databases, cell: CellDatabase) -> None:
    with psycopg.connect(cell.url) as reader:
        slot = min(cell.inventory().slots)
        reader.execute(f"select from {slot}.upload".encode())
        (impatient,) = fleet.upgrade_all(engine, databases, patience=0)
        assert (impatient.behind, impatient.done, impatient.trouble) == (1, False, None)
    assert fleet.upgrade_all(engine, databases)[0].done


def test_a_database_that_is_away_is_told_and_delays_no_other(
    engine: Engine, databases: Databases, cell: CellDatabase, vault: Vault, postgres: str
) -> None:
    with psycopg.connect(postgres, autocommit=True) as admin:
        name = f"{cell.names.database}_b"
        admin.execute(f'create database "{name}"')
        with transaction(engine) as session:
            url = f"{postgres.rpartition('/')[0]}/{name}"
            placement.add_database(session, vault, "local", url, 4, 0, SYSTEM)
        admin.execute(f'drop database "{name}" with (force)')
    found = {one.database: one for one in fleet.upgrade_all(engine, databases)}
    assert found[cell.names.database].done
    assert (found[name].trouble, found[name].done) == ("cell_unreachable", False)


def test_a_cell_that_is_not_known_is_refused(engine: Engine, databases: Databases) -> None:
    with pytest.raises(Refusal) as refusal:
        fleet.upgrade_all(engine, databases, cell="nowhere")
    assert refusal.value.code == "unknown_cell"


def parvis(control_url: str, vault: Vault, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    key = folder / "master.key"
    key.write_text(base64.b64encode(vault.master).decode())
    key.chmod(0o600)
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PARVIS_DATABASE_URL": control_url,
        "PARVIS_MASTER_KEY_FILE": str(key),
    }
    command = [sys.executable, "-m", "control_plane", "cell", "upgrade", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=180, check=False)


def test_the_command_upgrades_and_tells_how_far_it_came(
    control_url: str, vault: Vault, cell: CellDatabase, tmp_path: Path
) -> None:
    done = parvis(control_url, vault, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    name = cell.names.database
    assert f"{name}: 0 of {SLOTS} slots have schema {NEWEST}" in done.stderr
    assert f"{name}: {SLOTS} of {SLOTS} slots have schema {NEWEST}" in done.stderr
    told = json.loads(parvis(control_url, vault, tmp_path, "local", "--json").stdout)
    assert told["done"] is True
    assert told["items"] == [
        {"database": name, "version": NEWEST, "slots": SLOTS, "upgraded": 0, "behind": 0, "trouble": None, "failed": {}}
    ]
    assert parvis(control_url, vault, tmp_path, "nowhere").returncode == 3


def test_the_command_fails_where_something_stays_behind(
    control_url: str, vault: Vault, cell: CellDatabase, tmp_path: Path
) -> None:
    slot = min(cell.inventory().slots)
    sql(cell, f"alter table {slot}.upload rename to elsewhere")
    done = parvis(control_url, vault, tmp_path, "local")
    assert (done.returncode, slot in done.stdout) == (1, True)
    told = json.loads(parvis(control_url, vault, tmp_path, "local", "--json").stdout)
    assert (told["done"], list(told["items"][0]["failed"])) == (False, [slot])
