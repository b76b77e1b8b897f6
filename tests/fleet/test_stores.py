"""The cells' stores: looked at side by side and never waited for long, taken on only once they have proved fit."""

import socket
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from control_plane import fleet, placement
from control_plane.audit import SYSTEM
from control_plane.placement import CellView
from control_plane.placement.models import Cell
from kit.errors import Refusals, Unavailable
from kit.vault import Vault

if TYPE_CHECKING:
    from tests.world.ceph import RunningCeph


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a gateway that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def ceph_at(endpoint: str, **others: str) -> dict[str, Any]:
    return {"kind": "ceph", "endpoint": endpoint, "admin_key_id": "ADMIN", "admin_secret": "s" * 40, **others}


def placed(session: Session, name: str, store: dict[str, Any]) -> CellView:
    return placement.add_cell(session, name, "fr-par", [], store, SYSTEM)


def refused(session: Session, store: dict[str, Any]) -> dict[str | None, str]:
    """The fields that adding a cell with this store refuses, with their codes; and nothing of it is there."""
    with pytest.raises(Refusals) as caught, session.begin_nested():
        fleet.add_cell(session, "new", "fr-par", [], store, SYSTEM)
    assert session.scalar(select(Cell).where(Cell.name == "new")) is None
    for one in caught.value.refusals:
        assert "s" * 40 not in str(one)
    return {one.field: one.code for one in caught.value.refusals}


def test_a_store_that_hangs_delays_no_other_and_nobody_for_long(session: Session, silent: str, tmp_path: Path) -> None:
    cells = [placed(session, f"hangs-{n}", ceph_at(silent)) for n in range(20)]
    cells.append(placed(session, "well", {"kind": "files", "root": str(tmp_path)}))
    began = monotonic()
    found = {one.cell: one for one in fleet.stores(session, cells, seconds=4)}
    assert monotonic() - began < 60, "one after the other they would take eighty"
    assert [name for name, one in found.items() if one.well] == ["well"]
    assert len(found) == 21
    assert "did not answer in 4 s" in found["hangs-0"].checks[0].detail


def test_who_asks_a_moment_after_a_silence_does_not_wait_again(session: Session, silent: str) -> None:
    cell = placed(session, "hangs", ceph_at(silent))
    store = fleet.store_of(session, cell)
    with pytest.raises(Unavailable, match="did not answer in"):
        fleet.ask_store(cell, store.check, 0.3)
    with pytest.raises(Unavailable, match="a moment ago"):
        fleet.ask_store(cell, store.check, 5)


def test_new_settings_are_asked_at_once(session: Session, silent: str, tmp_path: Path) -> None:
    cell = placed(session, "mended", ceph_at(silent))
    assert fleet.store_of(session, cell) is fleet.store_of(session, cell)
    assert not fleet.stores(session, [cell], seconds=0.2)[0].well
    mended = placement.set_store(session, "mended", ceph_at("http://127.0.0.1:9"), SYSTEM)
    (seen,) = fleet.stores(session, [mended], seconds=60)
    assert "refused" in seen.checks[-1].detail


def test_settings_that_cannot_be_used_are_a_failed_check(session: Session) -> None:
    cell = placed(session, "odd", {"kind": "tape"})
    (seen,) = fleet.stores(session, [cell])
    assert (seen.well, "tape" in seen.checks[0].detail) == (False, True)


def test_what_is_told_of_a_store_has_no_secret(session: Session, vault: Vault) -> None:
    cell = placed(session, "told", ceph_at("http://127.0.0.1:9", public_endpoint="https://files.example"))
    (seen,) = fleet.stores(session, [cell], seconds=60)
    assert (seen.endpoint, seen.public_endpoint, seen.region) == (
        "http://127.0.0.1:9",
        "https://files.example",
        "default",
    )
    assert cell.store["admin_secret_sealed"] not in repr(seen)
    assert "s" * 40 not in repr(seen)


def test_a_gateway_that_does_not_answer_is_refused_by_its_field(session: Session) -> None:
    assert refused(session, ceph_at("http://127.0.0.1:9")) == {"store.endpoint": "store_unreachable"}


def test_a_folder_that_cannot_be_used_is_refused(session: Session, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert refused(session, {"kind": "files", "root": str(tmp_path / "file" / "store")}) == {"store": "store_unfit"}


def test_a_ceph_is_taken_on_with_the_right_key_only(session: Session, ceph: "RunningCeph", vault: Vault) -> None:
    right = ceph_at(ceph.endpoint, admin_key_id=ceph.admin_key_id, admin_secret=ceph.admin_secret)
    assert refused(session, ceph_at(ceph.endpoint)) == {"store.admin_key_id": "store_rights"}
    assert refused(session, {**right, "admin_secret": "s" * 40}) == {"store.admin_key_id": "store_rights"}
    made = fleet.add_cell(session, "new", "fr-par", [], right, SYSTEM)
    assert ceph.admin_secret not in repr(made)
    assert vault.open(made.store["admin_secret_sealed"], placement.admin_purpose("new")) == ceph.admin_secret
    assert fleet.stores(session, [made])[0].well
