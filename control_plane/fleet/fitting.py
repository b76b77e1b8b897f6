"""Taking on a cell with its store, or a mirror for it, only once it has proved fit. What is refused names its field."""

from typing import Any

from sqlalchemy.orm import Session

from control_plane import placement, storage
from control_plane.audit import Actor
from control_plane.fleet.asking import store_of
from control_plane.placement import CellView
from control_plane.storage import REACHABLE, RIGHTS, Check
from kit.db import vault_of
from kit.errors import Refusal, Refusals


def add_cell(  # noqa: PLR0917 - as a form has them
    session: Session, name: str, region: str, qualities: list[str], store: dict[str, Any], actor: Actor
) -> CellView:
    """A new cell whose store has proved fit: it answers, and its administrator's key has the rights that are needed.

    `store` has its secret in plain; it lies sealed. A refusal leaves nothing in this transaction that may be kept.
    """
    cell = placement.add_cell(session, name, region, qualities, store, actor)
    must_fit(session, cell)
    return cell


def must_fit(session: Session, cell: CellView) -> None:
    """The cell's store answers by its settings, and its administrator's key has its rights; else that is refused."""
    failed = [one for one in store_of(session, cell).check() if not one.ok]
    if failed:
        raise Refusals([_fault(one) for one in failed])


def _fault(check: Check) -> Refusal:
    """What a failed check says of the settings."""
    detail = check.detail or check.name
    if check.name == REACHABLE:
        message = "No Ceph gateway answers there: {detail}"
        return Refusal("store_unreachable", message, field="store.endpoint", detail=detail)
    if check.name == RIGHTS:
        message = "The administrator's key was refused, or lacks rights: {detail}"
        return Refusal("store_rights", message, field="store.admin_key_id", detail=detail)
    message = "This store cannot be used. {check}: {detail}"
    return Refusal("store_unfit", message, field="store", check=check.name, detail=detail)


def set_mirror(session: Session, name: str, mirror: dict[str, Any] | None, actor: Actor) -> CellView:
    """Copy everything of a cell's store to a second one from now on, once that one has proved fit; None ends it.

    `mirror` has its secret in plain, or none to keep the one that is known for this key. A refusal names its field as
    `mirror` does, and leaves nothing in this transaction that may be kept.
    """
    cell = placement.cell(session, name)
    known = (cell.store.get("mirror") or {}).get("key_id")
    if mirror is not None and not mirror.get("secret") and mirror.get("key_id") != known:
        raise Refusal("mirror_secret_missing", "Give the secret of this key.", field="secret")
    store = {key: value for key, value in cell.store.items() if key != "mirror"}
    changed = placement.set_store(session, name, {**store, **({"mirror": mirror} if mirror else {})}, actor)
    failed = [one for one in _mirror_checks(session, changed) if not one.ok]
    if failed:
        raise Refusals([_mirror_fault(one) for one in failed])
    return changed


def _mirror_checks(session: Session, cell: CellView) -> list[Check]:
    try:
        return storage.check_mirror(cell.store, vault_of(session), cell.name)
    except Refusal as wrong:
        field = (wrong.field or "").rpartition(".")[2]
        raise Refusal(wrong.code, wrong.message, field=field, status=wrong.status, **wrong.params) from wrong


def _mirror_fault(check: Check) -> Refusal:
    detail = check.detail or check.name
    if check.name == REACHABLE:
        message = "No store answers there: {detail}"
        return Refusal("store_unreachable", message, field="endpoint", detail=detail)
    return Refusal("mirror_key_refused", "The key was refused there: {detail}", field="key_id", detail=detail)
