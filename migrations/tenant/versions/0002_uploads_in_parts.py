"""Uploads in parts: how large a part is, and what each part must be, so that a torn one can be asked for again.

`digests` holds the SHA-256 of each part, 32 bytes each, in their order. `upload.multipart` is the store's own name of an
upload in parts, and has been there from the start.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("upload", sa.Column("part_bytes", sa.BigInteger))
    op.add_column("upload", sa.Column("digests", sa.LargeBinary))
    op.add_column("version", sa.Column("part_bytes", sa.BigInteger))
