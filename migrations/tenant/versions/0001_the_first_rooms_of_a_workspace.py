"""The first rooms of a workspace: people and how they sign in, spaces, the drive and its quota.

Every table and index is multiplied by all tenants: no enums (a driver must look them up), few types that need a TOAST
pair, foreign keys only where rows really fall together. Nothing here names a schema: `search_path` decides.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

revision = "0001"
down_revision = None

NOW = sa.text("now()")


def ascii_text(length: int) -> sa.String:
    """Text compared byte by byte: cheaper to index, and never subject to a locale."""
    return sa.String(length, collation="C")


def moment(name: str, *, now: bool = False, required: bool = False) -> sa.Column:
    if now:
        return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=NOW)
    return sa.Column(name, sa.DateTime(timezone=True), nullable=not required)


def belongs_to(table: str, name: str, **options) -> sa.Column:
    return sa.Column(name, UUID, sa.ForeignKey(f"{table}.id", ondelete="CASCADE"), **options)


def upgrade() -> None:
    people()
    spaces()
    drive()
    house_keeping()


def people() -> None:
    op.create_table(
        "principal",
        sa.Column("id", UUID, primary_key=True),
        sa.Column("kind", ascii_text(1), sa.CheckConstraint("kind in ('m', 'g')"), nullable=False),
        sa.Column("account_id", UUID, unique=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("email", ascii_text(254)),
        sa.Column(
            "role", sa.SmallInteger, sa.CheckConstraint("role between 0 and 3"), nullable=False, server_default="1"
        ),
        sa.Column("locale", ascii_text(5), nullable=False, server_default="fr"),
        sa.Column("tz", ascii_text(40), nullable=False, server_default="Europe/Paris"),
        sa.Column("member_ids", ARRAY(UUID)),
        sa.Column("prefs", JSONB, nullable=False, server_default="{}"),
        moment("disabled_at"),
        moment("seen_at"),
        moment("created_at", now=True),
    )
    op.create_index("principal_email", "principal", ["email"], unique=True)
    op.create_table(
        "credential",
        sa.Column("id", UUID, primary_key=True),
        belongs_to("principal", "principal_id", nullable=False),
        sa.Column("kind", ascii_text(1), sa.CheckConstraint("kind in ('p', 'k', 't', 'r')"), nullable=False),
        sa.Column("secret", ascii_text(600)),
        sa.Column("handle", sa.LargeBinary, unique=True),
        sa.Column("public_key", sa.LargeBinary),
        sa.Column("sign_count", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("transports", ascii_text(80)),
        sa.Column("name", sa.String(80)),
        moment("used_at"),
        moment("created_at", now=True),
    )
    op.create_index("credential_of", "credential", ["principal_id", "kind"])
    op.create_table(
        "session",
        sa.Column("hash", ascii_text(64), primary_key=True),
        sa.Column("id", UUID, nullable=False, unique=True),
        belongs_to("principal", "principal_id", nullable=False),
        sa.Column("purpose", ascii_text(20), nullable=False, server_default="member"),
        sa.Column("secret", ascii_text(64)),
        sa.Column("ip", ascii_text(45)),
        sa.Column("agent", sa.String(300)),
        moment("verified_at"),
        moment("seen_at", now=True),
        moment("expires_at", required=True),
        moment("created_at", now=True),
    )
    op.create_index("session_of", "session", ["principal_id"])
    op.create_table(
        "invitation",
        sa.Column("id", UUID, primary_key=True),
        sa.Column("email", ascii_text(254), nullable=False),
        sa.Column("name", sa.String(120)),
        sa.Column("kind", ascii_text(1), sa.CheckConstraint("kind in ('m', 'g')"), nullable=False),
        sa.Column("role", sa.SmallInteger, nullable=False, server_default="1"),
        sa.Column("space_id", UUID),
        sa.Column("hash", ascii_text(64), nullable=False, unique=True),
        sa.Column("invited_by", UUID, nullable=False),
        moment("expires_at", required=True),
        moment("accepted_at"),
        moment("created_at", now=True),
    )
    op.create_index(
        "invitation_open", "invitation", ["email"], unique=True, postgresql_where=sa.text("accepted_at is null")
    )
    # What was tried (a password for an e-mail, a challenge), so that it is not tried too often, or twice.
    op.create_table(
        "attempt",
        sa.Column("key", ascii_text(64), primary_key=True),
        sa.Column("count", sa.Integer, nullable=False, server_default="0"),
        moment("until", now=True),
    )
    op.create_index("attempt_until", "attempt", ["until"])


def spaces() -> None:
    op.create_table(
        "space",
        sa.Column("id", UUID, primary_key=True),
        sa.Column("kind", ascii_text(1), nullable=False, server_default="s"),
        sa.Column("name", sa.String(160), nullable=False),
        sa.Column("color", sa.SmallInteger),
        sa.Column("settings", JSONB, nullable=False, server_default="{}"),
        sa.Column("owner_id", UUID, nullable=False),
        moment("archived_at"),
        moment("created_at", now=True),
    )
    op.create_table(
        "access",
        sa.Column("object_id", UUID, primary_key=True),
        belongs_to("principal", "subject_id", primary_key=True),
        sa.Column("object_kind", ascii_text(1), nullable=False),
        sa.Column("role", sa.SmallInteger, nullable=False),
        sa.Column("perms", sa.Integer, nullable=False, server_default="0"),
        moment("expires_at"),
    )
    op.create_index("access_of", "access", ["subject_id", "object_kind"])


def drive() -> None:
    op.create_table(
        "node",
        sa.Column("id", UUID, primary_key=True),
        belongs_to("space", "space_id", nullable=False),
        belongs_to("node", "parent_id"),
        sa.Column("acl_id", UUID, nullable=False),
        sa.Column("kind", ascii_text(1), sa.CheckConstraint("kind in ('d', 'f')"), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("mime", ascii_text(100)),
        sa.Column("size", sa.BigInteger, sa.CheckConstraint("size >= 0"), nullable=False, server_default="0"),
        sa.Column("version", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lock_by", UUID),
        moment("lock_until"),
        sa.Column("lock_token", UUID),
        sa.Column("thumb", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created_by", UUID),
        sa.Column("updated_by", UUID),
        moment("updated_at", now=True),
        moment("created_at", now=True),
        moment("deleted_at"),
        sa.Column("etag", UUID, nullable=False),
    )
    # The root of a space has no parent: its children would all be "distinct" in a plain unique index.
    op.create_index(
        "node_name",
        "node",
        [sa.text("coalesce(parent_id, space_id)"), sa.text("lower(name)")],
        unique=True,
        postgresql_where=sa.text("deleted_at is null"),
    )
    op.create_index("node_parent", "node", ["parent_id"])
    # A folder of 100,000 items shows its first rows, folders first, from this alone.
    op.create_index(
        "node_listing",
        "node",
        [sa.text("coalesce(parent_id, space_id)"), "kind", sa.text("lower(name)"), "id"],
        postgresql_where=sa.text("deleted_at is null"),
    )
    op.create_index("node_acl", "node", ["acl_id", "updated_at"])
    op.create_index(
        "node_trash", "node", ["space_id", "deleted_at"], postgresql_where=sa.text("deleted_at is not null")
    )
    op.create_table(
        "version",
        belongs_to("node", "node_id", primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("blob_id", UUID, nullable=False),
        sa.Column("size", sa.BigInteger, sa.CheckConstraint("size >= 0"), nullable=False),
        sa.Column("sha256", ascii_text(64)),
        sa.Column("author_id", UUID),
        sa.Column("label", sa.String(120)),
        moment("created_at", now=True),
    )
    op.create_index("version_blob", "version", ["blob_id"])
    op.create_table(
        "upload",
        sa.Column("id", UUID, primary_key=True),
        belongs_to("space", "space_id", nullable=False),
        sa.Column("parent_id", UUID),
        sa.Column("node_id", UUID),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("mime", ascii_text(100)),
        sa.Column("size", sa.BigInteger, sa.CheckConstraint("size >= 0"), nullable=False),
        sa.Column("blob_id", UUID, nullable=False, unique=True),
        sa.Column("multipart", ascii_text(200)),
        sa.Column("created_by", UUID, nullable=False),
        moment("expires_at", required=True),
        moment("created_at", now=True),
    )
    op.create_index("upload_expiry", "upload", ["expires_at"])
    op.create_table(
        "discard",
        sa.Column("blob_id", UUID, primary_key=True),
        moment("due_at", now=True),
    )


def house_keeping() -> None:
    op.create_table(
        "tally",
        sa.Column("key", ascii_text(40), primary_key=True),
        sa.Column("value", sa.BigInteger, sa.CheckConstraint("value >= 0"), nullable=False, server_default="0"),
    )
    # `seats` holds no figure: its row is locked by whoever counts people or spaces against the offer.
    op.execute("insert into tally (key) values ('storage_used'), ('storage_reserved'), ('seats')")
    op.create_table(
        "setting",
        sa.Column("key", ascii_text(80), primary_key=True),
        sa.Column("value", JSONB, nullable=False),
    )
    op.create_table(
        "journal",
        sa.Column("id", UUID, primary_key=True),
        sa.Column("actor_id", UUID),
        sa.Column("verb", ascii_text(40), nullable=False),
        sa.Column("object_id", UUID),
        sa.Column("data", JSONB, nullable=False, server_default="{}"),
        moment("created_at", now=True),
    )
