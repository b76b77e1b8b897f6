"""The directory of one cell database: everything needed to serve its tenants while the control plane is away.

`change` remembers when each tenant last changed, counted by `version`. The counter's row lock makes commits appear in the
order of their numbers, so a reader that asks for "later than what I saw" can miss nothing.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0001"
down_revision = None

HERE = "directory"
NOW = sa.text("now()")

NOTE = """
create function directory.note() returns trigger language plpgsql set search_path = directory, pg_temp as $$
declare n bigint;
begin
    update version set number = number + 1 returning number into n;
    if tg_table_name <> 'signing_key' then
        insert into change (organisation_id, number) values (coalesce(new.organisation_id, old.organisation_id), n)
        on conflict (organisation_id) do update set number = excluded.number;
    end if;
    notify directory;
    return null;
end $$
"""


def upgrade() -> None:
    slots()
    records()
    shared_by_both_sides()
    work_for_the_worker()
    announcements()


def slots() -> None:
    op.execute("create sequence directory.slot_number maxvalue 999999")
    op.create_table(
        "slot",
        sa.Column("name", sa.String(11), sa.CheckConstraint("name ~ '^slot_[0-9]{6}$'"), primary_key=True),
        sa.Column("organisation_id", UUID, unique=True),
        sa.Column("schema_version", sa.String(40), nullable=False),
        sa.Column("built_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
        sa.Column("taken_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("organisation_id", "name"),
        schema=HERE,
    )
    op.create_index("slot_spare", "slot", ["name"], schema=HERE, postgresql_where=sa.text("organisation_id is null"))
    op.create_table(
        "fence",
        sa.Column("organisation_id", UUID, primary_key=True),
        sa.Column("fence", sa.BigInteger, nullable=False),
        schema=HERE,
    )


def records() -> None:
    op.create_table(
        "tenant",
        sa.Column("organisation_id", UUID, primary_key=True),
        sa.Column("slot", sa.String(11), nullable=False),
        sa.Column(
            "state",
            sa.String(10),
            sa.CheckConstraint("state in ('live', 'read_only', 'suspended', 'closing')"),
            nullable=False,
        ),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("address", sa.String(63), nullable=False),
        sa.Column("locale", sa.String(5), nullable=False),
        sa.Column("offer", sa.String(60), nullable=False),
        sa.Column("site_url", sa.String(300), nullable=False),
        sa.Column("notice", sa.String(1000)),
        sa.Column("trial_ends_at", sa.DateTime(timezone=True)),
        sa.Column("entitlements", JSONB, nullable=False),
        sa.Column("store", JSONB, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        # A record can only point at the slot that its own organisation took.
        sa.ForeignKeyConstraint(["organisation_id", "slot"], ["directory.slot.organisation_id", "directory.slot.name"]),
        schema=HERE,
    )
    op.create_table(
        "host",
        sa.Column("host", sa.String(253), sa.CheckConstraint("host = lower(host)"), primary_key=True),
        sa.Column(
            "organisation_id",
            UUID,
            sa.ForeignKey("directory.tenant.organisation_id", ondelete="CASCADE"),
            nullable=False,
        ),
        schema=HERE,
    )
    op.create_index("host_of", "host", ["organisation_id"], schema=HERE)


def shared_by_both_sides() -> None:
    op.create_table(
        "usage",
        sa.Column("organisation_id", UUID, primary_key=True),
        sa.Column("storage_bytes", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("members", sa.Integer, nullable=False, server_default="0"),
        sa.Column("guests", sa.Integer, nullable=False, server_default="0"),
        sa.Column("spaces", sa.Integer, nullable=False, server_default="0"),
        sa.Column("files", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("seen_at", sa.DateTime(timezone=True)),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
        schema=HERE,
    )
    op.create_table(
        "signing_key",
        sa.Column("kid", sa.String(64), primary_key=True),
        sa.Column("public", JSONB, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
        schema=HERE,
    )
    op.create_table(
        "ticket_used",
        sa.Column("id", UUID, primary_key=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        schema=HERE,
    )
    op.create_index("ticket_expiry", "ticket_used", ["expires_at"], schema=HERE)
    op.create_table(
        "heartbeat",
        sa.Column("process", sa.String(120), primary_key=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
        schema=HERE,
    )


def work_for_the_worker() -> None:
    """What a tenant's transaction leaves for the worker: nobody has to look into 2,000 schemas to find it."""
    op.create_table(
        "chore",
        sa.Column("organisation_id", UUID, primary_key=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
        schema=HERE,
    )
    op.create_index("chore_due", "chore", ["due_at"], schema=HERE)
    op.create_table(
        "mail",
        sa.Column("id", UUID, primary_key=True),
        sa.Column("organisation_id", UUID, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("recipient", sa.String(254), nullable=False),
        sa.Column("locale", sa.String(5), nullable=False),
        sa.Column("payload", JSONB, nullable=False, server_default="{}"),
        sa.Column("tries", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
        schema=HERE,
    )
    op.create_index("mail_due", "mail", ["due_at"], schema=HERE)


def announcements() -> None:
    op.create_table(
        "version",
        sa.Column("one", sa.Boolean, sa.CheckConstraint("one"), primary_key=True, server_default=sa.true()),
        sa.Column("number", sa.BigInteger, nullable=False),
        schema=HERE,
    )
    op.execute("insert into directory.version (number) values (0)")
    op.create_table(
        "change",
        sa.Column("organisation_id", UUID, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        schema=HERE,
    )
    op.create_index("change_number", "change", ["number"], schema=HERE)
    op.execute(NOTE)
    for table in ("tenant", "host", "signing_key"):
        op.execute(
            f"create trigger note after insert or update or delete on directory.{table}"
            " for each row execute function directory.note()"
        )
