"""Staff sessions that are vouched for"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("staff_session", sa.Column("ask_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("staff_session", sa.Column("sid", sa.String(length=255), nullable=True))
    op.add_column("staff_session", sa.Column("id_token_sealed", sa.Text(), nullable=True))
