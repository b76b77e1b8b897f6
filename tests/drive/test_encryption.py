"""Files under an organisation's own key, on a real Ceph that asks for keys: transparent, and gone with the key."""

import asyncio
import base64
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from control_plane.embedded.ports import free_port
from kit.s3 import Failure
from kit.vault import Vault
from tenant_app.contract import TenantRecord
from tests.drive.sending import PART, Sender
from tests.workspace.houses import CELL_KEY, House, running_house
from tests.world import stores
from tests.world.cells import prepared_cell
from tests.world.ceph import RunningCeph, key_asked, require, running_ceph
from tests.world.stores import Ceph
from tests.world.waiting import eventually

CANARY = b"the canary of a parliament: " * 40
DISK = 2 * 1024**3


def sealed_key(name: str, key: bytes) -> str:
    return Vault(CELL_KEY).seal_alike(base64.b64encode(key).decode(), f"data-key:{name}")


@dataclass
class Keyed:
    """A tenant app over a Ceph that asks our own process for keys, and that process's port."""

    house: House
    ceph: RunningCeph
    port: int

    def ask(self, path: str, token: str | None, method: str = "GET") -> httpx.Response:
        return key_asked(self.port, token, path, method)

    def own_key(self, record: TenantRecord, *versions: int, current: int | None = None) -> TenantRecord:
        """The record as it is published when files are encrypted by keys of the organisation's own, of these versions.

        Both processes know it then: the one that gives keys hears of it by itself.
        """
        names = {n: f"pv-{record.organisation_id.hex}-{n}" for n in (1, 2)}
        held = {name: sealed_key(name, bytes([n]) * 32) for n, name in names.items() if n in versions}
        store = {**record.store, "data_key": names[current] if current else None, "data_keys_sealed": held}
        changed = self.house.change(record, store=store)
        wanted = {name: 200 if name in held else 404 for name in names.values()}
        token = self.ceph.keys_token
        eventually(lambda: {name: self.ask(name, token).status_code for name in wanted} == wanted)
        return changed


@contextmanager
def running_keys(house: House, port: int, token: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The process that gives keys to gateways."""
    env = {**house.env(), "PARVIS_GATEWAY_TOKEN_FILE": str(token)}
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port)]
    with (house.folder / "keys.log").open("wb") as output:
        process = subprocess.Popen([*command, "tenant_app.keys:app"], env=env, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 90
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False, timeout=60).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, (house.folder / "keys.log").read_text()
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture(scope="module")
def keyed(postgres: str, world_folder: Path) -> Iterator[Keyed]:
    require()
    port = free_port()
    with (
        running_ceph(world_folder / "keyed-ceph", keys_address=f"http://127.0.0.1:{port}", size=DISK) as ceph,
        prepared_cell(postgres) as cell,
        running_house(cell, world_folder / "keyed", Ceph(ceph.endpoint, ceph.admin_key_id, ceph.admin_secret)) as house,
        running_keys(house, port, ceph.cluster.token_file),
    ):
        yield Keyed(house, ceph, port)


def on_disk(ceph: RunningCeph, what: bytes) -> bool:
    """Whether these bytes stand in clear on the disk of the store."""
    subprocess.run(["sync"], check=True)
    found = subprocess.run(
        ["grep", "-c", "-a", "-F", what.decode(), ceph.cluster.folder / "osd" / "block"],
        capture_output=True,
        check=False,
    )
    return found.returncode == 0


def test_files_under_an_own_key_are_read_as_ever_and_lie_encrypted(keyed: Keyed) -> None:
    house, ceph = keyed.house, keyed.ceph
    record = keyed.own_key(house.workspace(), 1, current=1)
    owner = house.owner(record)
    space, sender = owner.space(), Sender.of(owner)
    secret = CANARY.replace(b"canary", b"secret") + os.urandom(16)
    body = secret + os.urandom(2 * PART)
    large = sender.send(space, "large.bin", body)
    small = sender.send(space, "small.txt", secret)
    through = owner.put(space, "through.txt", secret)
    for file, content in ((large["id"], body), (small["id"], secret), (through, secret)):
        assert owner.get(f"/drive/{file}/content").content == content
    part = owner.get(f"/drive/{large['id']}/content", headers={"Range": f"bytes={PART - 5}-{PART + 5}"})
    assert (part.status_code, part.content) == (206, body[PART - 5 : PART + 6])
    # The control: what the store encrypts only by itself stands in clear on this disk.
    plain = house.owner(house.workspace())
    Sender.of(plain).send(plain.space(), "plain.txt", CANARY)
    eventually(lambda: on_disk(ceph, CANARY[:100]), pause=0.5)
    assert not on_disk(ceph, secret[:100])


def test_without_its_key_nobody_reads_a_file_again(keyed: Keyed) -> None:
    house = keyed.house
    record = keyed.own_key(house.workspace(), 1, 2, current=1)
    owner = house.owner(record)
    space, sender = owner.space(), Sender.of(owner)
    old = sender.send(space, "old.txt", b"under the first key")
    record = keyed.own_key(record, 1, 2, current=2)
    new = sender.send(space, "new.txt", b"under the second key")
    for file, content in ((old, b"under the first key"), (new, b"under the second key")):
        assert owner.get(f"/drive/{file['id']}/content").content == content
    # The first key is destroyed: it stands in no record any more.
    keyed.own_key(record, 2, current=2)
    lost = owner.get(f"/drive/{old['id']}/content")
    assert lost.status_code == 410
    assert lost.url.host == record.hosts[0]
    assert "is not in the store any more" in lost.text
    # Nor does the gateway itself give it to the owner of the bucket.
    [key] = [name for name, size in house.objects(record).items() if size == len(b"under the first key")]
    assert asyncio.run(_read(house, record, key)) == "NoSuchKey"
    assert owner.get(f"/drive/{new['id']}/content").content == b"under the second key"


async def _read(house: House, record: TenantRecord, key: str) -> str:
    bucket = stores.bucket(house.store, record.store["bucket"], record.store["key_id"])
    try:
        async with bucket.read(key) as chunks:
            return "".join([chunk.decode() async for chunk in chunks])
    except Failure as failed:
        return failed.code
    finally:
        await bucket.client.close()


def test_keys_are_given_to_gateways_only(keyed: Keyed) -> None:
    house, ceph, ask = keyed.house, keyed.ceph, keyed.ask
    record = keyed.own_key(house.workspace(), 1, current=1)
    name = f"pv-{record.organisation_id.hex}-1"
    good = ask(name, ceph.keys_token)
    assert good.json()["data"]["data"] == {"key": base64.b64encode(b"\x01" * 32).decode()}
    for token in (None, "", "x" * 40, ceph.keys_token[:-1], ceph.keys_token + "0"):
        answer = ask(name, token)
        assert answer.status_code == 403
        assert "AQEB" not in answer.text
    for path in (name[:-1] + "9", "pv-" + "0" * 32 + "-1", "../data/" + name + "x", "", name.upper()):
        assert ask(path, ceph.keys_token).status_code == 404
    assert ask(name, ceph.keys_token, "PUT").status_code == 404
    # The workspace itself, where browsers come, knows nothing of it.
    assert (
        house.owner(record).get(f"/v1/secret/data/{name}", headers={"X-Vault-Token": ceph.keys_token}).status_code
        == 404
    )
    log = (house.folder / "keys.log").read_text()
    assert ceph.keys_token not in log
    assert "AQEB" not in log
