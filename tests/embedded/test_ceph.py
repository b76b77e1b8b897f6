"""A real Ceph of one node: it starts, each daemon may be killed, and what was stored is there again."""

import base64
import hashlib
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from control_plane.embedded import ceph_programs, processes
from control_plane.embedded.ceph import Ceph
from control_plane.embedded.errors import EmbeddedError
from kit.s3.signing import Signer
from kit.vault import Vault
from tests.world.ceph import DISK, GATEWAY, MONITOR, SECOND_GATEWAY, RunningCeph, running_ceph, wait_until

KILLED = [MONITOR, DISK, GATEWAY, SECOND_GATEWAY]


def call(
    running: RunningCeph, method: str, path: str, body: bytes = b"", number: int = 0, **headers: str
) -> httpx.Response:
    """One S3 call with the administrator's key at one of the gateways."""
    signer = Signer(running.endpoints[number], running.admin_key_id, running.admin_secret)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    url, signed = signer.call(method, path, headers=named, payload=hashlib.sha256(body).hexdigest())
    verify = ssl.create_default_context(cafile=running.ca_file) if running.ca_file else True
    with httpx.Client(trust_env=False, timeout=60, verify=verify) as client:
        return client.request(method, url, headers=signed, content=body)


def stores(running: RunningCeph, number: int = 0) -> bool:
    return call(running, "PUT", "/probe", number=number).status_code == 200


@pytest.fixture(scope="module")
def own(world_folder: Path) -> Iterator[RunningCeph]:
    """A cluster to be treated badly, below a folder that only its owner may enter."""
    closed = world_folder / "closed-ceph"
    closed.mkdir(mode=0o700)
    with running_ceph(closed / "own", gateways=2) as running:
        yield running


def test_what_one_gateway_stores_the_other_gives(ceph: RunningCeph) -> None:
    assert call(ceph, "PUT", "/shared").status_code == 200
    assert call(ceph, "PUT", "/shared/one", b"bytes").status_code == 200
    assert call(ceph, "GET", "/shared/one", number=1).content == b"bytes"


def test_the_administrator_may_look_after_accounts_and_nobody_else_may(ceph: RunningCeph) -> None:
    made = call(ceph, "GET", "/admin/user?uid=parvis-admin")
    assert made.status_code == 200
    assert made.json()["user_id"] == "parvis-admin"
    assert httpx.get(f"{ceph.endpoint}/admin/user?uid=parvis-admin", trust_env=False, timeout=60).status_code == 403


def test_the_settings_of_a_cell_keep_the_administrators_secret_sealed(ceph: RunningCeph, vault: Vault) -> None:
    settings = ceph.store_settings(vault, "fr-1")
    assert settings["endpoint"] == ceph.endpoint
    assert ceph.admin_secret not in str(settings)
    assert [log for log in ceph.cluster.logs.iterdir() if ceph.admin_secret in log.read_text()] == []
    assert vault.open(settings["admin_secret_sealed"], "store-admin:fr-1") == ceph.admin_secret


@pytest.mark.parametrize("name", KILLED)
def test_a_daemon_that_is_killed_is_back_and_nothing_is_lost(own: RunningCeph, name: str) -> None:
    assert stores(own)
    assert call(own, "PUT", f"/probe/before-{name}", name.encode()).status_code == 200
    own.restart(name)
    for number in (0, 1):
        assert call(own, "GET", f"/probe/before-{name}", number=number).content == name.encode()
    assert call(own, "PUT", f"/probe/after-{name}", b"new").status_code == 200


def seconds_after_a_death(running: RunningCeph) -> float:
    """How long a change of an account takes at one gateway while the other one is dead."""
    began = time.monotonic()
    running.kill(GATEWAY)
    # It is told to every gateway, also to the dead one.
    made = call(running, "PUT", f"/admin/user?uid=late-{uuid4().hex}&display-name=Late&generate-key=false", number=1)
    took = time.monotonic() - began
    assert made.status_code == 200, made.text
    running.restart(GATEWAY)
    return took


def test_a_gateway_that_died_keeps_nobody_waiting_for_half_a_minute(own: RunningCeph) -> None:
    # Ceph by itself would wait thirty every time; a machine that is too busy to tell is not so every time.
    assert any(seconds_after_a_death(own) < 28 for _ in range(3))


def test_killing_all_of_it_loses_nothing_and_the_next_start_continues(own: RunningCeph) -> None:
    assert stores(own)
    assert call(own, "PUT", "/probe/kept", b"kept").status_code == 200
    endpoints = own.endpoints
    for name in KILLED:
        own.kill(name)
    own.start()
    assert own.endpoints == endpoints
    assert call(own, "GET", "/probe/kept").content == b"kept"


def test_a_frozen_disk_answers_nothing_until_it_is_thawed(own: RunningCeph) -> None:
    assert stores(own)
    url, signed = Signer(own.endpoint, own.admin_key_id, own.admin_secret).call("PUT", "/probe/waits")
    with own.frozen(DISK), pytest.raises(httpx.TimeoutException):
        httpx.put(url, headers=signed, trust_env=False, timeout=1)
    assert stores(own)


