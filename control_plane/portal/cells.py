"""Cells: capacity, spares, trouble, and a verification on demand."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from control_plane import fleet, placement
from control_plane.identity import Permission
from control_plane.placement import CellView, Check
from control_plane.portal.desk import Desk, requires
from kit.db import vault_of
from kit.errors import Refusal, Unavailable, not_found

READERS = [requires(Permission.CELLS_READ)]
# A page waits no longer than this for a store; it is then told as not answering.
STORE_SECONDS = 2.0


@get("/cells", guards=READERS, sync_to_thread=True)
def list_cells(desk: NamedDependency[Desk]) -> Response[str]:
    """All of them."""
    return desk.show("portal/cells.html", cells=placement.cells(desk.session))


def _cell(desk: Desk, name: str) -> CellView:
    found = [one for one in placement.cells(desk.session) if one.name == name]
    if not found:
        raise not_found("cell")
    return found[0]


def _page(desk: Desk, cell: CellView, **context: Any) -> Response[str]:
    (store,) = fleet.stores(desk.session, [cell], seconds=STORE_SECONDS)
    return desk.show("portal/cell.html", cell=cell, store=store, **{"checks": None, "trouble": None, **context})


@get("/cells/{name:str}", guards=READERS, sync_to_thread=True)
def show_cell(desk: NamedDependency[Desk], name: FromPath[str]) -> Response[str]:
    """One cell, its databases, and its store as it answers now."""
    return _page(desk, _cell(desk, name))


@post("/cells/{name:str}/verify", guards=[requires(Permission.CELLS_VERIFY)], sync_to_thread=True)
def verify_cell(desk: NamedDependency[Desk], name: FromPath[str]) -> Response[str]:
    """Prove that its databases are what they should be. It changes nothing, so its result is shown at once."""
    cell = _cell(desk, name)
    try:
        checks: list[Check] = placement.verify(desk.session, vault_of(desk.session), name)
    except (Unavailable, Refusal) as trouble:
        return _page(desk, cell, trouble=str(trouble))
    return _page(desk, cell, checks=checks)


handlers = [list_cells, show_cell, verify_cell]
