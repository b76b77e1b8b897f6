"""A stock of ready slots is kept full in the background, and each cell learns only its own secrets."""

import base64
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from control_plane import fleet, placement
from control_plane.audit import SYSTEM
from control_plane.catalogue import Requirements
from control_plane.placement import Databases
from kit.db import transaction
from kit.ids import new_id
from kit.vault import Vault
from tests.world.servers import create_database, drop_database


@pytest.fixture
def databases(vault: Vault) -> Iterator[Databases]:
    made = Databases(vault)
    yield made
    made.close()


@pytest.fixture
def cell(engine: Engine, vault: Vault, cell_url: str, tmp_path: Path) -> str:
    """A cell `local` with one database for 4 tenants that keeps 3 spares; answers the database's name."""
    with transaction(engine) as session:
        placement.add_cell(session, "local", "fr-par", [], {"kind": "files", "root": str(tmp_path)}, SYSTEM)
        return placement.add_database(session, vault, "local", cell_url, 4, 3, SYSTEM).name


def seen(engine: Engine) -> placement.DatabaseView:
    with transaction(engine) as session:
        return placement.cell(session, "local").databases[0]


def test_a_visit_fills_the_stock_and_the_next_one_finds_nothing_to_do(
    engine: Engine, databases: Databases, cell: str
) -> None:
    assert fleet.visit(engine, databases, seconds=60) == [fleet.Visit(cell, spares=3, built=3)]
    assert fleet.visit(engine, databases, seconds=60) == [fleet.Visit(cell, spares=3, built=0)]
    view = seen(engine)
    assert (view.spares_seen, view.trouble) == (3, None)
    assert view.schema_version
    assert view.seen_at


def test_a_taken_slot_is_replaced(engine: Engine, databases: Databases, cell: str) -> None:
    fleet.visit(engine, databases, seconds=60)
    with transaction(engine) as session:
        contract = databases.get(session, seen(engine).id)
    contract.take_slot(new_id(), fence=1)
    assert fleet.visit(engine, databases, seconds=60)[0].built == 1


def test_a_visit_without_time_builds_nothing_and_still_tells_what_it_saw(
    engine: Engine, databases: Databases, cell: str
) -> None:
    assert fleet.visit(engine, databases, seconds=0) == [fleet.Visit(cell, spares=0, built=0)]
    assert seen(engine).seen_at


def test_a_full_database_keeps_no_idle_stock(engine: Engine, databases: Databases, cell: str) -> None:
    with transaction(engine) as session:
        for _ in range(3):
            placement.place(session, new_id(), Requirements())
    assert fleet.visit(engine, databases, seconds=60)[0].spares == 1


def test_a_database_that_is_away_is_told_and_its_last_figures_stay(
    engine: Engine, databases: Databases, cell: str, cell_url: str, postgres: str
) -> None:
    fleet.visit(engine, databases, seconds=60)
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f'alter database "{cell}" allow_connections false')
        admin.execute("select pg_terminate_backend(pid, 60000) from pg_stat_activity where datname = %s", [cell])
        try:
            visit = fleet.visit(engine, databases, seconds=60)[0]
        finally:
            admin.execute(f'alter database "{cell}" allow_connections true')
    assert visit.trouble == "cell_unreachable"
    assert (seen(engine).trouble, seen(engine).spares_seen) == ("cell_unreachable", 3)
    assert fleet.visit(engine, databases, seconds=60)[0].trouble is None
    assert seen(engine).trouble is None


def test_the_cell_file_is_private_complete_and_opens_only_its_own_cells_seals(
    engine: Engine, vault: Vault, cell: str, tmp_path: Path
) -> None:
    path = tmp_path / "cells" / "local.json"
    with transaction(engine) as session:
        assert fleet.write_cell_file(session, vault, "local", path)
        assert not fleet.write_cell_file(session, vault, "local", path)
    told = json.loads(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (told["cell"], [database["name"] for database in told["databases"]]) == ("local", [cell])
    assert f"{cell}_app" in told["databases"][0]["url"]
    key = base64.b64decode(told["store"]["key"])
    assert key not in {vault.master, vault.derive("seal"), vault.derive("cell:other")}
    with transaction(engine) as session:
        assert key == placement.cell_vault(session, vault, "local").master
    with psycopg.connect(told["databases"][0]["url"]) as app:
        assert app.execute("select current_user").fetchone() == (f"{cell}_app",)


def test_the_cell_file_tells_how_to_reach_the_store_and_nothing_that_administers_it(
    engine: Engine, vault: Vault, tmp_path: Path
) -> None:
    reached = {
        "endpoint": "https://gateway.example",
        "public_endpoint": "https://files.example",
        "region": "fr-par",
        "ca_file": "/etc/parvis/ca.pem",
    }
    administered = {"kind": "ceph", "admin_key_id": "ADMIN", "admin_secret": "s3cret", "tenant_keys": True}
    mirror = {"endpoint": "https://mirror.example", "key_id": "M", "secret": "s4cret"}
    with transaction(engine) as session:
        placement.add_cell(session, "far", "fr-par", [], {**reached, **administered, "mirror": mirror}, SYSTEM)
        fleet.write_cell_file(session, vault, "far", tmp_path / "far.json")
    told = json.loads((tmp_path / "far.json").read_text())["store"]
    assert {name: value for name, value in told.items() if name != "key"} == reached


def test_a_new_database_is_told_to_the_tenant_app_of_this_machine(
    engine: Engine, vault: Vault, cell: str, tmp_path: Path, postgres: str
) -> None:
    path = tmp_path / "local.json"
    with transaction(engine) as session:
        assert not fleet.refresh_cell_file(session, vault, None)
        assert not fleet.refresh_cell_file(session, vault, path)
        fleet.write_cell_file(session, vault, "local", path)
        assert not fleet.refresh_cell_file(session, vault, path)
    second = create_database(postgres, f"{cell}_b")
    try:
        with transaction(engine) as session:
            placement.add_database(session, vault, "local", second, 4, 0, SYSTEM)
            assert fleet.refresh_cell_file(session, vault, path)
    finally:
        drop_database(postgres, f"{cell}_b")
    assert [database["name"] for database in json.loads(path.read_text())["databases"]] == [cell, f"{cell}_b"]
