"""The keys of each organisation: data keys under the master, store keys under the data key. Versions only grow."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from kit.db import Base


class OrganisationKey(Base):
    """A data key, wrapped by the master key. The newest that is not retired seals the organisation's secrets.

    `files_since`: since then it (what derives from it for files) encrypts files in the store, so it must stay until
    these are gone. Destroyed, its row remains as the proof; whatever it sealed is lost with it.
    """

    __tablename__ = "organisation_key"
    __table_args__ = (
        CheckConstraint("wrapped is null = (destroyed_at is not null)", name="destroyed"),
        Index("uq_organisation_key_current", "organisation_id", unique=True, postgresql_where="retired_at is null"),
    )

    organisation_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    wrapped: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    files_since: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]
    destroyed_at: Mapped[datetime | None]


class StoreKey(Base):
    """An access key of the organisation's account in the object store; its secret is sealed by the data key.

    A secret that is not sealed yet is the one that the first master key gives: the key from before this table.
    `current` is the newest; `retiring` ones still open the store until nobody can be using them; `gone` ones open
    nothing any more. `stored_at`: the store holds it. `published_at`: the tenant record carries it, since the
    directory's `directory_version`. `confirmed_at`: every process of the tenant app serves a later key.
    `last_use_ended_at`: what was signed with it until then has run out. `removed_at`: the store has forgotten it.
    """

    __tablename__ = "store_key"
    __table_args__ = (
        CheckConstraint("state in ('current', 'retiring', 'gone')", name="state"),
        Index("uq_store_key_current", "organisation_id", unique=True, postgresql_where="state = 'current'"),
        Index("ix_store_key_age", "created_at", postgresql_where="state = 'current'"),
        Index("ix_store_key_retiring", "organisation_id", postgresql_where="state = 'retiring'"),
    )

    organisation_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    key_id: Mapped[str] = mapped_column(String(40))
    secret_sealed: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    stored_at: Mapped[datetime | None]
    published_at: Mapped[datetime | None]
    directory_version: Mapped[int | None]
    retired_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]
    last_use_ended_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]
