"""Who answers for a token (for those of before: who issued it, by the record), and who lost his role."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("staff_link", sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("api_token", sa.Column("owner_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_api_token_owner_id"), "api_token", "staff", ["owner_id"], ["id"])
    op.execute(
        "update api_token t set owner_id = s.id from audit_event e join staff s on s.id::text = e.actor ->> 'id'"
        " where e.verb in ('token.issued', 'token.rotated') and e.actor ->> 'kind' = 'staff'"
        " and e.data ->> 'token_id' = t.id::text"
    )
