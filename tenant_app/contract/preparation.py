"""Make a cell database out of an empty one, from its administrator's address alone. Repeatable without harm."""

import secrets
from dataclasses import dataclass

import psycopg
import sqlalchemy
from psycopg import sql

from kit.errors import Refusal, Unavailable
from migrations import cell
from tenant_app.contract.connections import Connection, engine_for, parse
from tenant_app.contract.hardening import harden

OLDEST = 180000
LONGEST_DATABASE_NAME = 50
RESERVED = frozenset({"postgres", "template0", "template1"})
# One preparation at a time in a database; the number means nothing.
LOCK = 7_269_741

ROLES = """
select rolsuper, rolbypassrls or rolcreaterole or rolcreatedb or rolreplication from pg_roles where rolname = %s
"""

VERSION = "select version_num from directory.alembic_version"
DIRECTORY_RIGHTS = """
REVOKE ALL ON SCHEMA directory FROM PUBLIC;
GRANT USAGE ON SCHEMA directory TO {app};
GRANT SELECT ON directory.tenant, directory.host, directory.change, directory.version, directory.signing_key,
    directory.usage, directory.heartbeat, directory.ticket_used TO {app};
GRANT INSERT, UPDATE ON directory.usage, directory.heartbeat TO {app};
GRANT SELECT, INSERT, UPDATE ON directory.unknown_key TO {app};
GRANT DELETE ON directory.heartbeat TO {app};
GRANT INSERT, DELETE ON directory.ticket_used TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON directory.chore, directory.mail TO {app};
"""


@dataclass(frozen=True)
class Names:
    """The names that follow from a database's own."""

    database: str

    @property
    def app(self) -> str:
        """The tenant app's login role: it may become any slot of this database and is nobody by itself."""
        return f"{self.database}_app"

    @property
    def builder(self) -> str:
        """The role that owns every slot's tables, so that no slot owns its own."""
        return f"{self.database}_builder"


def names_of(admin_url: str) -> Names:
    """The names of the database at this address; refuses those that belong to PostgreSQL itself."""
    database = parse(admin_url).database or ""
    if database in RESERVED or database.startswith("pg_") or len(database) > LONGEST_DATABASE_NAME:
        raise Refusal(
            "database_reserved",
            "Create a database for the cell, with a name of at most {length} characters: “{database}” cannot be used.",
            field="admin_url",
            database=database,
            length=LONGEST_DATABASE_NAME,
        )
    return Names(database)


def require_version(number: int) -> None:
    """Refuse a server that is too old. On older ones a role change costs every back end seconds (see docs)."""
    if number < OLDEST:
        raise Refusal(
            "postgresql_too_old",
            "This server runs PostgreSQL {found}; a cell needs PostgreSQL 18 or newer.",
            field="admin_url",
            found=f"{number // 10000}.{number % 10000}",
        )


def prepare(admin_url: str, server_version: int, app_password: str | None) -> str:
    """Roles, directory and hardening. Returns the tenant app's address with its password."""
    names = names_of(admin_url)
    require_version(server_version)
    password = app_password or secrets.token_urlsafe(32)
    with engine_for(admin_url).begin() as connection:
        raw: Connection = connection.connection.driver_connection  # type: ignore[assignment]
        _require_superuser(raw)
        raw.execute("select pg_advisory_xact_lock(%s)", [LOCK])
        raw.execute("set local lock_timeout = '30s'")
        _ensure_roles(raw, names, password)
        raw.execute("create schema if not exists directory")
        _upgrade(connection, names)
    url = parse(admin_url).set(username=names.app, password=password).render_as_string(hide_password=False)
    _require_login(url)
    return url


def upgrade_directory(admin_url: str, *, force: bool = False) -> bool:
    """Bring the directory of a prepared database to this release: its shape, its rights, the hardening. True if it did.

    Unless forced, nothing happens where its shape is this release's already; a newer release's is left alone.
    """
    names = names_of(admin_url)
    with engine_for(admin_url).begin() as connection:
        raw: Connection = connection.connection.driver_connection  # type: ignore[assignment]
        row = raw.execute(VERSION).fetchone()
        assert row is not None
        newest, *older = cell.versions()
        if row[0] not in (older if not force else [newest, *older]):
            return False
        raw.execute("select pg_advisory_xact_lock(%s)", [LOCK])
        _upgrade(connection, names)
    return True


def _upgrade(connection: sqlalchemy.Connection, names: Names) -> None:
    raw: Connection = connection.connection.driver_connection  # type: ignore[assignment]
    cell.upgrade(connection)
    raw.execute(DIRECTORY_RIGHTS.format(app=sql.Identifier(names.app).as_string(raw)).encode())
    harden(raw, names.database, names.app, names.builder)


def _require_superuser(connection: Connection) -> None:
    row = connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchone()
    if row is None or not row[0]:
        raise Refusal(
            "superuser_needed",
            "Preparing a cell changes what every role may do, so this address must be a superuser's.",
            field="admin_url",
        )


def _ensure_roles(connection: Connection, names: Names, password: str) -> None:
    for role, kind in ((names.app, "LOGIN"), (names.builder, "NOLOGIN")):
        identifier = sql.Identifier(role)
        if connection.execute(ROLES, [role]).fetchone() is None:
            connection.execute(sql.SQL("CREATE ROLE {}").format(identifier))
        connection.execute(
            sql.SQL(
                "ALTER ROLE {} " + kind + " NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
            ).format(identifier)
        )
    # Hashed here, so that the password can appear in no log of the server.
    hashed = connection.pgconn.encrypt_password(password.encode(), names.app.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(names.app), sql.Literal(hashed)))


def _require_login(url: str) -> None:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        raise Unavailable("app_login_failed", f"the tenant app's own role cannot sign in: {error}") from error
