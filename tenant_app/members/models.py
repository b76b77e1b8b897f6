"""Invitations: who was asked to come, as what, and where."""

from sqlalchemy import Column, DateTime, MetaData, SmallInteger, String, Table, Uuid

metadata = MetaData()

MOMENT = DateTime(timezone=True)

invitation = Table(
    "invitation",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("email", String(254), nullable=False),
    Column("name", String(120)),
    Column("kind", String(1), nullable=False),
    Column("role", SmallInteger, nullable=False),
    Column("space_id", Uuid),
    Column("hash", String(64), nullable=False),
    Column("invited_by", Uuid, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
    Column("accepted_at", MOMENT),
    Column("created_at", MOMENT, nullable=False),
)
