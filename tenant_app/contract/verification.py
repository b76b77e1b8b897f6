"""Prove the hardening by trying it: each probe is a way out of a slot that PostgreSQL must refuse.

The probes run as the tenant app would, in transactions that are rolled back. A refusal for want of a right counts; any
other error does not, for it would hide that the right is there.
"""

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from psycopg import sql

from kit.errors import Refusal, Unavailable
from tenant_app.contract.connections import Connection
from tenant_app.contract.preparation import Names, require_version
from tenant_app.contract.records import Check, slot_name

REFUSED = (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable)


@dataclass(frozen=True)
class Probe:
    """A way out. `{other}` is another slot, `{own}` the probing one; as the login role, no slot has been entered."""

    name: str
    statement: str
    as_login: bool = False


PROBES = (
    Probe("a role cannot be switched inside a query", "select set_config('role', '{other}', true)"),
    Probe("another tenant cannot be read", "select count(*) from {other}.principal"),
    Probe("another tenant cannot be written", "insert into {other}.tally (key, value) values ('probe', 1)"),
    Probe("a forgotten context reads nothing", "select count(*) from {own}.principal", as_login=True),
    Probe("a forgotten context finds no table", "select count(*) from principal", as_login=True),
    Probe("SQL cannot run from text (ts_stat)", "select * from ts_stat('select ''a''::tsvector')"),
    Probe("SQL cannot run from text (xml)", "select query_to_xml('select 1', true, true, '')"),
    Probe("no message crosses tenants", "select pg_notify('directory', 'probe')"),
    Probe("no lock crosses tenants", "select pg_try_advisory_lock(1)"),
    Probe("no lock crosses tenants (transaction)", "select pg_advisory_xact_lock(1)"),
    Probe("no temporary table", "create temporary table node (id int)"),
    Probe("no table in the own schema", "create table {own}.probe (id int)"),
    Probe("no function in the own schema", "create function {own}.probe() returns int language sql as 'select 1'"),
    Probe("no code block", "do $$ begin perform 1; end $$"),
    Probe("no schema", "create schema probe"),
    Probe("no extension", "create extension pg_trgm"),
    Probe("own tables cannot be altered", "alter table {own}.principal add column probe int"),
    Probe("own tables cannot be emptied at once", "truncate {own}.journal"),
    Probe("the journal cannot be rewritten", "update {own}.journal set verb = 'probe'"),
    Probe("back ends cannot be ended", "select pg_terminate_backend(0)"),
    Probe("back ends cannot be cancelled", "select pg_cancel_backend(0)"),
    Probe("back ends cannot be put to sleep", "select pg_sleep(0)"),
    Probe("no large object", "select lo_create(0)"),
    Probe("no file is read", "select pg_read_file('PG_VERSION')"),
    Probe("no file is copied", "copy {own}.tally to '/dev/null'"),
    Probe("no program is run", "copy {own}.tally to program 'cat > /dev/null'"),
    Probe("no write into the log of changes", "select pg_logical_emit_message(true, 'probe', 'probe')"),
    Probe("sizes of others stay unknown", "select pg_total_relation_size('pg_class')"),
    Probe("passwords stay unknown", "select rolpassword from pg_authid"),
    Probe("the directory is closed to tenants", "select count(*) from directory.tenant"),
    Probe("the directory is read-only to the app", "delete from directory.tenant", as_login=True),
    Probe("slots are none of the app's business", "select count(*) from directory.slot", as_login=True),
    Probe("the app cannot become the builder", "set local role {builder}", as_login=True),
    Probe("the app cannot become the administrator", "set local role {admin}", as_login=True),
)

# Rights that no statement shows: who may connect, and how the login role holds its slots.
FACTS = {
    "only invited roles connect": "select not has_database_privilege('public', %(database)s, 'CONNECT')",
    "the login role is nobody by itself": "select not (rolsuper or rolinherit or rolcreaterole or rolcreatedb or"
    " rolreplication or rolbypassrls) from pg_roles where rolname = %(app)s",
    "the login role inherits no slot": "select not exists (select from pg_auth_members where member ="
    " (select oid from pg_roles where rolname = %(app)s) and (inherit_option or admin_option))",
    "slots cannot log in": r"select not exists (select from pg_roles where rolname like 'slot\_%%' and rolcanlogin)",
    "extensions bring no way out": "select not exists (select from pg_extension where extname in"
    " ('dblink', 'postgres_fdw', 'file_fdw', 'adminpack', 'lo', 'plpython3u', 'plperlu', 'pltclu'))",
}


def verify(admin_url: str, names: Names, build_spare: Callable[[], str]) -> list[Check]:
    """Every probe and fact as a check. Slots are built when there are fewer than two to try them in."""
    try:
        with psycopg.connect(admin_url, autocommit=True, connect_timeout=5) as connection:
            ready = _readiness(connection, names)
            if not all(check.ok for check in ready):
                return ready
            own, other = _two_slots(connection, build_spare)
            return [*ready, *_facts(connection, names), *_probes(connection, names, own, other)]
    except psycopg.OperationalError as error:
        raise Unavailable("cell_unreachable", str(error)) from error


def _readiness(connection: Connection, names: Names) -> list[Check]:
    try:
        require_version(connection.info.server_version)
        version = Check(name="PostgreSQL is 18 or newer", ok=True)
    except Refusal as refusal:
        version = Check(name="PostgreSQL is 18 or newer", ok=False, detail=str(refusal))
    row = connection.execute(
        "select to_regclass('directory.slot') is not null and to_regrole(quote_ident(%s)) is not null", [names.app]
    ).fetchone()
    prepared = row is not None and bool(row[0])
    return [version, Check(name="the database is prepared", ok=prepared, detail="" if prepared else "run prepare")]


def _two_slots(connection: Connection, build_spare: Callable[[], str]) -> tuple[str, str]:
    rows = connection.execute("select name from directory.slot order by organisation_id is null desc, name limit 2")
    found = [slot_name(row[0]) for row in rows]
    while len(found) < 2:
        found.append(build_spare())
    return found[0], found[1]


def _facts(connection: Connection, names: Names) -> list[Check]:
    checks = []
    for name, query in FACTS.items():
        row = connection.execute(query.encode(), {"database": names.database, "app": names.app}).fetchone()
        checks.append(Check(name=name, ok=row is not None and bool(row[0])))
    return checks


def _probes(connection: Connection, names: Names, own: str, other: str) -> list[Check]:
    places = {
        "own": own,
        "other": other,
        "builder": sql.Identifier(names.builder).as_string(connection),
        "admin": sql.Identifier(connection.info.user).as_string(connection),
    }
    connection.execute(sql.SQL("set session authorization {}").format(sql.Identifier(names.app)))
    return [_try(connection, probe, places) for probe in PROBES]


def _try(connection: Connection, probe: Probe, places: dict[str, str]) -> Check:
    entry = "" if probe.as_login else "set local role {own}; set local search_path = {own}, pg_temp"
    try:
        with connection.transaction(force_rollback=True):
            if entry:
                connection.execute(entry.format(**places).encode())
            connection.execute(probe.statement.format(**places).encode())
    except REFUSED as error:
        return Check(name=probe.name, ok=True, detail=str(error).splitlines()[0])
    except psycopg.Error as error:
        return Check(name=probe.name, ok=False, detail=f"not refused for want of a right: {error}")
    return Check(name=probe.name, ok=False, detail="PostgreSQL let it through")
