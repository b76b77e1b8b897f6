"""People of one workspace, and how they sign in."""

from sqlalchemy import BigInteger, Column, DateTime, Integer, LargeBinary, MetaData, SmallInteger, String, Table, Uuid
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

MOMENT = DateTime(timezone=True)

principal = Table(
    "principal",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(1), nullable=False),
    Column("name", String(120), nullable=False),
    Column("email", String(254)),
    Column("role", SmallInteger, nullable=False),
    Column("locale", String(5), nullable=False),
    Column("tz", String(40), nullable=False),
    Column("prefs", JSONB, nullable=False),
    Column("disabled_at", MOMENT),
    Column("seen_at", MOMENT),
    Column("created_at", MOMENT, nullable=False),
)

# kind: p password, k passkey, t one-time codes, r a mailed link that resets the password.
credential = Table(
    "credential",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("principal_id", Uuid, nullable=False),
    Column("kind", String(1), nullable=False),
    Column("secret", String(600)),
    Column("handle", LargeBinary),
    Column("public_key", LargeBinary),
    Column("sign_count", BigInteger, nullable=False),
    Column("transports", String(80)),
    Column("name", String(80)),
    Column("used_at", MOMENT),
    Column("created_at", MOMENT, nullable=False),
)

# purpose: member; code while a second factor is awaited; support. way: how he proved himself, see `sessions.Way`.
session = Table(
    "session",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("id", Uuid, nullable=False),
    Column("principal_id", Uuid, nullable=False),
    Column("purpose", String(20), nullable=False),
    Column("ip", String(45)),
    Column("agent", String(300)),
    Column("way", String(12)),
    Column("connection_id", Uuid),
    Column("subject", String(255)),
    Column("sso_session", String(255)),
    Column("sso_data", JSONB),
    Column("verified_at", MOMENT),
    Column("seen_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
    Column("created_at", MOMENT, nullable=False),
)

attempt = Table(
    "attempt",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("until", MOMENT, nullable=False),
)

setting = Table(
    "setting",
    metadata,
    Column("key", String(80), primary_key=True),
    Column("value", JSONB, nullable=False),
)

journal = Table(
    "journal",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("actor_id", Uuid),
    Column("verb", String(40), nullable=False),
    Column("object_id", Uuid),
    Column("data", JSONB, nullable=False),
    Column("created_at", MOMENT, nullable=False),
)

# Figures that one transaction at a time may change; `seats` is only ever locked.
tally = Table(
    "tally",
    metadata,
    Column("key", String(40), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

# (connection, subject) is one person: the only key by which an identity provider names him.
identity_link = Table(
    "identity_link",
    metadata,
    Column("connection_id", Uuid, primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("principal_id", Uuid, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("used_at", MOMENT),
)

# A sign-in that is under way at an identity provider; only a hash of its name is kept.
sso_flow = Table(
    "sso_flow",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("connection_id", Uuid, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
)

# What was used once and is still valid by its own time.
sso_replay = Table(
    "sso_replay",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("expires_at", MOMENT, nullable=False),
)

# What an identity provider said, what was checked, and what came of it.
sso_trace = Table(
    "sso_trace",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("connection_id", Uuid, nullable=False),
    Column("purpose", String(12), nullable=False),
    Column("outcome", String(60), nullable=False),
    Column("principal_id", Uuid),
    Column("data", JSONB, nullable=False),
    Column("created_at", MOMENT, nullable=False),
)
