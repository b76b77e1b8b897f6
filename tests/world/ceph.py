"""A real Ceph of one node for the tests, in a temporary folder, ended with the run however it ends."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from control_plane.embedded import ceph, ceph_programs
from control_plane.embedded.ceph import Ceph
from kit.vault import Vault
from tests.world import waiting

MONITOR, DISK, GATEWAY, SECOND_GATEWAY = "monitor", "disk", "gateway-0", "gateway-1"


def missing() -> str | None:
    """Why there is no Ceph here, in words that name the cure."""
    reason = ceph_programs.missing()
    return f"NOT TESTED: nothing was tried on a real object store. {reason}" if reason else None


def require() -> None:
    """Without Ceph a test skips with the reason, and fails where CI=true."""
    reason = missing()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


def key_asked(port: int, token: str | None, path: str, method: str = "GET") -> httpx.Response:
    """Ask the process that gives data keys, as a gateway does: 200 with the key of this name, or why not."""
    headers = {"X-Vault-Token": token} if token else {}
    url = f"http://127.0.0.1:{port}/v1/secret/data/{path}"
    return httpx.request(method, url, headers=headers, trust_env=False, timeout=60)


@dataclass
class RunningCeph:
    """A running cluster. `restart`, `kill`, `freeze` and `thaw` take "monitor", "disk", "gateway-0", "gateway-1"."""

    cluster: Ceph
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        return self.endpoints[0]

    @property
    def endpoints(self) -> list[str]:
        """One for each gateway."""
        return self.cluster.endpoints

    @property
    def admin_key_id(self) -> str:
        return str(self.cluster.drawn["key_id"])

    @property
    def admin_secret(self) -> str:
        return str(self.cluster.drawn["secret"])

    @property
    def region(self) -> str:
        return ceph.REGION

    @property
    def ca_file(self) -> Path | None:
        """The authority of the gateways' certificate, of a cluster with TLS."""
        return self.cluster.ca_file

    @property
    def keys_token(self) -> str:
        """What gateways show in X-Vault-Token where they ask for data keys."""
        return self.cluster.token_file.read_text()

    def store_settings(self, vault: Vault, cell_name: str, **others: Any) -> dict[str, Any]:
        """`cell.store` of a cell that keeps its files here."""
        settings = self.cluster.store_settings()
        sealed = vault.seal(settings.pop("admin_secret"), f"store-admin:{cell_name}")
        return {**settings, "admin_secret_sealed": sealed, **others}

    def start(self) -> None:
        """Start what does not run, and wait until all of it serves."""
        self.cluster.prepare()
        self._ensure(MONITOR)
        self.cluster.make_disk(self.processes[MONITOR])
        self._ensure(DISK)
        self._ensure(GATEWAY)
        self.cluster.ensure_admin(self.processes[GATEWAY])
        for number in range(1, self.cluster.gateways):
            self._ensure(f"gateway-{number}")

    def _ensure(self, name: str) -> None:
        if name not in self.processes or self.processes[name].poll() is not None:
            self._start(name)

    def _start(self, name: str) -> None:
        cluster, number = self.cluster, int(name.rpartition("-")[2]) if name.startswith("gateway") else 0
        if name == MONITOR:
            self.processes[name] = cluster.start_monitor()
            cluster.wait_for_monitor(self.processes[name])
        elif name == DISK:
            self.processes[name] = cluster.start_disk()
            cluster.wait_for_disk(self.processes[name])
        else:
            self.processes[name] = cluster.start_gateway(number)
            cluster.wait_for_gateway(self.processes[name], number)

    def kill(self, name: str) -> None:
        """kill -9, without a restart."""
        self.processes[name].kill()
        self.processes[name].wait(timeout=60)

    def restart(self, name: str) -> None:
        """Kill it if it runs, start it, and wait until it serves."""
        self.kill(name)
        self._start(name)

    def freeze(self, name: str) -> None:
        """It keeps its connections and answers nothing (SIGSTOP)."""
        waiting.freeze(self.processes[name].pid)

    def thaw(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGCONT)

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        self.freeze(name)
        try:
            yield
        finally:
            self.thaw(name)

    def stop(self) -> None:
        """End it in order; the data stays."""
        for process in reversed(self.processes.values()):
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=60)
        self.processes.clear()


@contextmanager
def running_ceph(folder: Path, **options: Any) -> Iterator[RunningCeph]:
    """A cluster of one's own: `gateways=2`, `tls=True`, `keys_address="http://127.0.0.1:…"`, `size=` in bytes.

    The folder and those above it must be open to others (`world_folder` is). The same folder again resumes it.
    """
    require()
    logs = folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    running = RunningCeph(Ceph(folder / "ceph", logs, **options))
    try:
        running.start()
        yield running
    finally:
        running.stop()


def wait_until(true: Any, seconds: float = 90, pause: float = 0.1) -> None:
    """Poll until it holds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(pause)
