"""Provisioning by SCIM: what a directory has pushed, who waits for approval to be removed, and what was done.

Expand only: the release before neither reads nor writes these tables.

A user of the directory is a person of the workspace: `scim_user.id` is his `principal.id`, and `active` is what the
directory wants, `admitted` what followed from that and his groups the last time; whether he is let in stands at the
person. The keys are the names as they are compared: case folded.
`scim_removal` counts removals for the brake and holds those that wait. `scim_event.id` is a UUIDv7, so its primary key
is the order in which events are shown.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0004"
down_revision = "0003"

NOW = sa.text("now()")


def ascii_text(length: int) -> sa.String:
    """Text compared byte by byte."""
    return sa.String(length, collation="C")


def moment(name: str, *, now: bool = False) -> sa.Column:
    if now:
        return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=NOW)
    return sa.Column(name, sa.DateTime(timezone=True))


def upgrade() -> None:
    op.create_table(
        "scim_user",
        sa.Column("id", UUID, sa.ForeignKey("principal.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("key", ascii_text(1024), nullable=False, unique=True),
        sa.Column("external_id", ascii_text(255)),
        sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("admitted", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("data", JSONB, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        moment("created_at", now=True),
        moment("updated_at", now=True),
    )
    op.create_index("scim_user_external", "scim_user", ["external_id"])
    op.create_table(
        "scim_group",
        sa.Column("id", UUID, primary_key=True),
        sa.Column("key", ascii_text(1024), nullable=False, unique=True),
        sa.Column("external_id", ascii_text(255)),
        sa.Column("data", JSONB, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        moment("created_at", now=True),
        moment("updated_at", now=True),
    )
    op.create_table(
        "scim_group_member",
        sa.Column("group_id", UUID, sa.ForeignKey("scim_group.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("user_id", UUID, sa.ForeignKey("scim_user.id", ondelete="CASCADE"), primary_key=True),
    )
    op.create_index("scim_group_member_of", "scim_group_member", ["user_id"])
    op.create_table(
        "scim_removal",
        sa.Column("id", UUID, primary_key=True),
        sa.Column("principal_id", UUID, sa.ForeignKey("principal.id", ondelete="CASCADE"), nullable=False),
        sa.Column("kind", ascii_text(12), nullable=False),
        sa.Column("state", ascii_text(12), nullable=False),
        sa.Column("token_id", UUID),
        moment("asked_at", now=True),
        moment("decided_at"),
        sa.Column("decided_by", UUID),
    )
    # One that waits for each person at most; and few rows wait.
    op.create_index(
        "scim_removal_waiting",
        "scim_removal",
        ["principal_id"],
        unique=True,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index("scim_removal_asked", "scim_removal", ["asked_at"])
    op.create_table(
        "scim_event",
        sa.Column("id", UUID, primary_key=True),
        sa.Column("token_id", UUID),
        sa.Column("verb", ascii_text(40), nullable=False),
        sa.Column("object_id", UUID),
        sa.Column("data", JSONB, nullable=False, server_default="{}"),
        moment("created_at", now=True),
    )
