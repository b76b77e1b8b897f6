"""Keys that rotate"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# What exists keeps the keys that derive from the master key: rows without a sealed text say so, and whoever first
# needs such a key seals it.
ADOPT = """
insert into audit_key (one) select true where exists (select from audit_chain);

insert into store_key (organisation_id, version, key_id, state, stored_at, published_at)
select organisation_id, 1, 'PV' || upper(right(replace(organisation_id::text, '-', ''), 12)) || '01', 'current',
       placed_at, placed_at
from placement;
"""


def upgrade() -> None:
    op.create_table(
        "audit_key",
        sa.Column("one", sa.Boolean(), nullable=False),
        sa.Column("key_sealed", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("one", name=op.f("ck_audit_key_one")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_audit_key")),
    )
    op.add_column("cell", sa.Column("key_sealed", sa.Text(), nullable=True))
    organisation_keys()
    op.create_table(
        "orphan_sighting",
        sa.Column("cell", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("cell", "kind", "name", name=op.f("pk_orphan_sighting")),
    )
    op.execute(ADOPT)


def organisation_keys() -> None:
    op.create_table(
        "organisation_key",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("wrapped", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("files_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("destroyed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "wrapped is null = (destroyed_at is not null)", name=op.f("ck_organisation_key_destroyed")
        ),
        sa.PrimaryKeyConstraint("organisation_id", "version", name=op.f("pk_organisation_key")),
    )
    op.create_index(
        "uq_organisation_key_current",
        "organisation_key",
        ["organisation_id"],
        unique=True,
        postgresql_where="retired_at is null",
    )
    op.create_table(
        "store_key",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("secret_sealed", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("directory_version", sa.BigInteger(), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_use_ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state in ('current', 'retiring', 'gone')", name=op.f("ck_store_key_state")),
        sa.PrimaryKeyConstraint("organisation_id", "version", name=op.f("pk_store_key")),
    )
    where = {"uq_store_key_current": "current", "ix_store_key_retiring": "retiring"}
    for name, state in where.items():
        op.create_index(
            name,
            "store_key",
            ["organisation_id"],
            unique=state == "current",
            postgresql_where=f"state = '{state}'",
        )
    op.create_index("ix_store_key_age", "store_key", ["created_at"], postgresql_where="state = 'current'")
