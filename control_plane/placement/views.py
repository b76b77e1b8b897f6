"""What others see of cells, their databases, and where an organisation lives."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from control_plane.placement.models import Cell, CellDatabase


@dataclass(frozen=True)
class DatabaseView:
    """One database of a cell. `spares_seen` and `trouble` are what the last visit saw, at `seen_at`."""

    id: UUID
    name: str
    capacity: int
    tenants: int
    spares_wanted: int
    spares_seen: int
    seen_at: datetime | None
    trouble: str | None
    schema_version: str | None

    @classmethod
    def of(cls, row: CellDatabase) -> "DatabaseView":
        """The view of a row."""
        return cls(
            id=row.id,
            name=row.name,
            capacity=row.capacity,
            tenants=row.tenants,
            spares_wanted=row.spares_wanted,
            spares_seen=row.spares_seen,
            seen_at=row.seen_at,
            trouble=row.trouble,
            schema_version=row.schema_version,
        )


@dataclass(frozen=True)
class CellView:
    """A cell and its databases. A cell that is not `open` keeps its tenants and takes no new ones."""

    id: UUID
    name: str
    region: str
    qualities: list[str]
    store: dict[str, Any]
    open: bool
    databases: list[DatabaseView]

    @classmethod
    def of(cls, cell: Cell, databases: list[CellDatabase]) -> "CellView":
        """The view of a cell's rows."""
        views = [DatabaseView.of(row) for row in databases]
        return cls(cell.id, cell.name, cell.region, list(cell.qualities), dict(cell.store), cell.open, views)

    @property
    def capacity(self) -> int:
        """Tenants that the cell's databases can hold."""
        return sum(one.capacity for one in self.databases)

    @property
    def tenants(self) -> int:
        """Tenants that are placed here."""
        return sum(one.tenants for one in self.databases)

    @property
    def spares(self) -> int:
        """Ready slots, as last seen."""
        return sum(one.spares_seen for one in self.databases)


@dataclass(frozen=True)
class Place:
    """Where an organisation lives. `slot` is the schema's name, once taken."""

    organisation_id: UUID
    cell_id: UUID
    cell: str
    region: str
    database_id: UUID
    database: str
    slot: str | None


@dataclass(frozen=True)
class Check:
    """One thing that a verification looked at."""

    database: str
    name: str
    ok: bool
    detail: str
