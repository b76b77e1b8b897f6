"""The record of who did what: one hash chain per organisation, and one for the platform."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, Index, LargeBinary, String, Text, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from kit.db import Base


class AuditChain(Base):
    """The head of a chain. Its row lock puts events in order; its count reveals a cut tail."""

    __tablename__ = "audit_chain"

    chain: Mapped[str] = mapped_column(String(40), primary_key=True)
    seq: Mapped[int]
    digest: Mapped[bytes] = mapped_column(LargeBinary)


class AuditEvent(Base):
    """One thing that happened, written in the transaction that made it happen."""

    __tablename__ = "audit_event"
    __table_args__ = (UniqueConstraint("chain", "seq"), Index(None, "at"), Index(None, "verb", "at"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    chain: Mapped[str] = mapped_column(String(40))
    seq: Mapped[int]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    organisation_id: Mapped[UUID | None]
    actor: Mapped[dict[str, Any]]
    verb: Mapped[str] = mapped_column(String(60))
    data: Mapped[dict[str, Any]]
    digest: Mapped[bytes] = mapped_column(LargeBinary)


class AuditKey(Base):
    """The key of all chains, of which there is one for good: sealed, so that it outlives every master key.

    Not sealed yet, it is the one that the first master key gives: the key of chains from before this table.
    """

    __tablename__ = "audit_key"
    __table_args__ = (CheckConstraint("one", name="one"),)

    one: Mapped[bool] = mapped_column(Boolean, primary_key=True, default=True)
    key_sealed: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
