"""Desired state, the ledger of steps, and the outbox."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from kit.db import Base


class Provisioning(Base):
    """What one organisation should be, and how far the loop is. The row is the queue: due when `wake_at` is past."""

    __tablename__ = "provisioning"
    __table_args__ = (
        CheckConstraint("desired in ('live', 'read_only', 'suspended', 'absent')", name="desired"),
        Index("ix_provisioning_due", "wake_at", postgresql_where="wake_at is not null"),
    )

    organisation_id: Mapped[UUID] = mapped_column(primary_key=True)
    desired: Mapped[str] = mapped_column(String(12))
    order: Mapped[dict[str, Any]]
    generation: Mapped[int] = mapped_column(default=1)
    settled_generation: Mapped[int] = mapped_column(default=0)
    operation_id: Mapped[UUID | None]
    wake_at: Mapped[datetime | None] = mapped_column(server_default=func.now())
    lease_until: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    checked_at: Mapped[datetime | None]


class Operation(Base):
    """One run of the loop that somebody asked for: what an API client polls and a portal page shows."""

    __tablename__ = "operation"
    __table_args__ = (
        CheckConstraint(
            "state in ('pending', 'running', 'succeeded', 'failed', 'cancelled', 'superseded')", name="state"
        ),
        Index(None, "organisation_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(String(30))
    generation: Mapped[int]
    state: Mapped[str] = mapped_column(String(12), default="pending")
    requested_by: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    error_code: Mapped[str | None] = mapped_column(String(60))
    error: Mapped[str | None] = mapped_column(Text)
    retryable: Mapped[bool] = mapped_column(default=True)


class Step(Base):
    """A line of the ledger: one step of one operation."""

    __tablename__ = "step"
    __table_args__ = (CheckConstraint("state in ('waiting', 'running', 'retrying', 'done', 'failed')", name="state"),)

    operation_id: Mapped[UUID] = mapped_column(ForeignKey("operation.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(30), primary_key=True)
    ordinal: Mapped[int]
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    milliseconds: Mapped[float | None]
    changed: Mapped[bool] = mapped_column(default=False)
    error_code: Mapped[str | None] = mapped_column(String(60))
    error: Mapped[str | None] = mapped_column(Text)
    next_try_at: Mapped[datetime | None]


class Outbox(Base):
    """What cannot be observed afterwards and so is written down first: mails. `key` makes it happen once."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_due", "due_at", postgresql_where="sent_at is null and parked_at is null"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(200), unique=True)
    organisation_id: Mapped[UUID | None]
    kind: Mapped[str] = mapped_column(String(40))
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    attempts: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None]
    parked_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)


class OrphanSighting(Base):
    """Something in a store that has no owner, since it was first seen so. Only what has long been so is removed."""

    __tablename__ = "orphan_sighting"

    cell: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    first_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
