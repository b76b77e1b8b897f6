"""Compare a slot with its blueprint and mend what differs. Names its tables, and so never walks the catalogue."""

from dataclasses import dataclass
from uuid import UUID

from psycopg import sql

from kit.errors import Unavailable
from migrations.tenant import CompiledSchema
from tenant_app.contract.connections import Connection
from tenant_app.contract.preparation import Names
from tenant_app.contract.publishing import read
from tenant_app.contract.records import Inspection, Inventory, slot_name
from tenant_app.contract.slots import POWERLESS, ROLE_STATE, enter

TABLE_RIGHTS = """
select c.relname, r.rolname = %(builder)s, coalesce(g.rolname, 'PUBLIC'), a.privilege_type
from pg_class c
join pg_roles r on r.oid = c.relowner
left join lateral aclexplode(c.relacl) a on a.grantee <> c.relowner
left join pg_roles g on g.oid = a.grantee
where c.relname = any(%(tables)s) and c.relnamespace = (select oid from pg_namespace where nspname = %(slot)s)
"""
SCHEMA_RIGHTS = """
select coalesce(g.rolname, 'PUBLIC'), a.privilege_type
from pg_namespace n
left join lateral aclexplode(n.nspacl) a on a.grantee <> n.nspowner
left join pg_roles g on g.oid = a.grantee
where n.nspname = %s
"""
MEMBERSHIP = """
select r.rolname, m.rolname, am.inherit_option, am.set_option, am.admin_option
from pg_auth_members am join pg_roles r on r.oid = am.roleid join pg_roles m on m.oid = am.member
where m.rolname = %(slot)s or (r.rolname = %(slot)s and m.rolname = %(app)s)
"""

SLOTS = "select name, organisation_id from directory.slot"
TENANTS = "select organisation_id, slot from directory.tenant"
HOSTS = "select host, organisation_id from directory.host"
SCHEMAS = r"select nspname from pg_namespace where nspname like 'slot\_%'"
ROLES = """
select r.rolname from pg_auth_members am join pg_roles r on r.oid = am.roleid join pg_roles m on m.oid = am.member
where m.rolname = %s
"""


@dataclass(frozen=True)
class _Found:
    """A difference, and the statement that removes it; none if only a restore would."""

    what: str
    cure: str | None


def inspect(connection: Connection, names: Names, schema: CompiledSchema, organisation_id: UUID) -> Inspection:
    """What exists of the organisation here. Absence is an answer, not an error.

    A slot that waits for its upgrade is measured by its own version, and so is whole.
    """
    row = connection.execute(
        "select name, schema_version from directory.slot where organisation_id = %s", [organisation_id]
    ).fetchone()
    record = read(connection, organisation_id)
    if row is None:
        return Inspection(slot=None, schema=False, role=False, schema_version=None, record=record, drift=())
    slot = slot_name(row[0])
    found = _differences(connection, names, schema, slot, row[1])
    return Inspection(
        slot=slot,
        schema=not any(difference.what == "schema is missing" for difference in found),
        role=not any(difference.what == "role is missing" for difference in found),
        schema_version=row[1],
        record=record,
        drift=tuple(difference.what for difference in found),
    )


def repair(
    connection: Connection, names: Names, schema: CompiledSchema, organisation_id: UUID, fence: int
) -> tuple[str, ...]:
    """Mend the slot's rights; returns what was wrong. Raises `slot_damaged` for what only a restore brings back."""
    slot = enter(connection, organisation_id, fence)
    if slot is None:
        raise Unavailable("no_slot", f"{organisation_id} has no slot in this database")
    row = connection.execute("select schema_version from directory.slot where name = %s", [slot]).fetchone()
    assert row is not None
    found = _differences(connection, names, schema, slot, row[0])
    lost = [difference.what for difference in found if difference.cure is None]
    if lost:
        raise Unavailable("slot_damaged", f"{slot}: {', '.join(lost)}")
    for cure in dict.fromkeys(difference.cure for difference in found):
        connection.execute(str(cure).encode())
    return tuple(difference.what for difference in found)


