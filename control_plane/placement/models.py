"""Cells, their databases, and where each organisation lives."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from kit.db import Base


class Cell(Base):
    """A PostgreSQL cluster, tenant-app processes and an object store in one region, with one set of qualities.

    `key_sealed` is the key of the cell's own seals. Not sealed yet, it is the one that the first master key gives: the
    key of a cell from before this column.
    """

    __tablename__ = "cell"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    region: Mapped[str] = mapped_column(String(40))
    qualities: Mapped[list[str]]
    store: Mapped[dict[str, Any]]
    key_sealed: Mapped[str | None] = mapped_column(Text)
    open: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class CellDatabase(Base):
    """One database of a cell: at most 2,000 tenants. Addresses are sealed, for they carry passwords."""

    __tablename__ = "cell_database"
    __table_args__ = (
        CheckConstraint("capacity between 1 and 2000", name="capacity"),
        CheckConstraint("tenants between 0 and capacity", name="room"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    cell_id: Mapped[UUID] = mapped_column(ForeignKey("cell.id"))
    name: Mapped[str] = mapped_column(String(63), unique=True)
    admin_url_sealed: Mapped[str] = mapped_column(Text)
    app_url_sealed: Mapped[str] = mapped_column(Text)
    capacity: Mapped[int] = mapped_column(default=2000)
    tenants: Mapped[int] = mapped_column(default=0)
    spares_wanted: Mapped[int] = mapped_column(default=20)
    spares_seen: Mapped[int] = mapped_column(default=0)
    schema_version: Mapped[str | None] = mapped_column(String(40))
    seen_at: Mapped[datetime | None]
    trouble: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Placement(Base):
    """Where an organisation lives. Written once, moved only by a move. `slot` is known once it has been taken."""

    __tablename__ = "placement"
    __table_args__ = (Index(None, "cell_database_id"),)

    organisation_id: Mapped[UUID] = mapped_column(primary_key=True)
    cell_id: Mapped[UUID] = mapped_column(ForeignKey("cell.id"))
    cell_database_id: Mapped[UUID] = mapped_column(ForeignKey("cell_database.id"))
    slot: Mapped[str | None] = mapped_column(String(40))
    placed_at: Mapped[datetime] = mapped_column(server_default=func.now())
