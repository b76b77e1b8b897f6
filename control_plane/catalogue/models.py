"""Offers and their versions. A version, once written, never changes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from kit.db import Base


class Offer(Base):
    """What is sold under one code; `version` is the one that new organisations get."""

    __tablename__ = "offer"

    code: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int]
    rank: Mapped[int] = mapped_column(default=0)
    public: Mapped[bool] = mapped_column(default=True)
    retired_at: Mapped[datetime | None]


class OfferVersion(Base):
    """Entitlements and terms as they were sold. See `service.Entitlements`, `Terms` and `Requirements`."""

    __tablename__ = "offer_version"
    __table_args__ = (UniqueConstraint("offer_code", "version"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    offer_code: Mapped[str] = mapped_column(String(40), ForeignKey("offer.code"))
    version: Mapped[int]
    names: Mapped[dict[str, Any]]
    entitlements: Mapped[dict[str, Any]]
    terms: Mapped[dict[str, Any]]
    requirements: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
