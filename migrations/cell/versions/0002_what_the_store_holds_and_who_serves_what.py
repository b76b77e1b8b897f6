"""What the object store really holds of each workspace, and which version of the directory each process serves.

`store_bytes` and `store_objects` are the store's own count at `reconciled_at`; `orphans` are objects that no row knows,
`missing` are rows whose object is gone. All of it is empty until a first comparison was made.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

HERE = "directory"


def upgrade() -> None:
    for column in (
        sa.Column("store_bytes", sa.BigInteger),
        sa.Column("store_objects", sa.BigInteger),
        sa.Column("orphans", sa.Integer, nullable=False, server_default="0"),
        sa.Column("missing", sa.Integer, nullable=False, server_default="0"),
        sa.Column("reconciled_at", sa.DateTime(timezone=True)),
    ):
        op.add_column("usage", column, schema=HERE)
    op.add_column("heartbeat", sa.Column("version", sa.BigInteger), schema=HERE)
