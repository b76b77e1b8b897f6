"""The world that the steps change: cell databases, object stores, and how addresses become hosts."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from control_plane import placement, storage
from control_plane.placement import CellView, Databases, Place
from control_plane.provisioning.order import Order
from control_plane.storage import Keyring, ObjectStore
from kit.settings import workspace_url
from kit.vault import Vault
from tenant_app.contract import CellDatabase, Identity

IdentityOf = Callable[[Session, Vault, UUID], Identity]
"""How an organisation's people sign in, its secrets sealed by the vault. A room above keeps it, see `identity`."""

MakeStore = Callable[[dict[str, Any], Vault, str], ObjectStore]


@dataclass
class World:
    """What a process opens once. `workspace_suffix` begins with a dot; `site_url` has no path."""

    vault: Vault
    databases: Databases
    workspace_suffix: str
    site_url: str
    identity_of: IdentityOf
    make_store: MakeStore = storage.open_store
    _stores: dict[UUID, tuple[dict[str, Any], ObjectStore]] = field(default_factory=dict, repr=False)
    _seals: dict[UUID, Vault] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def open_store(self, settings: dict[str, Any], cell: str) -> ObjectStore:
        """The object store of a cell, by the settings in its row."""
        return self.make_store(settings, self.vault, cell)

    def store_of(self, cell: CellView) -> ObjectStore:
        """The object store of a cell, which all share; opened anew when its settings have changed."""
        with self._lock:
            known = self._stores.get(cell.id)
            if known is None or known[0] != cell.store:
                known = self._stores[cell.id] = cell.store, self.open_store(cell.store, cell.name)
            return known[1]

    def remove_mirror(self, place: Place, organisation_id: UUID) -> bool:
        """What the cell's mirror keeps of the organisation is gone; False where nothing was. See `storage`."""
        with self._lock:
            settings, _ = self._stores[place.cell_id]
        return storage.remove_mirror(settings, self.vault, place.cell, organisation_id)

    def seals_of(self, session: Session, place: Place) -> Vault:
        """What seals secrets for a place's cell. It never changes."""
        with self._lock:
            if place.cell_id not in self._seals:
                self._seals[place.cell_id] = placement.cell_vault(session, self.vault, place.cell)
            return self._seals[place.cell_id]

    def host_of(self, order: Order) -> str:
        """The exact host of a workspace."""
        return f"{order.address}{self.workspace_suffix}"

    def origin_of(self, order: Order) -> str:
        """Where a workspace's pages come from, as a browser says it to the store."""
        return workspace_url(self.site_url, self.workspace_suffix, order.address)


@dataclass(frozen=True)
class Run:
    """One claim of the loop on one organisation: what is wanted, where, with which keys, and under which fence.

    `seals` seals secrets for the cell, as they are in `identity`.
    """

    organisation_id: UUID
    order: Order
    generation: int
    fence: int
    place: Place
    database: CellDatabase
    store: ObjectStore
    keyring: Keyring
    seals: Vault
    identity: Identity


@dataclass(frozen=True)
class Effect:
    """What a step did: whether it changed anything; the slot if it learned it; the directory's version if it asked."""

    changed: bool
    slot: str | None = None
    directory_version: int | None = None
