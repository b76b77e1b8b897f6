"""Login tickets through a rotation of the master key: both keys count for a day, then the old one is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from control_plane import placement, signup
from control_plane.audit import SYSTEM
from control_plane.placement import Databases
from kit.db import transaction
from kit.vault import Vault
from tenant_app.contract import CellDatabase

OLD, NEW = Vault(bytes(range(32))), Vault(b"n" * 32)
BOTH = Vault(NEW.master, (OLD.master,))


@pytest.fixture
def cell(engine: Engine, cell_url: str, tmp_path: Path) -> Iterator[CellDatabase]:
    with transaction(engine) as session:
        placement.add_cell(session, "local", "fr-par", [], {"kind": "files", "root": str(tmp_path)}, SYSTEM)
        placement.add_database(session, OLD, "local", cell_url, 10, 0, SYSTEM)
    made = CellDatabase(cell_url)
    yield made
    made.close()


def announce(cell: CellDatabase, vault: Vault) -> str:
    key = signup.ticket_key(vault)
    cell.ensure_signing_key(key.kid, key.public)
    return key.kid


def a_day_passes(cell_url: str) -> None:
    import psycopg

    with psycopg.connect(cell_url) as connection:
        connection.execute("update directory.signing_key set created_at = created_at - interval '25 hours'")


def retire(engine: Engine, vault: Vault) -> int:
    databases = Databases(OLD)
    try:
        return signup.retire_ticket_keys(engine, databases, vault)
    finally:
        databases.close()


def test_a_key_of_tickets_ends_a_day_after_its_master_key_and_not_before(
    engine: Engine, cell: CellDatabase, cell_url: str
) -> None:
    old, new = announce(cell, OLD), announce(cell, BOTH)
    assert old != new
    assert signup.ticket_key(BOTH).kid == signup.ticket_key(NEW).kid
    # The old master key is still given: its tickets count, however old it is.
    a_day_passes(cell_url)
    assert retire(engine, BOTH) == 0
    assert retire(engine, NEW) == 1
    assert set(cell.signing_keys()) == {new}


def test_a_key_that_another_process_announced_just_now_stays(engine: Engine, cell: CellDatabase) -> None:
    """This process still has the old keys only."""
    new = announce(cell, BOTH)
    assert retire(engine, OLD) == 0
    assert set(cell.signing_keys()) == {new}
