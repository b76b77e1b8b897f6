"""The gateway is killed again and again while many write: what was acknowledged is there, and nothing else is left."""

import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from tests.filestore.gateway import running_gateway
from tests.filestore.tenants import Tenant, md5, new_key, new_tenant
from tests.world.waiting import eventually

KILLS = 50
WRITERS = 4
RESTART_SECONDS = 90


class Unheard(Exception):  # noqa: N818 - nobody knows how it went
    """The call may have succeeded or not."""


@dataclass
class Writer:
    """Puts, replaces, deletes and uploads in parts, and remembers what each key may hold now: None is absence."""

    tenant: Tenant
    seed: int
    may_hold: dict[str, set[bytes | None]] = field(default_factory=dict)
    acknowledged: int = 0
    unheard: int = 0
    wrong: list[str] = field(default_factory=list)

    def run(self, stopping: threading.Event) -> None:
        self.random = random.Random(self.seed)
        while not stopping.is_set():
            work = self.random.choice([self.put, self.put, self.upload, self.delete])
            try:
                work()
            except Exception as error:  # noqa: BLE001 - told at the end
                self.wrong.append(repr(error))
                return

    def body(self) -> bytes:
        size = self.random.choice([0, 100, 70_000, 3_000_000])
        return self.random.randbytes(16) * (size // 16)

    def ask(self, call: Callable[[], requests.Response], *fine: int) -> requests.Response:
        """The answer, or `Unheard`; who was not even connected asks again."""
        deadline = time.monotonic() + RESTART_SECONDS
        while True:
            try:
                answer = call()
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
                if "refused" not in str(error):
                    raise Unheard from error
                assert time.monotonic() < deadline, "the gateway does not come back"
                time.sleep(0.02)
                continue
            assert answer.status_code in {200, 204, *fine}, answer.text
            return answer

    def change(self, key: str, call: Callable[[], requests.Response], becomes: bytes | None) -> None:
        """Do one thing; when its answer is not heard, the key may hold what it held or what it would become."""
        before = self.may_hold.get(key, {None})
        try:
            self.ask(call)
        except Unheard:
            self.unheard += 1
            self.may_hold[key] = before | {becomes}
        else:
            self.may_hold[key] = {becomes}
            self.acknowledged += 1

    def put(self) -> None:
        known = self.random.random() < 0.3 and self.may_hold
        key = self.random.choice(list(self.may_hold)) if known else new_key()
        body = self.body()
        self.change(key, lambda: self.tenant.call("PUT", key, body=body), body)

    def delete(self) -> None:
        if self.may_hold:
            key = self.random.choice(list(self.may_hold))
            self.change(key, lambda: self.tenant.call("DELETE", key), None)

    def upload(self) -> None:
        """An upload in parts, which goes on after each crash until it is complete."""
        key, bodies = new_key(), [self.body() + b"." for _ in range(3)]
        try:
            upload = re.findall(
                "<UploadId>(.*?)<", self.ask(lambda: self.tenant.call("POST", key, {"uploads": ""})).text
            )[0]
        except Unheard:
            return
        for n, body in enumerate(bodies, 1):
            self.surely(lambda n=n, body=body: self.tenant.part(key, upload, n, body))  # type: ignore[misc]
        listed = self.surely(lambda: self.tenant.call("GET", key, {"uploadId": upload})).text
        parts = [(n, md5(body)) for n, body in enumerate(bodies, 1)]
        assert re.findall("<ETag>(.*?)</ETag>", listed) == [etag for _, etag in parts], "a part was lost"
        self.surely(lambda: self.tenant.complete(key, upload, parts))
        self.may_hold[key] = {b"".join(bodies)}
        self.acknowledged += 1

    def surely(self, call: Callable[[], requests.Response]) -> requests.Response:
        """Ask again until the answer is heard."""
        while True:
            try:
                return self.ask(call)
            except Unheard:
                self.unheard += 1


@pytest.mark.timeout(900)
def test_no_acknowledged_object_is_lost_by_fifty_kills(tmp_path: Path) -> None:
    moments = random.Random(7)
    with running_gateway(tmp_path / "store") as gateway:
        tenant, stopping = new_tenant(gateway), threading.Event()
        writers = [Writer(tenant, seed) for seed in range(WRITERS)]
        threads = [threading.Thread(target=writer.run, args=(stopping,)) for writer in writers]
        for thread in threads:
            thread.start()
        kills = 0
        while kills < KILLS or not tried(writers):
            heard = acknowledged(writers)
            # They are at it again: right after a start there is nothing to be lost.
            eventually(lambda heard=heard: acknowledged(writers) > heard or troubled(writers))  # type: ignore[misc]
            time.sleep(moments.uniform(0.0, 0.3))
            gateway.kill()
            gateway.start()
            kills += 1
        stopping.set()
        for thread in threads:
            thread.join(RESTART_SECONDS * 2)
        assert [writer.wrong for writer in writers] == [[]] * WRITERS
        check(tenant, writers)


def check(tenant: Tenant, writers: list[Writer]) -> None:
    told = {key: bodies for writer in writers for key, bodies in writer.may_hold.items()}
    for key, bodies in told.items():
        answer = tenant.get(key)
        held = answer.content if answer.status_code == 200 else None
        assert held in bodies, f"{key} holds {held and len(held)} bytes"
    there = {one["path"]: one["size"] for page in tenant.rust.list() for one in page}
    assert there.keys() <= told.keys()
    assert tenant.store.used(tenant.name) >= sum(there.values())
    tenant.store.sweep(tenant.name, older_than=-1)
    assert tenant.left() == []
    assert tenant.store.recount(tenant.name) == sum(there.values())


def acknowledged(writers: list[Writer]) -> int:
    return sum(writer.acknowledged for writer in writers)


def troubled(writers: list[Writer]) -> bool:
    return any(writer.wrong for writer in writers)


def tried(writers: list[Writer]) -> bool:
    """Whether enough calls were cut off in their midst; otherwise little was tried."""
    return sum(writer.unheard for writer in writers) > KILLS // 4 or troubled(writers)
