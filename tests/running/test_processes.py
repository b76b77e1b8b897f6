"""The processes of docs/running.md: they are those that there are, start by the commands that stand there, and end."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from control_plane.embedded import ports
from tests.world.ceph import wait_until
from tests.world.product import Product

ROOT = Path(__file__).parents[2]
RUNNING = (ROOT / "docs" / "running.md").read_text()
TABLE = RUNNING.partition("## In production, the processes")[2].partition("\n## ")[0]
COMMANDS = re.findall(r"^\| [^|]+ \| `([^`]+)` \|", TABLE, re.MULTILINE)
SERVING = re.search(r"Serve with `([^`]+)`", TABLE)
TAKES_TERM = 1 << (signal.SIGTERM - 1)


def environment(product: Product) -> dict[str, str]:
    """What a process of the product is told; ours are none of its own."""
    raw = Path(f"/proc/{product.pids()['tenant-worker']}/environ").read_bytes().decode()
    told = dict(line.split("=", 1) for line in raw.split("\0") if line)
    return {name: value for name, value in told.items() if name not in {"PARVIS_UP_FOLDER", "PARVIS_SERVE"}}


def command_of(line: str, port: int) -> list[str]:
    """A line of the table as it is run here."""
    assert SERVING
    program, *rest = line.split()
    if program == "python":
        return [sys.executable, *rest]
    assert program == "granian"
    options = ["--host", "127.0.0.1", "--port", str(port), *SERVING[1].split()]
    return [sys.executable, "-m", "granian", *options, *rest]


@contextmanager
def running(product: Product, line: str, folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int, Path]]:
    """It runs and listens to SIGTERM; the process, its port, its log."""
    port, log, token = ports.free_port(), folder / "log", folder / "token"
    token.write_text("t" * 60)
    env = {**environment(product), "PARVIS_GATEWAY_TOKEN_FILE": str(token), "PARVIS_HEALTH_PORT": str(port)}
    with log.open("wb") as file:
        process = subprocess.Popen(command_of(line, port), cwd=ROOT, env=env, stdout=file, stderr=file)
    try:
        wait_until(lambda: ready(process, line, port, log), 120)
        yield process, port, log
    finally:
        process.kill()
        process.wait(60)


def ready(process: "subprocess.Popen[bytes]", line: str, port: int, log: Path) -> bool:
    assert process.poll() is None, log.read_text()[-2000:]
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = re.search(r"SigCgt:\s*([0-9a-f]+)", status)
    assert caught
    if not int(caught[1], 16) & TAKES_TERM:
        return False
    if "tenant_app.worker" in line:
        return True
    with suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/readyz", headers={"Host": "parvis.localhost"}).status_code == 200
    return False


def test_every_process_that_runs_on_one_machine_stands_in_the_table(product: Product) -> None:
    found: dict[str, str] = {}
    for name, pid in product.pids().items():
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        served = re.search(r"\0PARVIS_SERVE=([^\0]+)", Path(f"/proc/{pid}/environ").read_bytes().decode())
        ours = " ".join(words[words.index("-m") :]).strip() if "-m" in words else ""
        if served or ours:
            found[name] = served[1] if served else ours
    assert {"control-plane", "tenant-app", "worker", "sweep", "tenant-worker"} <= found.keys()
    # The store on files is that of this mode alone.
    missing = {name: one for name, one in found.items() if one not in TABLE and not name.startswith("store")}
    assert missing == {}


@pytest.mark.parametrize("line", COMMANDS)
def test_it_starts_as_it_stands_there_and_ends_on_sigterm_with_zero(
    product: Product, tmp_path: Path, line: str
) -> None:
    with running(product, line, tmp_path) as (process, port, log), socket.socket() as held:
        if "granian" in line:
            held.connect(("127.0.0.1", port))
            held.sendall(b"GET /healthz HTTP/1.1\r\nHost: parvis.localhost\r\n")
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0, log.read_text()[-2000:]
        assert "Traceback" not in log.read_text()
