"""The folder `var`: where the embedded mode keeps its data, its secrets and its logs, and the addresses it uses."""

import base64
import fcntl
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyotp

from control_plane.embedded import ports
from control_plane.embedded.errors import EmbeddedError
from control_plane.embedded.postgres import new_password
from kit.settings import SettingError
from kit.staff_oidc import GROUP, NAMES

DEFAULT_PORT = 8080
LARGE_LOG = 10_000_000
FILES_HOST = "parvis-files.localhost"
PASSED_ON = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE"),
    *("PARVIS_LOG_LEVEL", "PARVIS_MAIL_FROM", "PARVIS_DNS_RESOLVERS"),
    *(f"PARVIS_{GROUP}{name}" for name in NAMES),
)
STAFF_EMAIL = "operator@parvis.localhost"


def port_from_env() -> int:
    """PARVIS_PORT, 8080 unless told."""
    given = os.environ.get("PARVIS_PORT", "").strip() or str(DEFAULT_PORT)
    if not given.isascii() or not given.isdigit() or not 1 <= int(given) <= 65535:
        raise SettingError("PARVIS_PORT", given, "a port number from 1 to 65535")
    return int(given)


def ceph_from_env() -> bool:
    """PARVIS_CEPH: whether a new installation keeps its files in a Ceph."""
    given = os.environ.get("PARVIS_CEPH", "").strip().lower()
    if given not in {"", "0", "no", "1", "yes"}:
        raise SettingError("PARVIS_CEPH", given, "1 for a new installation with Ceph, 0 for one without")
    return given in {"1", "yes"}


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner reads; it is there whole or not at all."""
    passing = path.with_name(f".{path.name}.new")
    passing.unlink(missing_ok=True)
    with os.fdopen(os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    passing.rename(path)


@dataclass(frozen=True)
class House:
    """One installation: `folder` holds `var`, `port` is the public one."""

    folder: Path
    port: int

    @property
    def var(self) -> Path:
        """All that this installation keeps."""
        return self.folder / "var"

    @property
    def run(self) -> Path:
        """What is only true while it runs."""
        return self.var / "run"

    @property
    def first_run(self) -> Path:
        """For scripts: addresses, the first staff account, a token."""
        return self.var / "first-run.json"

    @property
    def cell_file(self) -> Path:
        """What the tenant app reads."""
        return self.var / "cell.json"

    @property
    def master_key(self) -> Path:
        """The key of the vault."""
        return self.var / "master.key"

    @property
    def store(self) -> Path:
        """The object store's files."""
        return self.var / "store"

    @property
    def ceph(self) -> Path:
        """The object store of an installation that was made with Ceph."""
        return self.var / "ceph"

    def log(self, name: str) -> Path:
        """Where one part writes its log."""
        return self.var / "log" / f"{name}.log"

    def url(self, face: str = "") -> str:
        """The address of one face."""
        return f"http://{face + '.' if face else ''}parvis.localhost:{self.port}"

    @property
    def files_url(self) -> str:
        """The address by which browsers reach the workspaces' files."""
        return f"http://{FILES_HOST}:{self.port}"

    def urls(self) -> dict[str, str]:
        """The addresses as they stand in first-run.json."""
        portal = self.url("portal")
        return {"site": self.url(), "portal": portal, "api": f"{portal}/api/v1", "mail": self.url("mail")}

    def open(self) -> IO[str]:
        """Make the folders and take the installation for this process; a second one is refused."""
        for path in (self.var, self.run, self.var / "log", self.store):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (self.run / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip() or "?"
            lock.close()
            raise EmbeddedError(
                f"Parvis already runs on {self.var} (process {holder}). Stop that one first, or start this one in "
                "another folder and with another PARVIS_PORT."
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        return lock

    def turn_logs(self) -> None:
        """Put large logs aside, so that two generations are kept."""
        for path in (self.var / "log").glob("*.log"):
            if path.stat().st_size > LARGE_LOG:
                path.rename(path.with_suffix(".log.1"))

    @property
    def store_kind(self) -> str | None:
        """Where an installation keeps its files: "files" or "ceph"; None before its first start."""
        path = self.var / "secrets.json"
        return str(json.loads(path.read_text()).get("store", "files")) if path.exists() else None

    def secrets(self, store: str = "files") -> dict[str, Any]:
        """What was drawn by lot at the first start: passwords, and the ports that must stay the same.

        What an older Parvis did not draw yet is added. `store` says where a new installation keeps its files.
        """
        path = self.var / "secrets.json"
        if not self.master_key.exists():
            write_private(self.master_key, base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
        known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"store": store}
        made = _drawn() | known
        if made != known:
            write_private(path, json.dumps(made, indent=2) + "\n")
        return made


def _drawn() -> dict[str, Any]:
    store, keys, database = ports.free_ports(3)
    return {
        "store": "files",
        "store_port": store,
        "keys_port": keys,
        "postgres_port": database,
        "postgres_password": new_password(),
        "control_password": new_password(),
        "valkey_password": new_password(),
        "staff_email": STAFF_EMAIL,
        "staff_password": "-".join(secrets.token_hex(3) for _ in range(4)),
        "staff_totp_secret": pyotp.random_base32(),
    }


def basics(house: House) -> dict[str, str]:
    """What every process is told, also one that may know nothing of the databases."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {
        **kept,
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        # By this, what a killed run left behind is known again.
        "PARVIS_UP_FOLDER": str(house.folder),
    }


def environment(house: House, *, database: str, broker: str, smtp_port: int) -> dict[str, str]:
    """What the processes of the control plane and of the tenant app are told."""
    return {
        **basics(house),
        "PARVIS_DATABASE_URL": database,
        "PARVIS_BROKER_URL": broker,
        "PARVIS_MASTER_KEY_FILE": str(house.master_key),
        "PARVIS_SITE_URL": house.url(),
        "PARVIS_PORTAL_URL": house.url("portal"),
        "PARVIS_WORKSPACE_SUFFIX": ".parvis.localhost",
        "PARVIS_SMTP_URL": f"smtp://127.0.0.1:{smtp_port}",
        "PARVIS_CELL_FILE": str(house.cell_file),
        "PARVIS_TRUSTED_EDGES": "127.0.0.1",
        # An identity provider to try things with is likely to run on this machine.
        "PARVIS_ALLOW_PRIVATE_FETCH": "1",
    }
