"""The backup mirror of each organisation: how far it is, what it still keeps, and what was asked of it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from kit.db import Base

STATES = ("new", "copying", "whole", "waiting", "suspended", "needs_keys", "failing")


class Mirror(Base):
    """One organisation's mirror at `target`. The row is the queue: due when `due_at` is past and nobody holds it.

    A pass compares the whole bucket with its mirror in the order of keys; `cursor` is the last key that is settled,
    null between passes. `asked_at` is when somebody last wanted one at once. `started_at` is when the pass under way
    began, or else the last one; the figures from `pass_objects` to `differing` are that pass's. `whole_at` is when the
    last pass began that saw and had everything: what was written since may be lost with the store. `objects` and
    `bytes` are what the mirror held then.

    `kept` are objects that the store has no more and the mirror keeps for a while; `failed` could not be copied;
    `missing` are all that are known to be missing now, the oldest of them written at `oldest_unmirrored_at`.
    """

    __tablename__ = "mirror"
    __table_args__ = (
        CheckConstraint("state in ('" + "', '".join(STATES) + "')", name="state"),
        Index("ix_mirror_turn", "turn_at", "organisation_id"),
    )

    organisation_id: Mapped[UUID] = mapped_column(primary_key=True)
    target: Mapped[str | None] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(12), default="new", server_default="new")
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    asked_at: Mapped[datetime | None]
    turn_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(default=0, server_default="0")
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    cursor: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime | None]
    pass_objects: Mapped[int] = mapped_column(default=0, server_default="0")
    pass_bytes: Mapped[int] = mapped_column(default=0, server_default="0")
    copied: Mapped[int] = mapped_column(default=0, server_default="0")
    copied_bytes: Mapped[int] = mapped_column(default=0, server_default="0")
    removed: Mapped[int] = mapped_column(default=0, server_default="0")
    kept: Mapped[int] = mapped_column(default=0, server_default="0")
    failed: Mapped[int] = mapped_column(default=0, server_default="0")
    missing: Mapped[int] = mapped_column(default=0, server_default="0")
    differing: Mapped[int] = mapped_column(default=0, server_default="0")
    oldest_unmirrored_at: Mapped[datetime | None]
    whole_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    objects: Mapped[int | None]
    bytes: Mapped[int | None]
    error_code: Mapped[str | None] = mapped_column(String(60))
    error: Mapped[str | None] = mapped_column(Text)
    verified_at: Mapped[datetime | None]
    verified_objects: Mapped[int | None]
    mismatches: Mapped[int | None]


class MirrorGone(Base):
    """An object that the mirror has and the store had no more at `seen_at`: kept until its retention has passed."""

    __tablename__ = "mirror_gone"

    organisation_id: Mapped[UUID] = mapped_column(primary_key=True)
    object_id: Mapped[UUID] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())


class MirrorRun(Base):
    """A verification or a restoration that somebody asked for; one at a time for an organisation.

    `asked` has what was asked for: `deep`, or `keys` and `as_of`. `findings` lists the first objects that are not as
    they should be. `expected` is how many objects there were to look at, as far as that was known.
    """

    __tablename__ = "mirror_run"
    __table_args__ = (
        CheckConstraint("kind in ('verify', 'restore')", name="kind"),
        CheckConstraint("state in ('pending', 'running', 'done', 'failed')", name="state"),
        Index("uq_mirror_run_open", "organisation_id", unique=True, postgresql_where="state in ('pending', 'running')"),
        Index(None, "organisation_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(String(10))
    state: Mapped[str] = mapped_column(String(10), default="pending")
    asked: Mapped[dict[str, Any]]
    requested_by: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    cursor: Mapped[str] = mapped_column(Text, default="")
    expected: Mapped[int | None]
    checked: Mapped[int] = mapped_column(default=0, server_default="0")
    read_bytes: Mapped[int] = mapped_column(default=0, server_default="0")
    restored: Mapped[int] = mapped_column(default=0, server_default="0")
    restored_bytes: Mapped[int] = mapped_column(default=0, server_default="0")
    mismatches: Mapped[int] = mapped_column(default=0, server_default="0")
    findings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    error_code: Mapped[str | None] = mapped_column(String(60))
    error: Mapped[str | None] = mapped_column(Text)
