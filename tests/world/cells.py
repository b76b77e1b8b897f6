"""Cell databases for tests: prepared ones, one as PostgreSQL comes, and tenants in them."""

import asyncio
import itertools
import os
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import msgspec
import psycopg
from psycopg import sql

from tenant_app.contract import CellDatabase, Owner, TenantRecord
from tenant_app.contract.hardening import FOR_LOGIN_ONLY, FOR_NOBODY, functions
from tests.world.servers import create_database, drop_database

T = TypeVar("T")
_numbers = itertools.count(1)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run asynchronous code in an event loop of its own."""
    return asyncio.run(work)


@contextmanager
def fresh_database(postgres: str) -> Iterator[str]:
    """An empty database; dropped with whatever is still connected to it."""
    name = f"slots_{os.getpid()}_{next(_numbers)}"
    url = create_database(postgres, name)
    try:
        yield url
    finally:
        drop_database(postgres, name)


class Cell:
    """A prepared cell database with its tenant app's address."""

    def __init__(self, admin_url: str) -> None:
        self.database = CellDatabase(admin_url)
        self.admin_url = admin_url
        self.app_url = self.database.prepare()
        self.name = self.database.names.database

    def tenant(self, address: str | None = None, **options: Any) -> TenantRecord:
        """A published organisation with an owner. Any field of the record may be given."""
        organisation_id: UUID = options.pop("organisation_id", None) or uuid4()
        address = address or f"a{organisation_id.hex[:12]}"
        slot = self.database.take_slot(organisation_id, 1)
        self.database.ensure_owner(
            organisation_id, Owner(id=organisation_id, email=f"{address}@example.org", name=f"Owner of {address}"), 1
        )
        fields = {
            "organisation_id": organisation_id,
            "slot": slot,
            "state": "live",
            "name": address.title(),
            "address": address,
            "hosts": (f"{address}.parvis.localhost",),
            "site_url": "http://parvis.localhost:8080",
            "offer": "team",
            "fence": 1,
        }
        record = TenantRecord(**fields | options)
        self.database.publish(record)
        return msgspec.structs.replace(record, database=self.name)

    def write_file(self, path: Path) -> Path:
        """The cell's file, as the tenant app reads it."""
        path.write_bytes(
            msgspec.json.encode(
                {"cell": "test", "databases": [{"name": self.name, "url": self.app_url}], "store": {"kind": "files"}}
            )
        )
        return path

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """Run a statement as the administrator."""
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        self.database.close()


@contextmanager
def prepared_cell(postgres: str) -> Iterator[Cell]:
    with fresh_database(postgres) as url:
        cell = Cell(url)
        try:
            yield cell
        finally:
            cell.close()


def soften(cell: Cell) -> None:
    """Give back what hardening took, so that the database is as PostgreSQL comes: the control of every escape."""
    names = cell.database.names
    with psycopg.connect(cell.admin_url, autocommit=True) as connection:
        opened = functions(connection, FOR_LOGIN_ONLY + FOR_NOBODY)
        ordinary = [name for name in opened if not name.startswith(("lo_import", "lo_export"))]
        connection.execute(f"grant execute on function {', '.join(ordinary)} to public".encode())
        connection.execute("grant usage on language plpgsql, sql to public")
        connection.execute("grant all on schema public to public")
        database = sql.Identifier(names.database)
        connection.execute(sql.SQL("grant all on database {} to public").format(database))
        for (slot,) in connection.execute("select name from directory.slot").fetchall():
            connection.execute(f"grant all on schema {slot} to {slot}".encode())
            connection.execute(f"grant all on all tables in schema {slot} to {slot}".encode())
