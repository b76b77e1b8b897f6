"""The whole product, as `parvis up` starts it, in a folder and on a port of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from control_plane.embedded import ports, processes
from tests.world.waiting import eventually

READY_SECONDS = 180
# Only what hangs takes as long: the disk of a Ceph and a database write what they hold.
STOP_SECONDS = 100


class Loopback(httpx.HTTPTransport):
    """Reaches every host name on 127.0.0.1, as browsers do for *.localhost and glibc does not."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        aimed = httpx.Request(
            request.method,
            request.url.copy_with(host="127.0.0.1"),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return super().handle_request(aimed)


@dataclass
class Product:
    """A running product. `first_run` is var/first-run.json: site, portal, api, mail, staff, api_token."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def var(self) -> Path:
        return self.folder / "var"

    @property
    def first_run(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.var / "first-run.json").read_text())
        return told

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text()

    def url(self, face: str = "") -> str:
        """`url()` is the site, `url("portal")` the portal, `url("acme")` a workspace."""
        return f"http://{face + '.' if face else ''}parvis.localhost:{self.port}"

    def client(self, face: str = "", **options: Any) -> httpx.Client:
        """A client with cookies of its own; addresses may name any host of the product. Close it."""
        options = {"base_url": self.url(face), "timeout": 60, "trust_env": False, **options}
        return httpx.Client(transport=Loopback(), **options)

    def api(self, **options: Any) -> httpx.Client:
        """The operator API with the token of all scopes: `api().get("/organisations")`."""
        token = self.first_run["api_token"]
        return self.client(base_url=self.first_run["api"], headers={"Authorization": f"Bearer {token}"}, **options)

    def mails(self, to: str | None = None) -> list[dict[str, Any]]:
        """The mails caught so far, newest first: id, from, to, subject, text, html, links."""
        with self.client("mail") as client:
            found: list[dict[str, Any]] = client.get("/api/messages", params={"to": to} if to else {}).json()
        return found

    def wait_for_mail(self, to: str, seconds: float = 90) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := self.mails(to):
                return found[0]
            time.sleep(0.1)
        raise AssertionError(f"no mail to {to} within {seconds} s")

    def wait_until_served(self, address: str) -> None:
        """A workspace that is ready is published; whoever serves it has read so a moment later."""
        with self.client(address) as client:
            eventually(lambda: client.get("/sign-in").status_code != 404)

    def pids(self) -> dict[str, int]:
        """The parts that run now, by name."""
        told = json.loads((self.var / "run" / "children.json").read_text())
        return {name: child["pid"] for name, child in told.items()}

    def everything(self) -> list[int]:
        """Every process of this product, grandchildren too."""
        found = set(self.everything_marked())
        return sorted({pid for pid in found | set(self.pids().values()) if processes.started_at(pid)})

    def everything_marked(self) -> list[int]:
        """Every process that was started for this folder, also by a run that is gone."""
        return processes.marked("PARVIS_UP_FOLDER", str(self.folder.resolve()))

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"parvis up ended with {self.process.returncode}:\n{self.output}")
            if "Ctrl C" in self.output:
                return
            time.sleep(0.05)
        raise AssertionError(f"parvis up was not ready in {READY_SECONDS} s:\n{self.output}")

    def stop(self, sent: signal.Signals = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(sent)
        return self.process.wait(timeout=STOP_SECONDS)


def launch(folder: Path, port: int, **env: str) -> Product:
    """Start the product without waiting for it."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARVIS_")}
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "control_plane.embedded", "--folder", str(folder)],
            env={**kept, "PARVIS_PORT": str(port), **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Product(folder, port, process)


@contextmanager
def running_product(folder: Path, port: int | None = None, **env: str) -> Iterator[Product]:
    """The whole product, ready; ended afterwards with every process it has."""
    made = launch(folder, port or ports.free_port(), **env)
    try:
        made.wait_until_ready()
        yield made
    finally:
        finish(made)


def finish(made: Product) -> None:
    """End a product whatever state a test left it in."""
    try:
        made.stop()
    except subprocess.TimeoutExpired:
        made.process.kill()
        made.process.wait(timeout=60)
    processes.end(processes.marked("PARVIS_UP_FOLDER", str(made.folder.resolve())), within=60)
