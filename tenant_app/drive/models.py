"""Folders, files, their versions, and what is on its way in or out."""

from sqlalchemy import BigInteger, Column, DateTime, Integer, LargeBinary, MetaData, String, Table, Uuid

metadata = MetaData()

MOMENT = DateTime(timezone=True)

# kind: d folder, f file. A node at the top of a space has no parent. Only the topmost node of what was put in the
# trash carries `deleted_at`: what lies beneath is out of sight because every way to it is checked from the top.
node = Table(
    "node",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("space_id", Uuid, nullable=False),
    Column("parent_id", Uuid),
    Column("acl_id", Uuid, nullable=False),
    Column("kind", String(1), nullable=False),
    Column("name", String(255), nullable=False),
    Column("mime", String(100)),
    Column("size", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_by", Uuid),
    Column("updated_by", Uuid),
    Column("updated_at", MOMENT, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("deleted_at", MOMENT),
    Column("etag", Uuid, nullable=False),
)

version = Table(
    "version",
    metadata,
    Column("node_id", Uuid, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("blob_id", Uuid, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64)),
    Column("author_id", Uuid),
    Column("label", String(120)),
    Column("created_at", MOMENT, nullable=False),
    Column("part_bytes", BigInteger),
)

# multipart: the store's own name of an upload in parts; digests: the SHA-256 of each part, 32 bytes each, in order.
upload = Table(
    "upload",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("space_id", Uuid, nullable=False),
    Column("parent_id", Uuid),
    Column("name", String(255), nullable=False),
    Column("mime", String(100)),
    Column("size", BigInteger, nullable=False),
    Column("blob_id", Uuid, nullable=False),
    Column("multipart", String(200)),
    Column("created_by", Uuid, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("part_bytes", BigInteger),
    Column("digests", LargeBinary),
)

discard = Table(
    "discard",
    metadata,
    Column("blob_id", Uuid, primary_key=True),
    Column("due_at", MOMENT, nullable=False),
)