def _differences(connection: Connection, names: Names, schema: CompiledSchema, slot: str, version: str) -> list[_Found]:
    return (
        _role_differences(connection, names, slot)
        + _schema_differences(connection, slot)
        + _table_differences(connection, names, schema, slot, version)
    )


def _role_differences(connection: Connection, names: Names, slot: str) -> list[_Found]:
    app = sql.Identifier(names.app).as_string(connection)
    member = f"GRANT {slot} TO {app} WITH INHERIT FALSE, SET TRUE, ADMIN FALSE"
    row = connection.execute(ROLE_STATE, [slot]).fetchone()
    if row is None:
        return [_Found("role is missing", f"CREATE ROLE {slot} {POWERLESS}"), _Found("login may not switch", member)]
    found = [] if row[0] else [_Found("role has powers", f"ALTER ROLE {slot} {POWERLESS}")]
    switchable = False
    for role, holder, inherit, switch, admin in connection.execute(MEMBERSHIP, {"slot": slot, "app": names.app}):
        if holder == slot:
            other = sql.Identifier(role).as_string(connection)
            found.append(_Found(f"role is member of {role}", f"REVOKE {other} FROM {slot}"))
        else:
            switchable = switch and not inherit and not admin
    return found if switchable else [*found, _Found("login may not switch", member)]


def _schema_differences(connection: Connection, slot: str) -> list[_Found]:
    rows = connection.execute(SCHEMA_RIGHTS, [slot]).fetchall()
    if not rows:
        return [_Found("schema is missing", None)]
    held = {(grantee, right) for grantee, right in rows if right is not None}
    found = [
        _Found(
            f"schema: {grantee} has {right}",
            f"REVOKE {right} ON SCHEMA {slot} FROM {_grantee(connection, grantee)}",
        )
        for grantee, right in sorted(held - {(slot, "USAGE")})
    ]
    if (slot, "USAGE") not in held:
        found.append(_Found("schema: USAGE is missing", f"GRANT USAGE ON SCHEMA {slot} TO {slot}"))
    return found


def _table_differences(
    connection: Connection, names: Names, schema: CompiledSchema, slot: str, version: str
) -> list[_Found]:
    blueprint = schema.up_to(version).tables
    rows = connection.execute(
        TABLE_RIGHTS, {"slot": slot, "tables": list(blueprint), "builder": names.builder}
    ).fetchall()
    held = {(table, grantee, right) for table, _, grantee, right in rows if right is not None}
    wanted = {(table, slot, right) for table, rights in blueprint.items() for right in rights}
    present = {table for table, *_ in rows}
    # A newer release may have taken a table away that we know.
    lost = blueprint.keys() - present if schema.knows(version) else frozenset[str]()
    found = [_Found(f"table {table} is missing", None) for table in sorted(lost)]
    builder = sql.Identifier(names.builder).as_string(connection)
    found += [
        _Found(f"{table}: foreign owner", f"ALTER TABLE {slot}.{table} OWNER TO {builder}")
        for table in sorted({table for table, owned, *_ in rows if not owned})
    ]
    found += [
        _Found(f"{table}: {right} is missing", f"GRANT {right} ON TABLE {slot}.{table} TO {slot}")
        for table, _, right in sorted(wanted - held)
        if table in present
    ]
    for table, grantee, right in sorted(held - wanted):
        cure = f"REVOKE {right} ON TABLE {slot}.{table} FROM {_grantee(connection, grantee)}"
        found.append(_Found(f"{table}: {grantee} has {right}", cure))
    return found


def _grantee(connection: Connection, name: str) -> str:
    return name if name == "PUBLIC" else sql.Identifier(name).as_string(connection)


def inventory(connection: Connection, names: Names) -> Inventory:
    """Everything of this database. Walks the catalogue: for a sweep, not for a request."""
    return Inventory(
        slots=dict(connection.execute(SLOTS).fetchall()),
        schemas=frozenset(row[0] for row in connection.execute(SCHEMAS)),
        roles=frozenset(row[0] for row in connection.execute(ROLES, [names.app])),
        tenants=dict(connection.execute(TENANTS).fetchall()),
        hosts=dict(connection.execute(HOSTS).fetchall()),
    )
