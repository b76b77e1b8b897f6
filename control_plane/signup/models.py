"""Requests of visitors who have not yet confirmed their e-mail."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, LargeBinary, String, func
from sqlalchemy.orm import Mapped, mapped_column

from kit.db import Base


class SignupRequest(Base):
    """A visitor's wish for a workspace. The mailed link works once; the browser keeps `progress_hash`'s secret."""

    __tablename__ = "signup_request"
    __table_args__ = (Index(None, "email", "created_at"), Index(None, "ip", "created_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    organisation_name: Mapped[str] = mapped_column(String(120))
    address: Mapped[str] = mapped_column(String(40))
    offer_code: Mapped[str] = mapped_column(String(40))
    siret: Mapped[str | None] = mapped_column(String(14))
    entity_kind: Mapped[str | None] = mapped_column(String(40))
    locale: Mapped[str] = mapped_column(String(5))
    ip: Mapped[str] = mapped_column(String(45))
    flags: Mapped[list[str]]
    link_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    progress_hash: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    link_expires_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    organisation_id: Mapped[UUID | None]


class EntryLink(Base):
    """A mailed link that opens the workspace once for its first administrator (it mints a login ticket)."""

    __tablename__ = "entry_link"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    organisation_id: Mapped[UUID]
    email: Mapped[str] = mapped_column(String(254))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
