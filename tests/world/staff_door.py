"""The portal on a real port, before one house: its own process, its staff, and a way in for tests."""

import base64
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pyotp

from control_plane import identity
from control_plane.embedded import ports
from control_plane.identity import Staff
from kit.db import transaction
from tests.world.house import House
from tests.world.product import Loopback

PASSWORD = "tondeuse nuage bleu 41"
NAMES = {"sales": "Paul Guérin", "support": "Inès Bakkali", "operator": "Marc Le Goff", "auditor": "Awa Diop"}


@dataclass
class Door:
    """A served portal. `staff(role)` makes somebody of a role, `client(role)` a browser without script, signed in."""

    house: House
    port: int
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://portal.parvis.localhost:{self.port}"

    def staff(self, role: str = "operator", *, totp: bool = True, locale: str = "fr", email: str = "") -> Staff:
        """Made once for each e-mail; the password is PASSWORD, the secret of codes is kept in `secrets`."""
        email = email or f"{role}-{locale}@parvis.example"
        with transaction(self.house.engine) as session:
            found = identity.find_staff(session, email)
            if found is not None:
                return found
            secret = pyotp.random_base32() if totp else None
            if secret:
                self.secrets[email] = secret
            return identity.create_staff(
                session, self.house.vault, email, NAMES[role], role, PASSWORD, locale=locale, totp_secret=secret
            )

    def code(self, email: str) -> str:
        """The code of now; it works once."""
        return pyotp.TOTP(self.secrets[email]).now()

    def session_of(self, staff: Staff) -> str:
        """The token of a full session, as after both factors."""
        with transaction(self.house.engine) as session:
            row = session.get_one(Staff, staff.id)
            return identity.complete(session, row, identity.Client("127.0.0.1", "test"), "test", replaces=None).token

    def anybody(self, **options: Any) -> httpx.Client:
        """A client that nobody is signed in with."""
        headers = {"Accept": "text/html", **options.pop("headers", {})}
        return httpx.Client(transport=Loopback(), base_url=self.url, timeout=60, headers=headers, **options)

    def client(self, role: str = "operator", *, locale: str = "fr") -> httpx.Client:
        """A client that is signed in."""
        made = self.anybody()
        made.cookies.set("portal", self.session_of(self.staff(role, locale=locale)), domain="portal.parvis.localhost")
        return made


def environment(house: House, folder: Path, port: int) -> dict[str, str]:
    """What a control-plane process of this house is told."""
    key = folder / "master.key"
    key.write_text(base64.b64encode(house.vault.master).decode())
    url = house.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARVIS_")}
    return kept | {
        "PARVIS_DATABASE_URL": url,
        # Nobody listens there: the doorbell may be lost, tests run the loop themselves.
        "PARVIS_BROKER_URL": "redis://127.0.0.1:9/0",
        "PARVIS_MASTER_KEY_FILE": str(key),
        "PARVIS_SITE_URL": f"http://parvis.localhost:{port}",
        "PARVIS_PORTAL_URL": f"http://portal.parvis.localhost:{port}",
        "PARVIS_LOG_LEVEL": "WARNING",
    }


@contextmanager
def open_door(house: House, folder: Path, port: int | None = None, **more: str) -> Iterator[Door]:
    """Serve the portal of a house until the end of the block; `more` are settings, STAFF_OIDC_ONLY="1" for one."""
    port = port or ports.free_port()
    door = Door(house, port)
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--loop", "uvloop", "--no-ws"]
    command += ["--port", str(port), "--workers-kill-timeout", "2", "control_plane.web:app"]
    env = environment(house, folder, port) | {f"PARVIS_{name}": value for name, value in more.items()}
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    try:
        _wait(door, process)
        yield door
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait(door: Door, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, "the portal's process ended"
        try:
            with door.anybody() as client:
                if client.get("/readyz").status_code == 200:
                    return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the portal was not ready in 90 s")
