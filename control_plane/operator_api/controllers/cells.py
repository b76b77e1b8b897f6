"""Cells and their databases."""

from pathlib import Path
from typing import Any

import msgspec
from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlalchemy.orm import Session

from control_plane import fleet, placement, provisioning
from control_plane.audit import Actor
from control_plane.identity import Scope
from control_plane.operator_api.bodies import Body, Mirror, NewCell, NewDatabase, StoreChange
from control_plane.operator_api.cell_schemas import CellList, CellView, CheckView, Verification
from control_plane.operator_api.guards import requires
from control_plane.operator_api.idempotency import Once
from control_plane.operator_api.presenting_cells import cell_view
from kit.db import vault_of
from kit.errors import Refusal, not_found
from kit.settings import ControlPlaneSettings


class CellController(Controller):
    """A cell is a PostgreSQL cluster, its tenant-app processes and an object store in one region."""

    path = "/cells"
    tags = ["Cells"]

    @get("/", guards=[requires(Scope.CELLS_READ)], sync_to_thread=True)
    def list_cells(self, session: NamedDependency[Session]) -> CellList:
        """List the cells with their room and spares."""
        return CellList(items=[cell_view(one) for one in placement.cells(session)])

    @get("/{name:str}", guards=[requires(Scope.CELLS_READ)], sync_to_thread=True)
    def show_cell(self, session: NamedDependency[Session], name: FromPath[str]) -> CellView:
        """Show a cell with its databases."""
        return cell_view(_cell(session, name))

    @post("/", guards=[requires(Scope.CELLS_WRITE)], sync_to_thread=True)
    def add_cell(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        once: NamedDependency[Once],
        data: JSONBody[NewCell],
    ) -> Response[CellView]:
        """Add a cell, once its store has proved fit: it answers, and its key has its rights. Then add a database."""
        return once.answer(lambda: _added(session, data, actor))

    @post("/{name:str}/databases", guards=[requires(Scope.CELLS_WRITE)], sync_to_thread=True)
    def add_database(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        once: NamedDependency[Once],
        settings: NamedDependency[ControlPlaneSettings],
        name: FromPath[str],
        data: JSONBody[NewDatabase],
    ) -> Response[CellView]:
        """Prepare a PostgreSQL database from its address alone, and add it to the cell."""
        return once.answer(lambda: _database(session, name, data, actor, settings.cell_file))

    @patch("/{name:str}/store", guards=[requires(Scope.CELLS_WRITE)], sync_to_thread=True)
    def change_store_of_cell(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        name: FromPath[str],
        data: JSONBody[StoreChange],
    ) -> CellView:
        """Give the cell's Ceph another address or administrator's key, once it has proved to be the same and fit."""
        _cell(session, name)
        return cell_view(provisioning.change_store(session, name, msgspec.to_builtins(data), actor))

    @post("/{name:str}/store/key-rotation", guards=[requires(Scope.CELLS_WRITE)], status_code=200, sync_to_thread=True)
    def rotate_key_of_store(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        once: NamedDependency[Once],
        name: FromPath[str],
    ) -> Response[CellView]:
        """Draw a new administrator's key at the cell's Ceph; the one before goes ten minutes later."""
        _cell(session, name)
        return once.answer(lambda: Response(cell_view(provisioning.rotate_admin_key(session, name, actor))))

    @put("/{name:str}/mirror", guards=[requires(Scope.CELLS_WRITE)], sync_to_thread=True)
    def mirror_cell(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        name: FromPath[str],
        data: JSONBody[Mirror],
    ) -> CellView:
        """Copy everything of the cell's store to a second one from now on, once that one has proved fit."""
        _cell(session, name)
        return cell_view(fleet.set_mirror(session, name, _given(data), actor))

    @delete("/{name:str}/mirror", guards=[requires(Scope.CELLS_WRITE)], status_code=200, sync_to_thread=True)
    def end_mirror_of_cell(
        self, session: NamedDependency[Session], actor: NamedDependency[Actor], name: FromPath[str]
    ) -> CellView:
        """Copy nothing more to the second store. What lies there stays."""
        _cell(session, name)
        return cell_view(fleet.set_mirror(session, name, None, actor))

    @post("/{name:str}/verification", guards=[requires(Scope.CELLS_READ)], status_code=200, sync_to_thread=True)
    def verify_cell(self, session: NamedDependency[Session], name: FromPath[str]) -> Verification:
        """Prove that the cell's databases are prepared and closed as they must be. Changes nothing."""
        found = placement.verify(session, vault_of(session), _cell(session, name).name)
        checks = [CheckView(database=one.database, name=one.name, ok=one.ok, detail=one.detail) for one in found]
        return Verification(ok=bool(checks) and all(one.ok for one in checks), checks=checks)


def _cell(session: Session, name: str) -> placement.CellView:
    try:
        return placement.cell(session, name)
    except Refusal as refusal:
        # A name in the address is a place, not an input.
        raise not_found("cell") from refusal


def _given(body: Body) -> dict[str, Any]:
    """Settings as they are stored: what is left out is not there."""
    plain: dict[str, Any] = msgspec.to_builtins(body)
    return {name: value for name, value in plain.items() if value is not None}


def _added(session: Session, data: NewCell, actor: Actor) -> Response[CellView]:
    cell = fleet.add_cell(session, data.name, data.region, data.qualities, _given(data.store), actor)
    return _created(cell)


def _database(
    session: Session, name: str, data: NewDatabase, actor: Actor, cell_file: Path | None
) -> Response[CellView]:
    _cell(session, name)
    placement.add_database(session, vault_of(session), name, data.admin_url, data.capacity, data.spares, actor)
    # Before the commit: whoever is placed there is served from the first moment.
    fleet.refresh_cell_file(session, vault_of(session), cell_file)
    return _created(placement.cell(session, name))


def _created(cell: placement.CellView) -> Response[CellView]:
    return Response(cell_view(cell), status_code=201, headers={"Location": f"/api/v1/cells/{cell.name}"})
