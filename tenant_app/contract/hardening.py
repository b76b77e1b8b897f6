"""What PostgreSQL grants to everybody by default and a database of tenants must not.

Each entry closes an escape that was seen to work: a role switched inside a query, SQL run from text, a message or a
lock that crosses tenants, a back end ended or put to sleep by another. What the application itself needs is granted to
its login role alone, which in turn can read no tenant's table.
"""

from psycopg import sql

from tenant_app.contract.connections import Connection

SWITCHES = ("set_config",)
SIGNALS = ("pg_notify", "pg_advisory%", "pg_try_advisory%")
BACKENDS = (
    "pg_terminate_backend",
    "pg_cancel_backend",
    "pg_sleep%",
    "pg_logical_emit_message",
    "pg_export_snapshot",
)
SQL_FROM_TEXT = (
    "query_to_xml%",
    "table_to_xml%",
    "cursor_to_xml%",
    "schema_to_xml%",
    "database_to_xml%",
    "ts_stat",
    "ts_rewrite",
)
LARGE_OBJECTS = (
    *("lo_create", "lo_creat", "lo_open", "lo_close", "lo_from_bytea", "lo_get", "lo_put", "lo_lseek%", "lo_tell%"),
    *("lo_truncate%", "lo_unlink", "lo_import", "lo_export", "loread", "lowrite"),
)
SIZES = ("pg_relation_size", "pg_table_size", "pg_total_relation_size", "pg_indexes_size", "pg_database_size")

FOR_LOGIN_ONLY = SWITCHES + SIGNALS
FOR_NOBODY = BACKENDS + SQL_FROM_TEXT + LARGE_OBJECTS + SIZES
HARMLESS_EXTENSIONS = ("plpgsql", "unaccent", "pg_trgm", "btree_gin", "btree_gist", "citext", "pg_stat_statements")

FUNCTIONS = "select oid::regprocedure::text from pg_proc where pronamespace = 'pg_catalog'::regnamespace and {}"
FOREIGN_FUNCTIONS = """
select p.oid::regprocedure::text from pg_proc p
join pg_depend d on d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
join pg_extension e on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid
where e.extname <> all(%s)
"""

LOGIN_SETTINGS = {
    "search_path": "pg_catalog",
    "statement_timeout": "30s",
    "transaction_timeout": "60s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    "jit": "off",
    "temp_file_limit": "2GB",
}


def functions(connection: Connection, patterns: tuple[str, ...]) -> list[str]:
    """Signatures of the built-in functions that match one of the LIKE patterns."""
    query = FUNCTIONS.format("proname like any(%s)")
    escaped = [pattern.replace("_", r"\_") for pattern in patterns]
    return [row[0] for row in connection.execute(query.encode(), [escaped])]


def harden(connection: Connection, database: str, app: str, builder: str) -> None:
    """Take from PUBLIC what leads out of a slot. Running it again changes nothing."""
    _harden_functions(connection, app)
    names = {"database": sql.Identifier(database), "app": sql.Identifier(app), "builder": sql.Identifier(builder)}
    for statement in (
        "REVOKE USAGE ON LANGUAGE plpgsql, sql FROM PUBLIC",
        "REVOKE ALL ON DATABASE {database} FROM PUBLIC",
        "GRANT CONNECT ON DATABASE {database} TO {app}",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {builder} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
    ):
        connection.execute(sql.SQL(statement).format(**names))
    for setting, value in LOGIN_SETTINGS.items():
        connection.execute(
            sql.SQL("ALTER ROLE {app} IN DATABASE {database} SET {setting} = {value}").format(
                setting=sql.Identifier(setting), value=sql.Literal(value), **names
            )
        )


def _harden_functions(connection: Connection, app: str) -> None:
    login_only = functions(connection, FOR_LOGIN_ONLY)
    foreign = [row[0] for row in connection.execute(FOREIGN_FUNCTIONS, [list(HARMLESS_EXTENSIONS)])]
    closed = login_only + functions(connection, FOR_NOBODY) + foreign
    # regprocedure's own text is already quoted where it must be.
    connection.execute(f"REVOKE EXECUTE ON FUNCTION {', '.join(closed)} FROM PUBLIC".encode())
    opened = sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(
        sql.SQL(", ".join(login_only)),
        sql.Identifier(app),
    )
    connection.execute(opened)
