"""How an organisation's own people sign in: its domains, connections, policy, tokens of directories, set-up links.

All of it hangs on the organisation's id, and goes when the organisation is erased.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from kit.db import Base

STATES = ("pending", "proven", "failing", "lost")
PROVEN = ("proven", "failing")


class SignInRules(Base):
    """The organisation's policy, and the sign that it has set anything up at all. `revision` counts its writes."""

    __tablename__ = "sign_in_rules"

    organisation_id: Mapped[UUID] = mapped_column(primary_key=True)
    session_seconds: Mapped[int | None]
    idle_seconds: Mapped[int | None]
    second_factor: Mapped[bool] = mapped_column(default=False)
    networks: Mapped[list[str]]
    break_glass: Mapped[list[str]]
    brake_percent: Mapped[int] = mapped_column(default=20)
    revision: Mapped[int] = mapped_column(default=1)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Domain(Base):
    """A mail domain that an organisation says is its own. While it is `failing` the proof still counts, for a while.

    `answers` are what each name server said last. Several may claim a domain; one has proven it.
    """

    __tablename__ = "organisation_domain"
    __table_args__ = (
        CheckConstraint("state in ('pending', 'proven', 'failing', 'lost')", name="state"),
        UniqueConstraint("organisation_id", "name"),
        Index("uq_domain_proven", "name", unique=True, postgresql_where="state in ('proven', 'failing')"),
        Index("ix_domain_due", "check_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(String(253))
    token: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(10))
    capture: Mapped[bool] = mapped_column(default=True)
    answers: Mapped[list[Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    check_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]
    proven_at: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]


class Connection(Base):
    """An identity provider of an organisation. `settings` hold no secret; `settled_at` is when they last changed.

    `domains` are those chosen, proven or not. The key of a test run is a hash.
    """

    __tablename__ = "sign_in_connection"
    __table_args__ = (
        CheckConstraint("kind in ('saml', 'oidc')", name="kind"),
        CheckConstraint("stage in ('draft', 'tested', 'pilot', 'enforced')", name="stage"),
        Index(None, "organisation_id"),
        Index("ix_connection_metadata", "metadata_due_at", postgresql_where="metadata_due_at is not null"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(String(4))
    vendor: Mapped[str] = mapped_column(String(12))
    name: Mapped[str] = mapped_column(String(60))
    stage: Mapped[str] = mapped_column(String(8))
    domains: Mapped[list[str]]
    pilot: Mapped[list[str]]
    attributes: Mapped[dict[str, Any]]
    roles: Mapped[dict[str, Any]]
    otherwise: Mapped[str | None] = mapped_column(String(13))
    just_in_time: Mapped[bool]
    settings: Mapped[dict[str, Any]]
    secret_sealed: Mapped[str | None] = mapped_column(Text)
    metadata_url: Mapped[str | None] = mapped_column(Text)
    metadata_at: Mapped[datetime | None]
    metadata_due_at: Mapped[datetime | None]
    metadata_trouble: Mapped[str | None] = mapped_column(Text)
    test_sha256: Mapped[str | None] = mapped_column(String(64))
    test_until: Mapped[datetime | None]
    settled_at: Mapped[datetime]
    tested_at: Mapped[datetime | None]
    enforced_at: Mapped[datetime | None]
    reverts_at: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ConnectionKey(Base):
    """A SAML key of ours for one connection: the current one signs, all decrypt, the next one is only announced."""

    __tablename__ = "sign_in_key"
    __table_args__ = (
        CheckConstraint("state in ('current', 'next', 'past')", name="state"),
        Index(None, "connection_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(ForeignKey("sign_in_connection.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(String(8))
    certificate: Mapped[str] = mapped_column(Text)
    key_sealed: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ScimToken(Base):
    """A directory's token: `prefix` is shown, only the hash of the whole is kept."""

    __tablename__ = "scim_token"
    __table_args__ = (Index(None, "organisation_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID]
    connection_id: Mapped[UUID | None]
    name: Mapped[str] = mapped_column(String(80))
    prefix: Mapped[str] = mapped_column(String(20))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class SetUpLink(Base):
    """Lets somebody without an account set one thing up for one organisation, once. Only the token's hash is kept."""

    __tablename__ = "set_up_link"
    __table_args__ = (
        CheckConstraint("purpose in ('domains', 'sign_in', 'scim')", name="purpose"),
        Index(None, "organisation_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    organisation_id: Mapped[UUID]
    purpose: Mapped[str] = mapped_column(String(8))
    created_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class SupportAccess(Base):
    """One of the staff asks to come into a workspace; an administrator there accepts, or not. Ended, it opens nothing.

    Only accepted it has an end (`until`) and an administrator, whose sight the staff then has.
    """

    __tablename__ = "support_access"
    __table_args__ = (
        CheckConstraint("hours between 3 and 168", name="hours"),
        CheckConstraint(
            "(accepted_at is null) = (until is null) and (accepted_at is null) = (administrator_id is null)",
            name="consent",
        ),
        Index(None, "organisation_id"),
        Index("ix_support_access_until", "until", postgresql_where="ended_at is null"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID]
    staff_id: Mapped[UUID]
    staff_name: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(String(500))
    read_only: Mapped[bool]
    hours: Mapped[int]
    asked_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    administrator_id: Mapped[UUID | None]
    administrator_name: Mapped[str | None] = mapped_column(String(200))
    until: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None] = mapped_column(String(200))
