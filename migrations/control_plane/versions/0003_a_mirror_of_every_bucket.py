"""A mirror of every bucket"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"


def moment(name: str) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=True)


def begun(name: str) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)


def count(name: str) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)


def upgrade() -> None:
    mirrors()
    op.create_table(
        "mirror_gone",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("object_id", sa.Uuid(), nullable=False),
        begun("seen_at"),
        sa.PrimaryKeyConstraint("organisation_id", "object_id", name=op.f("pk_mirror_gone")),
    )
    runs()


def mirrors() -> None:
    op.create_table(
        "mirror",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("target", sa.String(length=200), nullable=True),
        sa.Column("state", sa.String(length=12), server_default="new", nullable=False),
        begun("due_at"),
        moment("asked_at"),
        moment("turn_at"),
        moment("lease_until"),
        count("fence"),
        count("attempts"),
        sa.Column("cursor", sa.Text(), nullable=True),
        moment("started_at"),
        count("pass_objects"),
        count("pass_bytes"),
        count("copied"),
        count("copied_bytes"),
        count("removed"),
        count("kept"),
        count("failed"),
        count("missing"),
        count("differing"),
        moment("oldest_unmirrored_at"),
        moment("whole_at"),
        moment("finished_at"),
        sa.Column("objects", sa.BigInteger(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("error_code", sa.String(length=60), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        moment("verified_at"),
        sa.Column("verified_objects", sa.BigInteger(), nullable=True),
        sa.Column("mismatches", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state in ('new', 'copying', 'whole', 'waiting', 'suspended', 'needs_keys', 'failing')",
            name=op.f("ck_mirror_state"),
        ),
        sa.PrimaryKeyConstraint("organisation_id", name=op.f("pk_mirror")),
    )
    op.create_index("ix_mirror_turn", "mirror", ["turn_at", "organisation_id"])


def runs() -> None:
    op.create_table(
        "mirror_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("asked", postgresql.JSONB(), nullable=False),
        sa.Column("requested_by", postgresql.JSONB(), nullable=False),
        begun("created_at"),
        moment("started_at"),
        moment("finished_at"),
        count("attempts"),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("expected", sa.BigInteger(), nullable=True),
        count("checked"),
        count("read_bytes"),
        count("restored"),
        count("restored_bytes"),
        count("mismatches"),
        sa.Column("findings", postgresql.JSONB(), nullable=False),
        sa.Column("error_code", sa.String(length=60), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("kind in ('verify', 'restore')", name=op.f("ck_mirror_run_kind")),
        sa.CheckConstraint(
            "state in ('pending', 'running', 'done', 'failed')", name=op.f("ck_mirror_run_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mirror_run")),
    )
    op.create_index(op.f("ix_mirror_run_organisation_id_id"), "mirror_run", ["organisation_id", "id"])
    op.create_index(
        "uq_mirror_run_open",
        "mirror_run",
        ["organisation_id"],
        unique=True,
        postgresql_where="state in ('pending', 'running')",
    )
