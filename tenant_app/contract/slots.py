"""Slots: schemas with their roles, built ahead of need, taken by one small transaction, dropped one at a time.

Every write for an organisation first shows its fence. The row it locks makes writes for one organisation follow each
other, and outlives the organisation, so that a worker that lost its lease long ago can still not bring it back.
"""

from uuid import UUID

import psycopg
from psycopg import sql

from kit.errors import Refusal, Unavailable
from migrations.tenant import CompiledSchema
from tenant_app.contract.connections import Connection
from tenant_app.contract.preparation import Names
from tenant_app.contract.records import Owner, slot_name

SHOW_FENCE = """
insert into directory.fence (organisation_id, fence) values (%s, %s)
on conflict (organisation_id) do update set fence = excluded.fence where fence.fence <= excluded.fence
returning fence
"""
SLOT_OF = "select name from directory.slot where organisation_id = %s"
CLAIM = """
update directory.slot set organisation_id = %s, taken_at = now()
where name = (
    select name from directory.slot where organisation_id is null
    order by schema_version = %s desc, name for update skip locked limit 1)
returning name
"""
ROLE_STATE = """
select not (rolcanlogin or rolsuper or rolinherit or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls)
from pg_roles where rolname = %s
"""
NEXT = """
with next as (select 'slot_' || lpad(nextval('directory.slot_number')::text, 6, '0') as name)
select name, (
    select not (rolcanlogin or rolsuper or rolinherit or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls)
    from pg_roles where rolname = name) from next
"""
POWERLESS = "NOLOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
BUILD = """
{role}
GRANT {slot} TO {app} WITH INHERIT FALSE, SET TRUE, ADMIN FALSE;
CREATE SCHEMA {slot} AUTHORIZATION {builder};
SET LOCAL ROLE {builder};
SET LOCAL search_path = {slot}, pg_temp;
{tables}
{grants}
GRANT USAGE ON SCHEMA {slot} TO {slot};
RESET ROLE;
SET LOCAL search_path = DEFAULT;
INSERT INTO directory.slot (name, organisation_id, schema_version, taken_at)
SELECT '{slot}', o.id, {version}, CASE WHEN o.id IS NOT NULL THEN now() END FROM (SELECT {organisation}::uuid) o (id);
"""
FORGET = (
    "delete from directory.usage where organisation_id = %s",
    "delete from directory.chore where organisation_id = %s",
    "delete from directory.mail where organisation_id = %s",
)
OWNER = """
insert into principal (id, kind, name, email, role, locale) values (%s, 'm', %s, %s, 3, %s) on conflict do nothing
"""


class Entry:
    """The organisation locked in this database, its fence shown, and the slot it has taken; one round trip.

    Ask within a pipeline, beside other questions; read the answer after it. Raises `Unavailable("fenced")` if a newer
    lease has been here.
    """

    def __init__(self, connection: Connection, organisation_id: UUID, fence: int) -> None:
        self._whose = f"a newer lease than {fence} works on {organisation_id}"
        self._fence = connection.execute(SHOW_FENCE, [organisation_id, fence])
        self._slot = connection.execute(SLOT_OF, [organisation_id])

    def slot(self) -> str | None:
        """The slot that the organisation has taken."""
        if self._fence.fetchone() is None:
            raise Unavailable("fenced", self._whose)
        row = self._slot.fetchone()
        return None if row is None else slot_name(row[0])


def enter(connection: Connection, organisation_id: UUID, fence: int) -> str | None:
    """The organisation's slot, with the organisation locked and the fence shown; see `Entry`."""
    with connection.pipeline():
        entry = Entry(connection, organisation_id, fence)
    return entry.slot()


def build(connection: Connection, names: Names, schema: CompiledSchema, organisation_id: UUID | None = None) -> str:
    """Build one slot, role and membership included, in the caller's transaction: it is there whole or not at all."""
    row = connection.execute(NEXT).fetchone()
    assert row is not None
    slot, powerless = slot_name(row[0]), row[1]
    batch = BUILD.format(
        role=_role_statement(slot, powerless),
        slot=slot,
        app=sql.Identifier(names.app).as_string(connection),
        builder=sql.Identifier(names.builder).as_string(connection),
        tables=schema.sql,
        grants=schema.grants(slot),
        version=sql.Literal(schema.version).as_string(connection),
        organisation=sql.Literal(organisation_id).as_string(connection),
    )
    connection.execute(batch.encode())
    return slot


def _role_statement(slot: str, powerless: bool | None) -> str:
    """Roles belong to the whole cluster: the same slot of a neighbouring database may have made this one already."""
    if powerless is None:
        return f"CREATE ROLE {slot} {POWERLESS};"
    return "" if powerless else f"ALTER ROLE {slot} {POWERLESS};"


def take(connection: Connection, names: Names, schema: CompiledSchema, organisation_id: UUID, fence: int) -> str:
    """The organisation's slot: the one it has, else a spare (of this release before others), else one built now."""
    slot = enter(connection, organisation_id, fence)
    if slot is None:
        row = connection.execute(CLAIM, [organisation_id, schema.version]).fetchone()
        slot = build(connection, names, schema, organisation_id) if row is None else slot_name(row[0])
    return slot


def ensure_owner(connection: Connection, organisation_id: UUID, owner: Owner, fence: int) -> bool:
    """The owner exists in the workspace. One who renamed himself there keeps his name. True if he was just made."""
    slot = enter(connection, organisation_id, fence)
    if slot is None:
        raise Unavailable("no_slot", f"{organisation_id} has no slot in this database")
    with connection.pipeline():
        connection.execute(f"SET LOCAL ROLE {slot}".encode())
        connection.execute(f"SET LOCAL search_path = {slot}, pg_temp".encode())
        made = connection.execute(OWNER, [owner.id, owner.name, owner.email.strip().lower(), owner.locale])
        present = connection.execute("select 1 from principal where id = %s", [owner.id])
        connection.execute("RESET ROLE")
    if present.fetchone() is None:
        raise Refusal(
            "owner_email_taken", "Another person of this workspace already uses “{email}”.", email=owner.email
        )
    return made.rowcount == 1


def drop(connection: Connection, names: Names, organisation_id: UUID, fence: int) -> bool:
    """Remove the schema with all its rows, and the role unless a neighbouring database still uses it."""
    slot = enter(connection, organisation_id, fence)
    if slot is None:
        return False
    if connection.execute("select 1 from directory.tenant where organisation_id = %s", [organisation_id]).fetchone():
        raise Unavailable("still_published", f"{organisation_id} must be unpublished before its slot is dropped")
    # The row before the tables, as an upgrade does it: neither waits for what the other holds.
    connection.execute("select from directory.slot where name = %s for update", [slot])
    connection.execute(f"DROP SCHEMA IF EXISTS {slot} CASCADE".encode())
    connection.execute("delete from directory.slot where name = %s", [slot])
    for statement in FORGET:
        connection.execute(statement, [organisation_id])
    remove_role(connection, names, slot)
    return True


def remove_role(connection: Connection, names: Names, slot: str) -> None:
    """Take the slot from the login role, and drop the role if nothing in the cluster depends on it."""
    app = sql.Identifier(names.app)
    if connection.execute("select 1 from pg_roles where rolname = %s", [slot]).fetchone() is None:
        return
    connection.execute(sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(slot), app))
    try:
        with connection.transaction():
            connection.execute(f"DROP ROLE IF EXISTS {slot}".encode())
    except psycopg.errors.DependentObjectsStillExist:
        # The same number of another database; it drops the role when its own turn comes.
        return
