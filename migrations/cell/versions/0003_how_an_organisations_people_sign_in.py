"""How an organisation's people sign in: its connections, proven domains, policy and the hashes of its SCIM tokens.

Empty for those who have set up nothing. A control plane of an older release leaves the column as it is.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"

HERE = "directory"


def upgrade() -> None:
    op.add_column("tenant", sa.Column("identity", JSONB, nullable=False, server_default="{}"), schema=HERE)
