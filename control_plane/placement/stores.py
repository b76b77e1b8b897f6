"""The object store of a cell: its settings with their secrets sealed, and the key of the cell's own seals."""

import base64
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from control_plane import audit
from control_plane.audit import Actor
from control_plane.placement.models import Cell
from control_plane.placement.service import cell as cell_called
from control_plane.placement.views import CellView
from kit.db import vault_of
from kit.errors import Refusal
from kit.vault import Vault

SECRETS = ("admin_secret", "admin_secret_sealed", "secret", "secret_sealed")


def admin_purpose(cell: str) -> str:
    """Binds the store's administrator secret to its cell."""
    return f"store-admin:{cell}"


def mirror_purpose(cell: str) -> str:
    """Binds the secret of the store's mirror to its cell."""
    return f"store-mirror:{cell}"


def sealed_store(vault: Vault, cell: str, given: dict[str, Any]) -> dict[str, Any]:
    """Store settings as the row keeps them: `admin_secret` and the mirror's `secret` come in plain and lie sealed."""
    store = dict(given)
    if "admin_secret" in store:
        store["admin_secret_sealed"] = vault.seal(store.pop("admin_secret"), admin_purpose(cell))
    if store.get("mirror"):
        mirror = dict(store["mirror"])
        if "secret" in mirror:
            mirror["secret_sealed"] = vault.seal(mirror.pop("secret"), mirror_purpose(cell))
        store["mirror"] = mirror
    return store


def store_to_change(session: Session, name: str) -> dict[str, Any]:
    """The settings of a cell's store, secrets sealed; until this transaction ends nobody else changes them."""
    return dict(_locked(session, name).store)


def _locked(session: Session, name: str) -> Cell:
    fresh = {"populate_existing": True}
    row = session.scalar(select(Cell).where(Cell.name == name).with_for_update().execution_options(**fresh))
    if row is None:
        raise Refusal("unknown_cell", "There is no cell called {cell}.", field="cell", status=404, cell=name)
    return row


def set_store(
    session: Session, name: str, store: dict[str, Any], actor: Actor, verb: str = "cell.store_set"
) -> CellView:
    """Change the settings of a cell's store: its addresses, its administrator's key, its mirror. Never its kind.

    A secret that is left out stays as it was. `verb` is what the record calls the change.
    """
    row = _locked(session, name)
    if row.store.get("kind") not in {None, store.get("kind")}:
        message = "A cell keeps the kind of store that it was made with."
        raise Refusal("store_kind_fixed", message, field="store.kind", status=409)
    wanted = _with_kept_secrets(sealed_store(vault_of(session), name, store), row.store)
    if wanted != row.store:
        before, row.store = row.store, wanted
        session.flush()
        sealed = before.get("admin_secret_sealed")
        replaced = {"admin_secret": "replaced"} if sealed and sealed != wanted.get("admin_secret_sealed") else {}
        data = {"cell": name, "before": shown(before), "after": shown(wanted), **replaced}
        audit.record(session, verb, actor=actor, data=data)
    return cell_called(session, name)


def _with_kept_secrets(wanted: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    kept = dict(wanted)
    if "admin_secret_sealed" in before and wanted.get("admin_key_id") == before.get("admin_key_id"):
        kept.setdefault("admin_secret_sealed", before["admin_secret_sealed"])
    old, new = before.get("mirror") or {}, wanted.get("mirror") or {}
    if new and "secret_sealed" in old and new.get("key_id") == old.get("key_id"):
        kept["mirror"] = {"secret_sealed": old["secret_sealed"], **new}
    return kept


def shown(store: dict[str, Any]) -> dict[str, Any]:
    """Store settings without their secrets, sealed or not."""
    plain = {name: value for name, value in store.items() if name not in SECRETS}
    if plain.get("mirror"):
        plain["mirror"] = {name: value for name, value in plain["mirror"].items() if name not in SECRETS}
    return plain


def key_purpose(cell: str) -> str:
    """Binds a cell's key to its cell."""
    return f"cell-key:{cell}"


def seal_key(vault: Vault, cell: str, key: bytes) -> str:
    """A cell's key as its row keeps it."""
    return vault.seal(base64.b64encode(key).decode(), key_purpose(cell))


def cell_vault(session: Session, vault: Vault, name: str) -> Vault:
    """What seals a cell's secrets. Its key goes to that cell's tenant app; the master key never does."""
    sealed = session.execute(select(Cell.key_sealed).where(Cell.name == name)).one_or_none()
    if sealed is None:
        raise Refusal("unknown_cell", "There is no cell called {cell}.", field="cell", status=404, cell=name)
    if sealed[0] is not None:
        return Vault(base64.b64decode(vault.open(sealed[0], key_purpose(name))))
    # A cell from before keys were random keeps the one that its tenant app and its records know.
    derived = audit.first_master(session).derive(f"cell:{name}")
    unsealed = update(Cell).where(Cell.name == name, Cell.key_sealed.is_(None))
    session.execute(unsealed.values(key_sealed=seal_key(vault, name, derived)))
    return Vault(derived)
