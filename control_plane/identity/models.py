"""The provider's staff, their credentials and sessions, and the tokens of scripts."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String, Text, false, func
from sqlalchemy.orm import Mapped, mapped_column

from kit.db import Base


class Staff(Base):
    """A person of the provider. The role names what the portal lets them do.

    `emergency`: a passkey or password lets them in even where the provider's OpenID Connect knows them.
    """

    __tablename__ = "staff"
    __table_args__ = (CheckConstraint("role in ('sales', 'support', 'operator', 'auditor')", name="role"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    role: Mapped[str] = mapped_column(String(10))
    locale: Mapped[str] = mapped_column(String(5), default="fr")
    password: Mapped[str | None] = mapped_column(Text)
    totp_sealed: Mapped[str | None] = mapped_column(Text)
    totp_step: Mapped[int] = mapped_column(default=0)
    emergency: Mapped[bool] = mapped_column(default=False, server_default=false())
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class StaffPasskey(Base):
    """A WebAuthn credential of a member of staff."""

    __tablename__ = "staff_passkey"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(default=0)
    label: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    used_at: Mapped[datetime | None]


class StaffSession(Base):
    """A signed-in browser. Only the hash of its cookie is kept; `stage` is `password` until the second factor comes.

    `ask_at` stands only where the provider's OpenID Connect vouches for it: from then on it is asked again. `sid` is
    the session's name there; the ID token, sealed, ends it there.
    """

    __tablename__ = "staff_session"
    __table_args__ = (CheckConstraint("stage in ('password', 'full')", name="stage"),)

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    stage: Mapped[str] = mapped_column(String(10))
    challenge: Mapped[bytes | None] = mapped_column(LargeBinary)
    user_agent: Mapped[str] = mapped_column(String(300), default="")
    ip: Mapped[str] = mapped_column(String(45), default="")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    ask_at: Mapped[datetime | None]
    sid: Mapped[str | None] = mapped_column(String(255))
    id_token_sealed: Mapped[str | None] = mapped_column(Text)


class StaffCeremony(Base):
    """The challenge of a passkey sign-in, before anybody is known. Used once, by the browser that asked."""

    __tablename__ = "staff_ceremony"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    challenge: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime]


class StaffLink(Base):
    """Who a member of staff is at the provider's own OpenID Connect: issuer and subject, never an e-mail alone.

    `gives_role`: the provider has told their role once, so from then on nobody else does. `refused_at`: it gives them
    none any more, since then.
    """

    __tablename__ = "staff_link"

    issuer: Mapped[str] = mapped_column(String(2000), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), unique=True)
    gives_role: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    used_at: Mapped[datetime] = mapped_column(server_default=func.now())
    refused_at: Mapped[datetime | None]


class StaffFlow(Base):
    """A sign-in under way at the provider's OpenID Connect. Ended once, by the browser that began it.

    The state travels through the provider; the cookie stays in its browser; only hashes of both are kept.
    """

    __tablename__ = "staff_flow"

    state_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    browser_hash: Mapped[bytes] = mapped_column(LargeBinary)
    # State, nonce and verifier, sealed.
    kept: Mapped[str] = mapped_column(Text)
    next_path: Mapped[str] = mapped_column(String(2000))
    expires_at: Mapped[datetime] = mapped_column(index=True)


class StaffAttempt(Base):
    """How often a sign-in was tried for one e-mail or from one place; `key` is a hash that tells neither."""

    __tablename__ = "staff_attempt"

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    count: Mapped[int]
    until: Mapped[datetime]


class ApiToken(Base):
    """A script's token: `prefix` is shown, only the hash of the secret is kept.

    `owner_id`: who answers for it, see `token_owners`; nobody for those of the installation.
    """

    __tablename__ = "api_token"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    prefix: Mapped[str] = mapped_column(String(20), unique=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    scopes: Mapped[list[str]]
    networks: Mapped[list[str]]
    created_by: Mapped[str] = mapped_column(String(200))
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    used_from: Mapped[str | None] = mapped_column(String(45))
    replaces_id: Mapped[UUID | None]
    revoked_at: Mapped[datetime | None]
