"""The world that the steps change: cell databases, object stores, and how addresses become hosts."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from control_plane import placement, storage
from control_plane.placement import Databases, Place
from control_plane.provisioning.order import Order
from control_plane.storage import ObjectStore
from kit.vault import Vault
from tenant_app.contract import CellDatabase


@dataclass
class World:
    """What a process opens once. `workspace_suffix` begins with a dot; `site_url` has no path."""

    vault: Vault
    databases: Databases
    workspace_suffix: str
    site_url: str
    open_store: Callable[[dict[str, Any]], ObjectStore] = storage.open_store
    _stores: dict[UUID, ObjectStore] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def store_of(self, session: Session, place: Place) -> ObjectStore:
        """The object store of a place's cell."""
        with self._lock:
            if place.cell_id not in self._stores:
                self._stores[place.cell_id] = self.open_store(placement.cell(session, place.cell).store)
            return self._stores[place.cell_id]

    def host_of(self, order: Order) -> str:
        """The exact host of a workspace."""
        return f"{order.address}{self.workspace_suffix}"


@dataclass(frozen=True)
class Run:
    """One claim of the loop on one organisation: what is wanted, where, and under which fence."""

    organisation_id: UUID
    order: Order
    generation: int
    fence: int
    place: Place
    database: CellDatabase
    store: ObjectStore


@dataclass(frozen=True)
class Effect:
    """What a step did: whether it changed anything, and the slot if it learned it."""

    changed: bool
    slot: str | None = None
