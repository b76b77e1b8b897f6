"""Support by consent"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "support_access",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("staff_name", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("read_only", sa.Boolean(), nullable=False),
        sa.Column("hours", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("administrator_id", sa.Uuid(), nullable=True),
        sa.Column("administrator_name", sa.String(length=200), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(length=200), nullable=True),
        sa.CheckConstraint("hours between 3 and 168", name=op.f("ck_support_access_hours")),
        sa.CheckConstraint(
            "(accepted_at is null) = (until is null) and (accepted_at is null) = (administrator_id is null)",
            name=op.f("ck_support_access_consent"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_support_access")),
    )
    op.create_index(op.f("ix_support_access_organisation_id"), "support_access", ["organisation_id"])
    op.create_index("ix_support_access_until", "support_access", ["until"], postgresql_where=sa.text("ended_at is null"))
