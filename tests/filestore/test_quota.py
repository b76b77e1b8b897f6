"""The bucket's quota is the last word, however many write at once."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.filestore import arriving, disk
from kit.filestore.arriving import Arrival, Expected
from kit.filestore.refusals import Refused
from kit.filestore.store import FileStore
from tests.filestore.tenants import Tenant, completion, md5, new_key, said

KIB = 1024


def test_an_object_past_the_quota_is_refused_and_leaves_nothing(new: Callable[..., Tenant]) -> None:
    tenant = new(quota=1000)
    tenant.put(body=b"x" * 900)
    assert said(tenant.call("PUT", new_key(), body=b"x" * 101)) == (403, "QuotaExceeded")
    assert (tenant.store.used(tenant.name), tenant.left()) == (900, [])
    tenant.put(body=b"x" * 100)
    assert said(tenant.call("PUT", new_key(), body=b"x")) == (403, "QuotaExceeded")
    tenant.put(body=b"")


def test_a_large_object_past_the_quota_is_refused_before_it_is_sent(new: Callable[..., Tenant]) -> None:
    tenant = new(quota=3_000_000)
    assert said(tenant.call("PUT", new_key(), body=os.urandom(3_000_001))) == (403, "QuotaExceeded")
    tenant.put(body=os.urandom(3_000_000))


def test_what_is_replaced_makes_room(new: Callable[..., Tenant]) -> None:
    tenant = new(quota=1000)
    key = tenant.put(body=b"x" * 900)
    tenant.put(key, b"y" * 1000)
    assert said(tenant.call("PUT", key, body=b"z" * 1001)) == (403, "QuotaExceeded")
    assert tenant.get(key).content == b"y" * 1000
    tenant.put(key, b"")
    tenant.put(body=b"x" * 1000)


def test_what_shrinks_is_admitted_though_the_quota_fell(new: Callable[..., Tenant]) -> None:
    tenant = new(quota=1000)
    key = tenant.put(body=b"x" * 900)
    tenant.store.ensure_bucket(tenant.name, tenant.name, 100)
    assert said(tenant.call("PUT", new_key(), body=b"x")) == (403, "QuotaExceeded")
    tenant.put(key, b"x" * 500)
    tenant.store.ensure_bucket(tenant.name, tenant.name, 501)
    tenant.put(body=b"x")


def test_parts_count_from_their_arrival_on(new: Callable[..., Tenant]) -> None:
    tenant = new(quota=1000)
    key = new_key()
    begun = tenant.begin(key)
    assert tenant.part(key, begun, 1, b"x" * 600).status_code == 200
    assert said(tenant.part(key, begun, 2, b"x" * 401)) == (403, "QuotaExceeded")
    assert said(tenant.call("PUT", new_key(), body=b"x" * 401)) == (403, "QuotaExceeded")
    assert tenant.part(key, begun, 1, b"y" * 700).status_code == 200
    assert tenant.part(key, begun, 2, b"z" * 300).status_code == 200
    assert tenant.complete(key, begun, [(1, md5(b"y" * 700)), (2, md5(b"z" * 300))]).status_code == 200
    assert tenant.store.used(tenant.name) == 1000
    other = tenant.begin(new_key())
    assert said(tenant.part(new_key(), other, 1, b"x")) == (404, "NoSuchUpload")


def together(work: list[Callable[[], None]]) -> None:
    gate = threading.Barrier(len(work))

    def one(run: Callable[[], None]) -> None:
        gate.wait()
        run()

    threads = [threading.Thread(target=one, args=(run,)) for run in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_twenty_clients_at_once_never_pass_the_quota(new: Callable[..., Tenant]) -> None:
    tenant = new(quota=1000)
    together([lambda: tenant.call("PUT", new_key(), body=b"x" * 100)] * 20)  # type: ignore[list-item]
    assert tenant.store.recount(tenant.name) == 1000
    assert tenant.left() == []


def test_twenty_uploads_in_parts_at_once_never_pass_the_quota(new: Callable[..., Tenant]) -> None:
    part = os.urandom(64 * KIB)
    tenant = new(quota=20 * len(part))

    def upload() -> None:
        key = new_key()
        begun = tenant.begin(key)
        answers = [tenant.part(key, begun, n, part) for n in range(1, 5)]
        if all(answer.status_code == 200 for answer in answers):
            body = completion([(n, md5(part)) for n in range(1, 5)])
            assert tenant.call("POST", key, {"uploadId": begun}, body).status_code == 200
        else:
            assert {said(answer) for answer in answers} <= {(200, ""), (403, "QuotaExceeded")}
            assert tenant.store.used(tenant.name) <= 20 * len(part)
            tenant.call("DELETE", key, {"uploadId": begun})

    together([upload] * 20)
    used = tenant.store.used(tenant.name)
    assert used == tenant.store.recount(tenant.name) <= 20 * len(part)
    assert tenant.left() == []


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Path]:
    store = FileStore(tmp_path)
    store.ensure_account("org-a", {"KEY": "s" * 40})
    store.ensure_bucket("org-a", "org-a", 1000)
    yield store.folder("org-a")
    assert list((store.folder("org-a") / "incoming").iterdir()) == []


def direct(folder: Path) -> None:
    """What the gateway does with a small object, without HTTP around it."""
    key = new_key()
    arrived = Arrival.begin(folder, key, Expected(100))
    try:
        arrived.write([b"x" * 100])
        arrived.finish(tagged=True)
        arriving.place(folder, key, arrived)
    except Refused:
        pass
    finally:
        arrived.discard()


def test_twenty_threads_at_once_never_pass_the_quota(bucket: Path) -> None:
    together([lambda: direct(bucket)] * 20)
    assert FileStore(bucket.parents[1]).recount("org-a") == 1000


def test_the_same_threads_pass_it_when_nothing_is_locked(bucket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken control: were it to hold too, the tests above would prove nothing."""
    counted, gate = disk.count, threading.Barrier(20)

    def counted_by_all(folder: Path) -> int:
        total = counted(folder)
        gate.wait(60)
        return total

    monkeypatch.setattr(disk, "locked", lambda _path, **_how: contextlib.nullcontext())
    monkeypatch.setattr(disk, "count", counted_by_all)
    together([lambda: direct(bucket)] * 20)
    monkeypatch.undo()
    assert FileStore(bucket.parents[1]).recount("org-a") > 1000
