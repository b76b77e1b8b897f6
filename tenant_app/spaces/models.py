"""Spaces, and who has which right on them."""

from sqlalchemy import Column, DateTime, Integer, MetaData, SmallInteger, String, Table, Uuid
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

MOMENT = DateTime(timezone=True)

space = Table(
    "space",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(1), nullable=False),
    Column("name", String(160), nullable=False),
    Column("color", SmallInteger),
    Column("settings", JSONB, nullable=False),
    Column("owner_id", Uuid, nullable=False),
    Column("archived_at", MOMENT),
    Column("created_at", MOMENT, nullable=False),
)

access = Table(
    "access",
    metadata,
    Column("object_id", Uuid, primary_key=True),
    Column("subject_id", Uuid, primary_key=True),
    Column("object_kind", String(1), nullable=False),
    Column("role", SmallInteger, nullable=False),
    Column("perms", Integer, nullable=False),
    Column("expires_at", MOMENT),
)
