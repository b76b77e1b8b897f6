"""The whole product under hard treatment: parts killed, all killed, ports taken, two at once, Ctrl C."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from control_plane.embedded import ports, processes
from tests.world.product import Product, launch, running_product
from tests.world.waiting import eventually, freeze

PARTS = ["postgres", "valkey", "store", "control-plane", "tenant-app", "worker", "sweep"]


@pytest.fixture(scope="module")
def own(world_folder: Path) -> Iterator[Product]:
    """A product of one's own, to be treated badly, below a folder that only its owner may enter."""
    closed = world_folder / "closed"
    closed.mkdir(mode=0o700)
    with running_product(closed / "product") as running:
        yield running


def order(product: Product, address: str) -> str:
    body = {
        "name": f"Ville de {address}",
        "address": address,
        "offer": "team",
        "admin": {"email": f"maire@{address}.example", "name": "A. Martin"},
    }
    with product.api() as api:
        answer = api.post("/organisations", json=body, headers={"Idempotency-Key": f"key-{address}"})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["organisation"]["id"])


def wait_until_live(product: Product, organisation: str, seconds: float = 90) -> None:
    deadline, state = time.monotonic() + seconds, ""
    with product.api() as api:
        while time.monotonic() < deadline:
            answer = api.get(f"/organisations/{organisation}")
            state = answer.json().get("state", answer.text)
            if state == "live":
                return
            time.sleep(0.1)
    raise AssertionError(f"{organisation} is {state} after {seconds} s")


def answers(product: Product, face: str = "", seconds: float = 90) -> None:
    """The face answers again within the time; what it says meanwhile does not count."""
    deadline, last = time.monotonic() + seconds, ""
    while time.monotonic() < deadline:
        try:
            with product.client(face) as client:
                answer = client.get("/", headers={"accept": "text/html"})
        except httpx.TransportError as error:
            last = repr(error)
        else:
            if answer.status_code < 500:
                return
            last = f"{answer.status_code}"
        time.sleep(0.1)
    raise AssertionError(f"{face or 'site'} does not answer: {last}")


def killed(product: Product) -> list[str]:
    """The parts that did not end by themselves when they were told to."""
    lines = [json.loads(line) for line in (product.var / "log" / "supervisor.log").read_text().splitlines()]
    return [line["part"] for line in lines if line["event"] == "a part did not end in time and is killed"]


def known(product: Product) -> dict[int, str | None]:
    """Its processes with when they started: a number may soon be another's."""
    return {pid: processes.started_at(pid) for pid in product.everything()}


def alive(before: dict[int, str | None]) -> list[int]:
    return [pid for pid, started in before.items() if started and processes.started_at(pid) == started]


def test_what_is_for_scripts_is_complete_and_private(own: Product) -> None:
    told = own.first_run
    assert told["site"] == own.url()
    assert told["portal"] == own.url("portal")
    assert told["api"] == own.url("portal") + "/api/v1"
    assert told["mail"] == own.url("mail")
    assert set(told["staff"]) == {"email", "password", "totp_secret", "otpauth_url"}
    for name in ("first-run.json", "secrets.json", "master.key", "cell.json"):
        assert stat.S_IMODE((own.var / name).stat().st_mode) == 0o600, name


def test_no_log_and_no_command_line_shows_a_secret(own: Product) -> None:
    drawn = (own.var / "secrets.json").read_text()
    secrets = [own.first_run["api_token"], own.first_run["staff"]["password"]]
    secrets += [value for value in drawn.split('"') if len(value) > 30]
    assert len(secrets) >= 5
    shown = "".join(path.read_text(errors="replace") for path in (own.var / "log").glob("*.log"))
    for pid in own.everything():
        with suppress(FileNotFoundError, ProcessLookupError):
            shown += Path(f"/proc/{pid}/cmdline").read_text()
    assert [secret for secret in secrets if secret in shown] == []


