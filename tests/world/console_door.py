"""The console on a real port, before one house: people of workspaces, tickets as their cell makes them, browsers."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import httpx
import psycopg
from psycopg import sql

from control_plane import placement
from control_plane.embedded import ports
from kit.db import transaction
from kit.ids import new_id
from tenant_app.contract import console_key, mint
from tests.world import staff_door
from tests.world.house import CELL, House
from tests.world.product import READY_SECONDS, Loopback

RANKS = {"guest": 0, "member": 1, "administrator": 2, "owner": 3}
NAMES = {
    "guest": "Paul Guérin",
    "member": "Léa Wagner",
    "administrator": "Inès Bakkali",
    "owner": "Karim Ziani",
}
HOST = "parvis.localhost"


@dataclass
class ConsoleDoor:
    """A served public site with its console."""

    house: House
    port: int

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def slot(self, organisation_id: UUID) -> str:
        with psycopg.connect(self.house.cell_url) as connection:
            row = connection.execute(
                "select name from directory.slot where organisation_id = %s", [organisation_id]
            ).fetchone()
        assert row
        return str(row[0])

    def inside(self, organisation_id: UUID, statement: str, *values: Any) -> list[Any]:
        """Run a statement in the workspace's own schema, as the database's administrator."""
        with psycopg.connect(self.house.cell_url) as connection:
            connection.execute(sql.SQL("set search_path = {}").format(sql.Identifier(self.slot(organisation_id))))
            found = connection.execute(statement.encode(), values)
            return found.fetchall() if found.description else []

    def person(
        self, organisation_id: UUID, role: str = "owner", *, name: str = "", email: str = "", passkeys: int = 0
    ) -> UUID:
        """Somebody of the workspace."""
        person_id = new_id()
        kind = "g" if role == "guest" else "m"
        self.inside(
            organisation_id,
            "insert into principal (id, kind, role, name, email, locale, tz) values (%s, %s, %s, %s, %s, 'fr', %s)",
            *(person_id, kind, RANKS[role], name or NAMES[role], email or f"{person_id.hex[-12:]}@sevres.example"),
            "Europe/Paris",
        )
        for _ in range(passkeys):
            self.passkey(organisation_id, person_id)
        return person_id

    def passkey(self, organisation_id: UUID, person_id: UUID) -> None:
        self.inside(
            organisation_id,
            "insert into credential (id, principal_id, kind) values (%s, %s, 'k')",
            *(new_id(), person_id),
        )

    def lets_set_up_sign_in(self, organisation_id: UUID, person_id: UUID) -> None:
        """As an owner has let this administrator."""
        given = f"sso_admin:{person_id}"
        self.inside(organisation_id, "insert into setting (key, value) values (%s, '{}')", given)

    def ticket(self, organisation_id: UUID, person_id: UUID, **options: Any) -> str:
        """As the workspace makes one, by the key that derives from its cell's seals."""
        with transaction(self.house.engine) as session:
            key = console_key(placement.cell_vault(session, self.house.vault, CELL))
        host, purpose = options.pop("host", HOST), options.pop("purpose", "console")
        return mint(key.private, host, organisation_id, person_id, purpose, **options)

    def anybody(self, **options: Any) -> httpx.Client:
        """A browser without script in which nobody is signed in."""
        headers = {"Accept": "text/html", "Accept-Language": "en", **options.pop("headers", {})}
        return httpx.Client(transport=Loopback(), base_url=self.url, timeout=60, headers=headers, **options)

    def entrance(self, organisation_id: UUID, person_id: UUID, **options: Any) -> str:
        """Where the workspace sends an administrator's browser."""
        return f"/console/enter?{urlencode({'ticket': self.ticket(organisation_id, person_id, **options)})}"

    def client(self, organisation_id: UUID, person_id: UUID, *, locale: str = "en") -> httpx.Client:
        """A browser without script whose person came in by a ticket."""
        made = self.anybody()
        made.cookies.set("console", self.session_of(organisation_id, person_id), domain=HOST, path="/console")
        made.cookies.set("lang", locale, domain=HOST)
        return made

    def session_of(self, organisation_id: UUID, person_id: UUID) -> str:
        """The token of a session that a ticket has opened."""
        with self.anybody() as once:
            answer = once.get(self.entrance(organisation_id, person_id))
            assert answer.status_code == 303, answer.text
            return once.cookies["console"]


@contextmanager
def open_console(house: House, folder: Path, port: int | None = None, **settings: str) -> Iterator[ConsoleDoor]:
    """Serve the public site of a house until the end of the block."""
    port = port or ports.free_port()
    door = ConsoleDoor(house, port)
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--loop", "uvloop", "--no-ws"]
    command += ["--port", str(port), "--workers-kill-timeout", "2", "control_plane.web:app"]
    environment = staff_door.environment(house, folder, port) | settings
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        _wait(door, process)
        yield door
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait(door: ConsoleDoor, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the console's process ended"
        try:
            with door.anybody() as client:
                if client.get("/readyz").status_code == 200:
                    return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"the console was not ready in {READY_SECONDS} s")
