"""The Ceph of a cell that serves: another address for it, another administrator's key. For whoever keeps storage."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from control_plane import placement, provisioning
from control_plane.identity import Permission
from control_plane.placement import CellView
from control_plane.portal.desk import Desk, go, requires
from kit.errors import Refusal, Refusals, not_found
from kit.interface import Form, field_errors, locale_of
from kit.interface.entries import Entries

KEEPERS = [requires(Permission.STORAGE_ACT)]
SETTINGS = ("endpoint", "public_endpoint", "admin_key_id", "ca_file")
ALWAYS = ("endpoint", "admin_key_id")


def _known(desk: Desk, name: str) -> CellView:
    found = [one for one in placement.cells(desk.session) if one.name == name]
    if not found:
        raise not_found("cell")
    return found[0]


def _cell(desk: Desk, name: str) -> CellView:
    """A cell with a Ceph, to be changed."""
    cell = _known(desk, name)
    provisioning.require_ceph(cell.store)
    return cell


def _page(desk: Desk, cell: CellView, values: dict[str, str], errors: dict[str, str]) -> Response[str]:
    store = cell.store
    return desk.show(
        "portal/cell_store.html",
        status=422 if errors else 200,
        cell=cell,
        key_id=store.get("admin_key_id", ""),
        retiring=[one["key_id"] for one in store.get("admin_keys_retiring", [])],
        form=Form({name: values.get(name, store.get(name) or "") for name in SETTINGS}, errors),
    )


@get("/cells/{name:str}/store", guards=KEEPERS, sync_to_thread=True)
def show_store(desk: NamedDependency[Desk], name: FromPath[str]) -> Response[Any]:
    """Its addresses and its key's id, to be changed; never a secret. Of files there is nothing to change."""
    cell = _known(desk, name)
    return _page(desk, cell, {}, {}) if cell.store.get("kind") == "ceph" else go(f"/cells/{name}")


@post("/cells/{name:str}/store", guards=KEEPERS, sync_to_thread=True)
def change_store(desk: NamedDependency[Desk], name: FromPath[str], entries: NamedDependency[Entries]) -> Response[Any]:
    """Tried at the Ceph itself, then stored."""
    cell, given = _cell(desk, name), {one: entries.text(one) for one in SETTINGS}
    changes: dict[str, Any] = {
        one: text if one in ALWAYS else text or None
        for one, text in given.items()
        if text != (cell.store.get(one) or "")
    }
    if entries.secret("admin_secret"):
        changes["admin_secret"] = entries.secret("admin_secret")
    try:
        with desk.session.begin_nested():
            provisioning.change_store(desk.session, name, changes, desk.actor)
    except (Refusal, Refusals) as wrong:
        return _page(desk, cell, given, field_errors(wrong, locale_of(desk.request, desk.staff.locale)))
    return go(f"/cells/{name}", "store-changed")


@post("/cells/{name:str}/store/key", guards=KEEPERS, sync_to_thread=True)
def rotate_key(desk: NamedDependency[Desk], name: FromPath[str]) -> Response[Any]:
    """A new administrator's key, drawn at the Ceph."""
    cell = _cell(desk, name)
    try:
        with desk.session.begin_nested():
            provisioning.rotate_admin_key(desk.session, name, desk.actor)
    except (Refusal, Refusals) as wrong:
        return _page(desk, cell, {}, field_errors(wrong, locale_of(desk.request, desk.staff.locale)))
    return go(f"/cells/{name}/store", "store-key")


handlers = [show_store, change_store, rotate_key]
