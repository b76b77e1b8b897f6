"""Uploads while things are killed, frozen or cut: what was acknowledged is there, and nothing else after the sweep."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.drive.books import compare
from tests.drive.sending import PART, Sender, digest
from tests.workspace.houses import House, running_house
from tests.world.cells import prepared_cell
from tests.world.ceph import require, running_ceph, wait_until
from tests.world.stores import Ceph

GB = 1024**3


@pytest.fixture(scope="module")
def frail(postgres: str, world_folder: Path) -> Iterator[tuple[House, Any]]:
    """A tenant app over a Ceph of its own, for tests that kill both."""
    require()
    with (
        running_ceph(world_folder / "frail-ceph", size=8 * GB) as ceph,
        prepared_cell(postgres) as cell,
        running_house(cell, world_folder / "frail", Ceph(ceph.endpoint, ceph.admin_key_id, ceph.admin_secret)) as house,
    ):
        yield house, ceph


class Crowd:
    """Senders who go on whatever happens, and remember what was acknowledged."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.record = house.workspace()
        self.owner = house.owner(self.record)
        self.space = self.owner.space()
        self.acknowledged: dict[str, str] = {}
        self.failures = 0
        self.stop = threading.Event()

    def one(self, number: int, sender: Sender) -> None:
        turn = 0
        while not self.stop.is_set():
            turn += 1
            body = os.urandom(200_000 if turn % 4 else PART + 1000)
            try:
                file = sender.send(self.space, f"{number}-{turn}.bin", body)
                self.acknowledged[file["id"]] = digest(body)
            except (AssertionError, httpx.TransportError, KeyError, ValueError):
                self.failures += 1
                time.sleep(0.2)

    def during(self, trouble: Callable[[], None], *, before: int = 8, after: int = 8) -> None:
        """Send, let the trouble come, and go on until as much again has arrived."""
        senders = [Sender.of(self.owner) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            running = [pool.submit(self.one, n, sender) for n, sender in enumerate(senders)]
            try:
                self._until(before)
                trouble()
                self._until(len(self.acknowledged) + after)
            finally:
                self.stop.set()
            for one in running:
                one.result()

    def _until(self, count: int) -> None:
        deadline = time.monotonic() + 240
        while len(self.acknowledged) < count:
            assert time.monotonic() < deadline, f"{len(self.acknowledged)} of {count}, {self.failures} failures"
            time.sleep(0.05)

    def check(self) -> None:
        """Every acknowledged file is whole; what nobody finished goes, and the books agree."""
        for file, known in self.acknowledged.items():
            assert sha256(self.owner.get(f"/drive/{file}/content").content).hexdigest() == known
        self.house.rows(self.record, "update upload set expires_at = now() - interval '1 second'")
        compare(self.house, self.record)
        self.house.rows(self.record, "update discard set due_at = now()")
        usage = compare(self.house, self.record, orphan_seconds=0)
        assert usage.missing == 0
        known = self.house.rows(self.record, "select count(distinct blob_id) from version")[0][0]
        assert usage.store_objects - usage.orphans == known
        assert len(self.house.objects(self.record)) == known >= len(self.acknowledged)
        assert self.house.tally(self.record) == (sum(self.house.objects(self.record).values()), 0)


def test_the_app_killed_in_the_midst_of_uploads_loses_nothing_acknowledged(frail: tuple[House, Any]) -> None:
    house, _ = frail
    crowd = Crowd(house)

    def trouble() -> None:
        for _ in range(3):
            house.kill()
            house.start()
            house.wait_until_ready()
            time.sleep(1)

    crowd.during(trouble)
    assert crowd.failures > 0
    crowd.check()


@pytest.mark.parametrize("part", ["gateway-0", "disk"])
def test_the_store_killed_in_the_midst_of_uploads_loses_nothing_acknowledged(
    frail: tuple[House, Any], part: str
) -> None:
    house, ceph = frail
    crowd = Crowd(house)
    crowd.during(lambda: ceph.restart(part))
    crowd.check()


def test_an_upload_goes_on_after_the_app_was_killed_between_its_parts(frail: tuple[House, Any]) -> None:
    house, _ = frail
    owner = house.owner(house.workspace())
    space, sender = owner.space(), Sender.of(owner)
    body = os.urandom(2 * PART + 7)
    [begun] = sender.begin(space, ("film.mp4", body))
    sender.send_parts(begun["id"], body, 1)
    house.kill()
    house.start()
    house.wait_until_ready()
    sender.send_parts(begun["id"], body, 2, 3)
    [file] = sender.complete(begun["id"])
    assert owner.get(f"/drive/{file['id']}/content").content == body


@pytest.mark.timeout(600)
def test_a_store_whose_disk_hangs_gives_a_clear_answer_in_time_and_pages_go_on(frail: tuple[House, Any]) -> None:
    house, ceph = frail
    owner = house.owner(house.workspace())
    space, sender = owner.space(), Sender.of(owner)
    kept = sender.send(space, "kept.txt", b"kept")
    [begun] = sender.begin(space, ("film.mp4", b"x" * (PART + 1)))
    with ceph.frozen("disk"):
        parts = sender.ask(f"uploads/{begun['id']}/parts", {"parts": [{"n": 1, "digest": digest(b"x" * PART)}]})
        assert (parts.status_code, parts.json()["code"]) == (503, "store_unavailable")
        through = owner.upload(space, "through.txt", b"content", headers={"Accept": "application/json"})
        assert (through.status_code, through.json()["code"]) == (503, "store_unavailable")
        for path in (f"/drive/{space}", f"/drive/{kept['id']}", "/"):
            assert owner.get(path).status_code == 200
    wait_until(lambda: owner.upload(space, "through.txt", b"content").status_code == 201, 180)
    assert owner.get(f"/drive/{kept['id']}/content").content == b"kept"
    assert house.tally(owner.record)[1] == PART + 1


def test_a_file_of_five_gigabytes(frail: tuple[House, Any]) -> None:
    house, _ = frail
    owner = house.owner(house.workspace(entitlements={"file_bytes": 10 * GB}))
    sender = Sender.of(owner)
    size, zeros = 5 * GB, bytes(PART)
    wanted = {"files": [{"name": "five.bin", "size": size}]}
    [begun] = sender.ask(f"{owner.space()}/uploads", wanted).json()["uploads"]
    known = digest(zeros)

    def send(first: int) -> None:
        wishes = [{"n": n, "digest": known} for n in range(first, first + 32)]
        for call in sender.ask(f"uploads/{begun['id']}/parts", {"parts": wishes}).json()["parts"]:
            assert sender.put(call, zeros).status_code == 200

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(1, begun["parts"] + 1, 32)))
    [file] = sender.complete(begun["id"])
    assert file["size"] == size
    tail = owner.get(f"/drive/{file['id']}/content", headers={"Range": f"bytes={size - 5}-"})
    assert (tail.status_code, tail.content) == (206, bytes(5))
    assert house.tally(owner.record) == (size, 0)
    assert list(house.objects(owner.record).values()) == [size]


