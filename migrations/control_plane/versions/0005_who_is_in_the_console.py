"""Who is in the console"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "console_session",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.String(length=10), nullable=False),
        sa.Column("principal_id", sa.Uuid(), nullable=True),
        sa.Column("link_id", sa.Uuid(), nullable=True),
        sa.Column("ticket_id", sa.Uuid(), nullable=True),
        sa.Column("user_agent", sa.String(length=300), nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("scope in ('member', 'set_up')", name=op.f("ck_console_session_scope")),
        sa.CheckConstraint("(scope = 'member') = (principal_id is not null)", name=op.f("ck_console_session_person")),
        sa.CheckConstraint("(scope = 'set_up') = (link_id is not null)", name=op.f("ck_console_session_link")),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_console_session_organisation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_console_session")),
        sa.UniqueConstraint("ticket_id", name=op.f("uq_console_session_ticket_id")),
    )
    op.create_index(op.f("ix_console_session_organisation_id"), "console_session", ["organisation_id"])
    op.create_index(op.f("ix_console_session_expires_at"), "console_session", ["expires_at"])