def descriptors(pid: int) -> Iterator[str]:
    """What a process has open; what it closes meanwhile is left out, and so is one that ends."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                yield str(link.readlink())


def test_only_loopback_is_listened_on(own: Product) -> None:
    inodes = {name for pid in [own.process.pid, *own.everything()] for name in descriptors(pid)}
    listening = []
    for table, loopback in (("tcp", {"0100007F"}), ("tcp6", {"00000000000000000000000001000000"})):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                address = fields[1].rpartition(":")[0]
                assert address in loopback, line
                listening.append(line)
    assert len(listening) >= 6


def test_the_usual_limit_of_connections_is_raised_as_far_as_it_goes() -> None:
    program = (
        "import resource as r; from control_plane.embedded.processes import allow_many_files;"
        "r.setrlimit(r.RLIMIT_NOFILE, (256, 2000)); allow_many_files(); print(r.getrlimit(r.RLIMIT_NOFILE))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=180)
    assert told.stdout.strip() == "(2000, 2000)"


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_killed_is_back_and_nothing_is_lost(own: Product, part: str) -> None:
    before = order(own, f"vor-{part}")
    pid = own.pids()[part]
    os.kill(pid, signal.SIGKILL)
    for face in ("", "portal", f"vor-{part}"):
        answers(own, face)
    wait_until_live(own, before)
    wait_until_live(own, order(own, f"nach-{part}"))
    eventually(lambda: own.pids().get(part, pid) != pid)


def test_a_worker_of_the_web_server_that_is_killed_is_back(own: Product) -> None:
    parent = own.pids()["tenant-app"]
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    assert children
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    answers(own, "vor-postgres")


def test_a_second_start_in_the_same_folder_is_refused_in_plain_words(own: Product) -> None:
    (own.folder.parent / "twin").mkdir()
    (own.folder.parent / "twin" / "var").symlink_to(own.var)
    twin = launch(own.folder.parent / "twin", ports.free_port())
    assert twin.process.wait(timeout=60) == 1
    assert f"already runs on {own.folder.parent / 'twin' / 'var'} (process {own.process.pid})" in twin.output
    answers(own)


def test_a_taken_port_is_named_with_the_setting_that_moves_it(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        late = launch(tmp_path / "late", port)
        assert late.process.wait(timeout=60) == 1
    assert f"Port {port}" in late.output
    assert "PARVIS_PORT" in late.output
    assert late.everything_marked() == []


@pytest.mark.parametrize("port", ["many", "0", "65536", "-1", "８０８０"])
def test_a_wrong_port_is_named_with_what_was_expected(tmp_path: Path, port: str) -> None:
    late = launch(tmp_path / "late", 1, PARVIS_PORT=port)
    assert late.process.wait(timeout=60) == 1
    assert "The setting PARVIS_PORT is " in late.output
    assert "expected a port number from 1 to 65535" in late.output


def test_killing_everything_loses_nothing_and_the_next_start_continues(own: Product) -> None:
    organisation = order(own, "letzte")
    everything = [own.process.pid, *own.everything()]
    assert len(everything) >= 9
    for pid in everything:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    own.process.wait(timeout=60)
    started = time.monotonic()
    again = launch(own.folder, own.port)
    own.process = again.process
    own.wait_until_ready()
    print(f"second start after kill -9 of all: {time.monotonic() - started:.1f} s")
    wait_until_live(own, organisation)
    answers(own, "letzte")


def test_killing_the_supervisor_alone_ends_the_others(own: Product) -> None:
    left = known(own)
    assert len(left) >= 8
    own.process.kill()
    own.process.wait(timeout=60)
    eventually(lambda: not alive(left))
    own.process = launch(own.folder, own.port).process
    own.wait_until_ready()
    answers(own)


def test_ctrl_c_waits_for_work_under_way_and_a_second_one_does_not(own: Product) -> None:
    organisation, parts, everything = order(own, "eilig"), own.pids(), known(own)
    frozen = parts["worker"]
    freeze(frozen)
    own.process.send_signal(signal.SIGINT)
    eventually(lambda: re.search(r"Waiting for what is under way \((.*, )?worker(, .*)?\)", own.output))
    # The second one hurries whoever has not ended by then.
    others = [parts[name] for name in ("control-plane", "tenant-app", "sweep", "tenant-worker")]
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in others))
    assert own.process.poll() is None
    assert processes.started_at(frozen)
    assert own.stop() == 0
    assert alive(everything) == []
    assert killed(own) == ["worker"]
    own.process = launch(own.folder, own.port).process
    own.wait_until_ready()
    wait_until_live(own, organisation)


def test_ctrl_c_leaves_no_process_and_keeps_the_data(own: Product) -> None:
    everything = known(own)
    started = time.monotonic()
    assert own.stop() == 0
    print(f"Ctrl C took {time.monotonic() - started:.1f} s")
    assert alive(everything) == []
    assert own.everything_marked() == []
    # What was frozen before was killed; now, nothing.
    assert killed(own) == ["worker"]
    assert "Stopped." in own.output
    port = ports.free_port()
    with running_product(own.folder, port) as moved:
        # Another port gives other addresses, and what was ordered is there.
        assert moved.first_run["site"] == f"http://parvis.localhost:{port}"
        cell = json.loads((moved.var / "cell.json").read_text())
        assert cell["store"]["public_endpoint"] == f"http://parvis-files.localhost:{port}"
        with moved.client("letzte") as client:
            assert client.get("/", headers={"accept": "text/html"}, follow_redirects=True).status_code == 200
