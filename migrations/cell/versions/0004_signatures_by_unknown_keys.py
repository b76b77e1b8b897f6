"""Connections at which somebody was refused because of the provider's keys: it may have new ones.

The control plane looks here instead of into every workspace; a row goes when it has asked the provider again.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

revision = "0004"
down_revision = "0003"

HERE = "directory"


def upgrade() -> None:
    op.create_table(
        "unknown_key",
        sa.Column("connection_id", UUID, primary_key=True),
        sa.Column("organisation_id", UUID, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        schema=HERE,
    )
