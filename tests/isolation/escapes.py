"""Ways out of a slot that work on PostgreSQL as it comes, beyond those that `verify` tries at every customer's."""

from dataclasses import dataclass

from tenant_app.contract.verification import PROBES


@dataclass(frozen=True)
class Escape:
    """`control` says where the same statement works: as a slot of a soft database, or for the administrator alone."""

    name: str
    statement: str
    as_login: bool = False
    control: str = "slot"


# These PostgreSQL itself refuses to ordinary roles. Their control is that the administrator may.
BY_NATURE = {
    "another tenant cannot be read",
    "another tenant cannot be written",
    "no extension",
    "own tables cannot be altered",
    "no file is read",
    "no file is copied",
    "no program is run",
    "passwords stay unknown",
    "the directory is closed to tenants",
    "the directory is read-only to the app",
    "slots are none of the app's business",
    "the app cannot become the builder",
    "the app cannot become the administrator",
}
# A context is what these lack: with one, the same statement works.
BY_CONTEXT = {"a forgotten context reads nothing", "a forgotten context finds no table"}


def _control(name: str) -> str:
    return "admin" if name in BY_NATURE else "context" if name in BY_CONTEXT else "slot"


ESCAPES = [
    *(Escape(probe.name, probe.statement, probe.as_login, _control(probe.name)) for probe in PROBES),
    Escape(
        "role switched, then SQL run from text, in one query",
        "select s.word from (select set_config('role', '{other}', true) as r) q,"
        " lateral (select word from ts_stat('select to_tsvector(''simple'', name) from {other}.principal'"
        " || left(q.r, 0))) s",
    ),
    Escape("role switched for the whole session", "select set_config('role', '{other}', false)"),
    Escape("path moved to another tenant", "select set_config('search_path', '{other}', false)"),
    Escape("time limit lifted inside a query", "select set_config('statement_timeout', '0', false)"),
    Escape("a note left in a setting", "select set_config('app.note', 'canary', false)"),
    Escape("a note left in the session's lock", "select pg_advisory_lock_shared(42)"),
    Escape("a try at the session's lock", "select pg_try_advisory_xact_lock(42, 1)"),
    Escape("everybody's locks let go", "select pg_advisory_unlock_all()"),
    Escape("sleeping for a time", "select pg_sleep_for('1 microsecond')"),
    Escape("sleeping until a moment", "select pg_sleep_until(now() - interval '1 second')"),
    Escape("a large object filled", "select lo_from_bytea(0, 'canary')"),
    Escape("a snapshot handed out", "select pg_export_snapshot()"),
    Escape("a temporary view", "create temporary view node as select 1 as id"),
    Escape("a temporary sequence", "create temporary sequence counter"),
    Escape("a table in the public schema", "create table public.probe (id int)"),
    Escape(
        "a function with another's powers",
        "create function {own}.probe() returns text language sql security definer as 'select current_user::text'",
    ),
    Escape(
        "a function that switches the role",
        "create function {own}.probe() returns void language plpgsql set role from current as $$ begin end $$",
    ),
    Escape("a code block that switches the role", "do $$ begin execute 'set local role {own}'; end $$"),
    Escape("a rule on an own table", "create rule probe as on insert to {own}.tally do nothing", control="admin"),
    Escape("a policy on an own table", "create policy probe on {own}.tally", control="admin"),
    Escape("the own role handed to a neighbour", "grant {own} to {other}", control="admin"),
    Escape("the own role made powerful", "alter role {own} superuser", control="admin"),
    Escape("the database's settings changed", "alter database {database} set work_mem = '1MB'", control="admin"),
    Escape("the server's settings changed", "select pg_reload_conf()", control="admin"),
    Escape("the server's folder listed", "select pg_ls_dir('.')", control="admin"),
    Escape("the server's log read", "select pg_current_logfile()", control="admin"),
    Escape("a file read through a large object", "select lo_import('/etc/hostname')", control="admin"),
    Escape("a foreign server", "create foreign data wrapper probe", control="admin"),
    Escape("a publication of all tables", "create publication probe for all tables", control="admin"),
    Escape("statistics reset", "select pg_stat_reset()", control="admin"),
    Escape("a checkpoint", "checkpoint", control="admin"),
    Escape("the samples of another's columns", "select * from pg_statistic limit 1", control="admin"),
    Escape("the contents of large objects", "select * from pg_largeobject limit 1", control="admin"),
    Escape("addresses of foreign servers", "select * from pg_user_mapping limit 1", control="admin"),
]
