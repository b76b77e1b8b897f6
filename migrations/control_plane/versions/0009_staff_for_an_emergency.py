"""Staff for an emergency: whom their own ways let in while the company's sign-in is away."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("staff", sa.Column("emergency", sa.Boolean(), nullable=False, server_default=sa.false()))
