"""Sign-in by an enterprise's SAML or OpenID Connect: who is whom there, flows under way, what was used, and traces.

Expand only. The release before names its columns, so its sessions keep working beside: what it writes has null in the
new columns (a session without a `way` counts as one without a second factor), and it never reads the new tables.

`session.way` says how its person proved himself; `sso_data` is what ending it at the identity provider takes.
`identity_link` is the key of trust: a subject of a connection is one person, whatever e-mail he claims next time.
Flows and replays are few and short-lived: they are read by their key and swept, so they carry no other index.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0003"
down_revision = "0002"

NOW = sa.text("now()")


def ascii_text(length: int) -> sa.String:
    """Text compared byte by byte."""
    return sa.String(length, collation="C")


def moment(name: str, *, now: bool = False, required: bool = False) -> sa.Column:
    if now:
        return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=NOW)
    return sa.Column(name, sa.DateTime(timezone=True), nullable=not required)


def upgrade() -> None:
    op.add_column("session", sa.Column("way", ascii_text(12)))
    op.add_column("session", sa.Column("connection_id", UUID))
    op.add_column("session", sa.Column("subject", ascii_text(255)))
    op.add_column("session", sa.Column("sso_session", ascii_text(255)))
    op.add_column("session", sa.Column("sso_data", JSONB))
    op.create_table(
        "identity_link",
        sa.Column("connection_id", UUID, primary_key=True),
        sa.Column("subject", ascii_text(255), primary_key=True),
        sa.Column("principal_id", UUID, sa.ForeignKey("principal.id", ondelete="CASCADE"), nullable=False),
        moment("created_at", now=True),
        moment("used_at"),
    )
    op.create_table(
        "sso_flow",
        sa.Column("hash", ascii_text(64), primary_key=True),
        sa.Column("connection_id", UUID, nullable=False),
        sa.Column("data", JSONB, nullable=False),
        moment("expires_at", required=True),
    )
    op.create_table(
        "sso_replay",
        sa.Column("hash", ascii_text(64), primary_key=True),
        moment("expires_at", required=True),
    )
    op.create_table(
        "sso_trace",
        sa.Column("id", UUID, primary_key=True),
        sa.Column("connection_id", UUID, nullable=False),
        sa.Column("purpose", ascii_text(12), nullable=False),
        sa.Column("outcome", ascii_text(60), nullable=False),
        sa.Column("principal_id", UUID),
        sa.Column("data", JSONB, nullable=False),
        moment("created_at", now=True),
    )
    op.create_index("sso_trace_of", "sso_trace", ["connection_id", "created_at"])