@pytest.mark.timeout(600)
def test_a_lone_disk_that_stood_still_for_long_serves_again_whoever_waited(own: RunningCeph) -> None:
    assert stores(own)
    ended = threading.Event()

    def keep_asking(number: int) -> None:
        while not ended.is_set():
            with suppress(httpx.HTTPError):
                call(own, "PUT", f"/probe/{number}", b"x" * 200_000, number=number % 2)

    asking = [threading.Thread(target=keep_asking, args=(number,)) for number in range(6)]
    for thread in asking:
        thread.start()
    try:
        with own.frozen(DISK):
            # Longer than the lease that a disk has by default, with requests under way all the time.
            time.sleep(30)
        wait_until(lambda: answers(own), 300)
        own.restart(DISK)
        wait_until(lambda: answers(own), 300)
    finally:
        ended.set()
        for thread in asking:
            thread.join(120)


def answers(running: RunningCeph) -> bool:
    with suppress(httpx.HTTPError):
        return stores(running)
    return False


def test_a_stop_leaves_no_process_and_keeps_the_data(world_folder: Path) -> None:
    with running_ceph(world_folder / "stopped") as running:
        assert stores(running)
        assert call(running, "PUT", "/probe/kept", b"kept").status_code == 200
        pids = [process.pid for process in running.processes.values()]
    assert [pid for pid in pids if processes.started_at(pid)] == []
    with running_ceph(world_folder / "stopped") as again:
        assert call(again, "GET", "/probe/kept").content == b"kept"


def test_a_start_that_was_cut_off_halfway_is_made_whole_by_the_next(world_folder: Path) -> None:
    folder = world_folder / "cut"
    (folder / "logs").mkdir(parents=True)
    half = RunningCeph(Ceph(folder / "ceph", folder / "logs"))
    half.cluster.prepare()
    half._ensure(MONITOR)
    half.cluster.make_disk(half.processes[MONITOR])
    half.kill(MONITOR)
    with running_ceph(folder) as running:
        assert stores(running)


def test_a_gateway_with_tls_shows_a_certificate_of_its_authority_and_speaks_nothing_else(
    ceph_tls: RunningCeph,
) -> None:
    assert ceph_tls.endpoint.startswith("https://")
    assert stores(ceph_tls)
    # Without the authority it is not believed, and plain HTTP gets no answer of S3.
    with pytest.raises(httpx.ConnectError, match="certificate"):
        httpx.get(ceph_tls.endpoint, trust_env=False, timeout=60)
    plain = ceph_tls.endpoint.replace("https", "http")
    with suppress(httpx.TransportError):
        assert "ListAllMyBuckets" not in httpx.get(plain, trust_env=False, timeout=60).text
    key = ceph_tls.cluster.folder / "server.key"
    assert key.stat().st_mode & 0o077 == 0


class Keys(BaseHTTPRequestHandler):
    """Gives one data key to whoever shows a token, and notes who asked for what."""

    asked: list[tuple[str, str]]

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("X-Vault-Token", "")))
        body = b'{"data": {"data": {"key": "%s"}}}' % base64.b64encode(bytes(32))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tells nobody."""


def test_gateways_ask_for_data_keys_with_their_token(world_folder: Path) -> None:
    handler = type("Handler", (Keys,), {"asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as keys:
        threading.Thread(target=keys.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{keys.server_port}"
        with running_ceph(world_folder / "keys", keys_address=address) as running:
            assert stores(running)
            assert call(running, "PUT", "/probe/plain", b"plain").status_code == 200
            assert handler.asked == []
            wish = {"x_amz_server_side_encryption": "aws:kms", "x_amz_server_side_encryption_aws_kms_key_id": "pv-1"}
            assert call(running, "PUT", "/probe/sealed", b"sealed", **wish).status_code == 200
            assert call(running, "GET", "/probe/sealed").content == b"sealed"
            assert set(handler.asked) == {("/v1/secret/data/pv-1", running.keys_token)}
        keys.shutdown()


def test_without_the_packages_the_error_names_the_cure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ceph_programs, "PATH", str(tmp_path))
    with pytest.raises(EmbeddedError, match="apt-get install --no-install-recommends ceph-mon ceph-osd radosgw"):
        Ceph(tmp_path / "ceph", tmp_path)


RUN = """
import signal, sys
from pathlib import Path
from tests.world.ceph import running_ceph

with running_ceph(Path(sys.argv[1])) as running:
    print(*(process.pid for process in running.processes.values()), flush=True)
    signal.pause()
"""


def test_it_dies_with_whoever_started_it(world_folder: Path) -> None:
    command = [sys.executable, "-c", RUN, str(world_folder / "orphan")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as runs:
        assert runs.stdout is not None
        pids = [int(pid) for pid in runs.stdout.readline().split()]
        assert [bool(processes.started_at(pid)) for pid in pids] == [True, True, True]
        runs.kill()
    assert processes.wait_for(lambda: not any(processes.started_at(pid) for pid in pids), 60)
