"""Real servers for the tests: PostgreSQL 18 and Valkey, in a temporary folder, ended with the run however it ends."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from control_plane.embedded import ports, valkey
from control_plane.embedded.postgres import Postgres, new_password

# Only the machine's own crash would lose these writes; kill -9 of the server does not.
FAST = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "1GB", "max_connections": "200"}


@dataclass
class Server:
    """A running server: `url` for its users, `process` for tests that kill it, `restart` for what comes after."""

    url: str
    process: "subprocess.Popen[bytes]"
    postgres: Postgres

    def restart(self) -> None:
        """Start it again on the same folder and port, after a test ended it."""
        self.process.wait(timeout=60)
        self.process = self.postgres.start()
        self.postgres.wait_until_ready(self.process)


def stop(process: "subprocess.Popen[bytes]", sent: signal.Signals = signal.SIGTERM) -> None:
    if process.poll() is None:
        process.send_signal(sent)
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=60)


@contextmanager
def postgres_server(folder: Path, **settings: str) -> Iterator[Server]:
    """A PostgreSQL of one's own, for tests that kill or freeze it; the others share the session's."""
    server = Postgres(
        folder / "postgres", ports.free_port(), new_password(), folder / "postgres.log", settings={**FAST, **settings}
    )
    server.initialise()
    running = Server(server.url(), server.start(), server)
    try:
        server.wait_until_ready(running.process)
        yield running
    finally:
        stop(running.process, signal.SIGINT)


@contextmanager
def valkey_server(folder: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A Valkey of one's own: its address and its process."""
    port, password = ports.free_port(), new_password()
    process = valkey.start(folder / "valkey", port, password, folder / "valkey.log")
    try:
        valkey.wait_until_ready(port, password, process)
        yield valkey.url(port, password), process
    finally:
        stop(process)


def in_database(admin_url: str, database: str) -> str:
    """The same address for another database of the server."""
    return f"{admin_url.rpartition('/')[0]}/{database}"


def create_database(admin_url: str, name: str, template: str | None = None) -> str:
    """A fresh database, empty or a copy of `template`; its address."""
    statement = sql.SQL("create database {}").format(sql.Identifier(name))
    if template:
        statement += sql.SQL(" template {}").format(sql.Identifier(template))
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(statement)
    return in_database(admin_url, name)


def drop_database(admin_url: str, name: str) -> None:
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
