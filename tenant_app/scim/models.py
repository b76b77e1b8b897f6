"""What a directory has pushed: its users (each a person of the workspace), groups, removals, and what was done."""

from sqlalchemy import Boolean, Column, DateTime, Integer, MetaData, String, Table, Uuid
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

MOMENT = DateTime(timezone=True)

# `active` is what the directory wants, `admitted` what followed from it and from the groups the last time.
scim_user = Table(
    "scim_user",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("key", String(1024), nullable=False),
    Column("external_id", String(255)),
    Column("active", Boolean, nullable=False),
    Column("admitted", Boolean, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("updated_at", MOMENT, nullable=False),
)

scim_group = Table(
    "scim_group",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("key", String(1024), nullable=False),
    Column("external_id", String(255)),
    Column("data", JSONB, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("updated_at", MOMENT, nullable=False),
)

scim_group_member = Table(
    "scim_group_member",
    metadata,
    Column("group_id", Uuid, primary_key=True),
    Column("user_id", Uuid, primary_key=True),
)

# kind: deactivate, delete; group, mapping: no group gives him a role. state: done, waiting, refused, withdrawn.
scim_removal = Table(
    "scim_removal",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("principal_id", Uuid, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("state", String(12), nullable=False),
    Column("token_id", Uuid),
    Column("asked_at", MOMENT, nullable=False),
    Column("decided_at", MOMENT),
    Column("decided_by", Uuid),
)

scim_event = Table(
    "scim_event",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("token_id", Uuid),
    Column("verb", String(40), nullable=False),
    Column("object_id", Uuid),
    Column("data", JSONB, nullable=False),
    Column("created_at", MOMENT, nullable=False),
)