def test_over_tls_everything_goes_as_well(postgres: str, world_folder: Path) -> None:
    """Over HTTPS some clients send bodies that Ceph answers with 411; plain HTTP would hide it."""
    require()
    with running_ceph(world_folder / "tls-ceph", tls=True, size=GB) as ceph, prepared_cell(postgres) as cell:
        host = ceph.endpoint.partition("://")[2].partition(":")[0]
        store = Ceph(ceph.endpoint, ceph.admin_key_id, ceph.admin_secret, public_host=host, ca_file=ceph.ca_file)
        with running_house(cell, world_folder / "tls", store) as house:
            owner = house.owner(house.workspace())
            space, sender = owner.space(), Sender.of(owner)
            body = os.urandom(PART + 100)
            for name, content in (("empty", b""), ("small", b"small"), ("large", body)):
                file = sender.send(space, name, content)
                url = owner.http.get(f"/drive/{file['id']}/content", follow_redirects=False).headers["location"]
                assert url.startswith("https://")
                assert sender.store.get(url).content == content
            through = owner.put(space, "through", body)
            url = owner.http.get(f"/drive/{through}/content", follow_redirects=False).headers["location"]
            assert sender.store.get(url).content == body
            # The control: who does not know the authority does not speak to it.
            with pytest.raises(httpx.ConnectError):
                httpx.get(url, trust_env=False, timeout=60)
