"""Who the customer is, in which state, and what holds it there."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from kit.db import Base

STATES = ("ordered", "provisioning", "live", "read_only", "suspended", "closing", "erased", "failed")


class Organisation(Base):
    """A customer's organisation. `state` is what is true now; a trigger refuses steps that the state graph lacks.

    `search_text` is the folded text (lower case, no accents) of name, address, SIRET and e-mail that search reads.
    `admin_key` is a hash of the normalised e-mail: it outlives the e-mail, so that a trial is given once.
    `revision` counts writes: the ETag of the row.
    """

    __tablename__ = "organisation"
    __table_args__ = (
        CheckConstraint("state in ('" + "', '".join(STATES) + "')", name="state"),
        Index(
            "ix_organisation_search",
            "search_text",
            postgresql_using="gin",
            postgresql_ops={"search_text": "gin_trgm_ops"},
            # A list of pending entries is read by every search: 740 ms instead of 10 among 55,000 fresh rows.
            postgresql_with={"fastupdate": "off"},
        ),
        Index(None, "state", "id"),
        Index(None, "siret"),
        Index(None, "admin_key"),
        Index("ix_organisation_trial", "trial_ends_at", postgresql_where="trial_ends_at is not null"),
        Index(None, "created_at", "id"),
        Index(None, "name", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    address: Mapped[str] = mapped_column(String(40), index=True)
    state: Mapped[str] = mapped_column(String(12), default="ordered")
    offer_code: Mapped[str] = mapped_column(String(40))
    offer_version: Mapped[int]
    siret: Mapped[str | None] = mapped_column(String(14))
    entity_kind: Mapped[str | None] = mapped_column(String(40))
    locale: Mapped[str] = mapped_column(String(5), default="fr")
    admin_email: Mapped[str] = mapped_column(String(254), index=True)
    admin_name: Mapped[str] = mapped_column(String(120))
    admin_key: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(12))
    flags: Mapped[list[str]]
    search_text: Mapped[str] = mapped_column(Text)
    revision: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    live_at: Mapped[datetime | None]
    trial_ends_at: Mapped[datetime | None]
    closing_at: Mapped[datetime | None]
    erase_after: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]
    failure: Mapped[str | None] = mapped_column(Text)


class Hold(Base):
    """A reason that keeps an organisation from being fully live. Each kind is lifted on its own."""

    __tablename__ = "hold"
    __table_args__ = (
        CheckConstraint("kind in ('contract', 'billing', 'technical')", name="kind"),
        CheckConstraint("effect in ('read_only', 'suspended')", name="effect"),
        Index("uq_hold_standing", "organisation_id", "kind", unique=True, postgresql_where="lifted_at is null"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"))
    kind: Mapped[str] = mapped_column(String(10))
    effect: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str] = mapped_column(Text)
    placed_by: Mapped[str] = mapped_column(String(200))
    placed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    lifted_by: Mapped[str | None] = mapped_column(String(200))
    lifted_at: Mapped[datetime | None]


class AddressClaim(Base):
    """Who has an address of the platform. A sign-up reserves it for a while; once freed it stays closed for a year.

    `skeleton` is what the address looks like to a hasty eye: look-alikes share it.
    """

    __tablename__ = "address_claim"

    address: Mapped[str] = mapped_column(String(40), primary_key=True)
    skeleton: Mapped[str] = mapped_column(String(40), index=True)
    organisation_id: Mapped[UUID | None]
    signup_id: Mapped[UUID | None]
    reserved_until: Mapped[datetime | None]
    closed_until: Mapped[datetime | None]
    claimed_at: Mapped[datetime] = mapped_column(server_default=func.now())
