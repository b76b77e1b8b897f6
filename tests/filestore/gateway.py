"""The embedded store's gateway as a process of its own, for the tests of whoever needs a store."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from control_plane.embedded import processes
from control_plane.embedded.ports import free_port
from control_plane.embedded.supervisor import granian
from tests.world.servers import stop

READY_SECONDS = 90


@dataclass
class RunningGateway:
    """A gateway over the store at `root`. `kill` and `start` are for tests of what a crash leaves."""

    root: Path
    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        """Its address, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """End it at once, worker and all."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=60)

    def start(self) -> None:
        """Start it again on the same port, after a `kill`."""
        self.process = _start(self.root, self.port)
        wait_until_ready(self)


def _start(root: Path, port: int) -> "subprocess.Popen[bytes]":
    served = {"PARVIS_SERVE": "kit.filestore.gateway:app", "PARVIS_STORE_ROOT": str(root)}
    return processes.start(granian(port), log=log_of(root), env=os.environ | served, cwd=Path(__file__).parents[2])


def log_of(root: Path) -> Path:
    return root.with_name(f"{root.name}.gateway.log")


def wait_until_ready(gateway: RunningGateway) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and gateway.process.poll() is None:
        try:
            if requests.get(f"{gateway.url}/readyz", timeout=60).status_code == 200:
                return
        except requests.ConnectionError:
            time.sleep(0.05)
    raise AssertionError(log_of(gateway.root).read_text())


@contextmanager
def running_gateway(root: Path) -> Iterator[RunningGateway]:
    """A gateway over `root`, which is made if need be, on a free port of 127.0.0.1."""
    root.mkdir(parents=True, exist_ok=True)
    port = free_port()
    gateway = RunningGateway(root, port, _start(root, port))
    try:
        wait_until_ready(gateway)
        yield gateway
    finally:
        stop(gateway.process)
        _end_leftovers(gateway)


def _end_leftovers(gateway: RunningGateway) -> None:
    # A worker outlives a main process that did not end in order.
    try:
        os.killpg(gateway.process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
