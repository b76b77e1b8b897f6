"""How organisations sign in: domains, connections with their keys, policy, SCIM tokens, set-up links."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"


def moment(name: str, *, required: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=not required)


def begun(name: str) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)


def text(name: str, length: int | None = None, *, required: bool = True) -> sa.Column:
    return sa.Column(name, sa.String(length) if length else sa.Text(), nullable=not required)


def one(name: str) -> sa.Column:
    return sa.Column(name, sa.Uuid(), nullable=False)


def document(name: str) -> sa.Column:
    return sa.Column(name, postgresql.JSONB(), nullable=False)


def upgrade() -> None:
    rules()
    domains()
    connections()
    tokens()
    links()


def rules() -> None:
    op.create_table(
        "sign_in_rules",
        one("organisation_id"),
        sa.Column("session_seconds", sa.BigInteger(), nullable=True),
        sa.Column("idle_seconds", sa.BigInteger(), nullable=True),
        sa.Column("second_factor", sa.Boolean(), nullable=False),
        document("networks"),
        document("break_glass"),
        sa.Column("brake_percent", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        begun("updated_at"),
        sa.PrimaryKeyConstraint("organisation_id", name=op.f("pk_sign_in_rules")),
    )


def domains() -> None:
    op.create_table(
        "organisation_domain",
        one("id"),
        one("organisation_id"),
        text("name", 253),
        text("token", 64),
        text("state", 10),
        sa.Column("capture", sa.Boolean(), nullable=False),
        document("answers"),
        begun("created_at"),
        moment("check_at"),
        moment("checked_at"),
        moment("proven_at"),
        moment("failing_since"),
        sa.CheckConstraint(
            "state in ('pending', 'proven', 'failing', 'lost')", name=op.f("ck_organisation_domain_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation_domain")),
        sa.UniqueConstraint("organisation_id", "name", name=op.f("uq_organisation_domain_organisation_id_name")),
    )
    proven = sa.text("state in ('proven', 'failing')")
    op.create_index("uq_domain_proven", "organisation_domain", ["name"], unique=True, postgresql_where=proven)
    op.create_index("ix_domain_due", "organisation_domain", ["check_at"])


def connections() -> None:
    op.create_table(
        "sign_in_connection",
        one("id"),
        one("organisation_id"),
        text("kind", 4),
        text("vendor", 12),
        text("name", 60),
        text("stage", 8),
        document("domains"),
        document("pilot"),
        document("attributes"),
        document("roles"),
        text("otherwise", 13, required=False),
        sa.Column("just_in_time", sa.Boolean(), nullable=False),
        document("settings"),
        text("secret_sealed", required=False),
        text("metadata_url", required=False),
        moment("metadata_at"),
        moment("metadata_due_at"),
        text("metadata_trouble", required=False),
        text("test_sha256", 64, required=False),
        moment("test_until"),
        moment("settled_at", required=True),
        moment("tested_at"),
        moment("enforced_at"),
        moment("reverts_at"),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        begun("created_at"),
        begun("updated_at"),
        sa.CheckConstraint("kind in ('saml', 'oidc')", name=op.f("ck_sign_in_connection_kind")),
        sa.CheckConstraint(
            "stage in ('draft', 'tested', 'pilot', 'enforced')", name=op.f("ck_sign_in_connection_stage")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_connection")),
    )
    op.create_index(op.f("ix_sign_in_connection_organisation_id"), "sign_in_connection", ["organisation_id"])
    due = sa.text("metadata_due_at is not null")
    op.create_index("ix_connection_metadata", "sign_in_connection", ["metadata_due_at"], postgresql_where=due)
    op.create_table(
        "sign_in_key",
        one("id"),
        one("connection_id"),
        text("state", 8),
        text("certificate"),
        text("key_sealed"),
        begun("created_at"),
        sa.CheckConstraint("state in ('current', 'next', 'past')", name=op.f("ck_sign_in_key_state")),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["sign_in_connection.id"],
            name=op.f("fk_sign_in_key_connection_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_key")),
    )
    op.create_index(op.f("ix_sign_in_key_connection_id"), "sign_in_key", ["connection_id"])


def tokens() -> None:
    op.create_table(
        "scim_token",
        one("id"),
        one("organisation_id"),
        sa.Column("connection_id", sa.Uuid(), nullable=True),
        text("name", 80),
        text("prefix", 20),
        text("sha256", 64),
        text("created_by", 200),
        begun("created_at"),
        moment("expires_at"),
        moment("revoked_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scim_token")),
        sa.UniqueConstraint("sha256", name=op.f("uq_scim_token_sha256")),
    )
    op.create_index(op.f("ix_scim_token_organisation_id"), "scim_token", ["organisation_id"])


def links() -> None:
    op.create_table(
        "set_up_link",
        one("id"),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        one("organisation_id"),
        text("purpose", 8),
        text("created_by", 200),
        begun("created_at"),
        moment("expires_at", required=True),
        moment("used_at"),
        moment("revoked_at"),
        sa.CheckConstraint("purpose in ('domains', 'sign_in', 'scim')", name=op.f("ck_set_up_link_purpose")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_set_up_link")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_set_up_link_token_hash")),
    )
    op.create_index(op.f("ix_set_up_link_organisation_id"), "set_up_link", ["organisation_id"])
