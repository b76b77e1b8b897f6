"""What a crash leaves: every acknowledged object whole, nothing half, and nothing at all after the sweep."""

import contextlib
import os
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kit.filestore import FileStore, arriving, disk, objects, shelves, uploads
from kit.filestore.arriving import Arrival, Expected
from kit.filestore.refusals import Refused
from tests.filestore.tenants import md5, new_key

# All by which the store changes what lies on disk.
CALLS = ("open", "write", "pwrite", "fsync", "rename", "unlink", "mkdir", "rmdir", "setxattr", "close")
OLD, NEW = b"old content", b"the new content"


@dataclass
class Bucket:
    """A bucket with an object, and an upload of three parts whose second came twice."""

    folder: Path
    key: str = field(default_factory=new_key)
    upload: str = ""
    parts: list[tuple[int, str]] = field(default_factory=list)

    @property
    def store(self) -> FileStore:
        return FileStore(self.folder.parents[1])

    def put(self, key: str, body: bytes) -> None:
        arriving.place(self.folder, key, self._arrived(key, body, tagged=True))

    def part(self, n: int, body: bytes) -> str:
        uploads.put(self.folder, self.key, self.upload, n, self._arrived(self.key, body, tagged=False))
        return md5(body).strip('"')

    def _arrived(self, key: str, body: bytes, *, tagged: bool) -> Arrival:
        arrived = Arrival.begin(self.folder, key, Expected(len(body)))
        arrived.write([body])
        arrived.tag([body])
        arrived.finish(tagged=tagged)
        return arrived

    def read(self, key: str) -> bytes | None:
        found = objects.opened(objects.path_of(self.folder, key))
        if found is None:
            return None
        with found:
            body = b""
            while piece := found.read(len(body), 1 << 20):
                body += piece
            assert len(body) == found.size
            return body

    def settle(self) -> None:
        """What every crash is followed by: nothing may be counted too low, and the sweep takes all but objects."""
        counted = self.store.used("org-a")
        truth = self.store.recount("org-a")
        assert counted >= truth, "a crash must never make room that is not there"
        self.store.sweep("org-a", older_than=-1)
        assert list((self.folder / "incoming").iterdir()) == []
        held = sum(len(self.read(key) or b"") for key in shelves.keys(self.folder))
        assert self.store.used("org-a") == held == self.store.recount("org-a")


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[], Bucket]:
    def make() -> Bucket:
        store = FileStore(tmp_path / new_key())
        store.ensure_account("org-a", {"KEY": "s" * 40})
        store.ensure_bucket("org-a", "org-a", None)
        made = Bucket(store.folder("org-a"))
        made.put(made.key, OLD)
        made.upload = uploads.begin(made.folder, made.key)
        made.part(2, b"never asked for")
        made.parts = [(1, made.part(1, b"the new")), (2, made.part(2, b" content"))]
        made.part(3, b"dropped")
        return made

    return make


def crash_at(n: int, work: Callable[[], Any]) -> bool:
    """Do the work in a child that dies just before its nth change to the disk; False when it came to its end."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _die_before(n)
            work()
            status = 0
        except BaseException:  # noqa: BLE001 - a child must not go on as a second pytest
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert status in {0, signal.SIGKILL}, "the work itself failed"
    return status != 0


def _die_before(n: int) -> None:
    left = [n]

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return call(*given, **named)

        return run

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))
    disk.exchange = counted(disk.exchange)


def every_crash(fresh: Callable[[], Bucket], work: Callable[[Bucket], Any], check: Callable[[Bucket], Any]) -> int:
    """Crash at each point of the work in a bucket of its own; how many points there were."""
    for n in range(1000):
        bucket = fresh()
        crashed = crash_at(n, lambda bucket=bucket: work(bucket))  # type: ignore[misc]
        check(bucket)
        bucket.settle()
        if not crashed:
            return n
    raise AssertionError("the work never ends")


def test_a_crash_anywhere_in_a_put_leaves_the_old_object_or_the_new_one(fresh: Callable[[], Bucket]) -> None:
    def check(bucket: Bucket) -> None:
        assert bucket.read(bucket.key) in {OLD, NEW}

    assert every_crash(fresh, lambda bucket: bucket.put(bucket.key, NEW), check) > 10


def test_a_crash_anywhere_in_a_first_put_leaves_the_object_or_none(fresh: Callable[[], Bucket]) -> None:
    key = new_key()

    def check(bucket: Bucket) -> None:
        assert bucket.read(key) in {None, NEW}
        assert bucket.read(bucket.key) == OLD

    assert every_crash(fresh, lambda bucket: bucket.put(key, NEW), check) > 10


def test_a_crash_anywhere_in_a_part_loses_no_part_that_was_there(fresh: Callable[[], Bucket]) -> None:
    def check(bucket: Bucket) -> None:
        found = {part.n: part.etag for part in uploads.parts(bucket.folder, bucket.key, bucket.upload)}
        assert found[1] in {bucket.parts[0][1], md5(b"again").strip('"')}
        parts = [(1, found[1]), bucket.parts[1]]
        uploads.complete(bucket.folder, bucket.key, bucket.upload, parts)
        assert bucket.read(bucket.key) in {b"the new content", b"again content"}

    assert every_crash(fresh, lambda bucket: bucket.part(1, b"again"), check) > 8


def test_a_crash_anywhere_in_completing_leaves_the_upload_or_the_object(fresh: Callable[[], Bucket]) -> None:
    def complete(bucket: Bucket) -> None:
        uploads.complete(bucket.folder, bucket.key, bucket.upload, bucket.parts)

    def check(bucket: Bucket) -> None:
        assert bucket.read(bucket.key) in {OLD, NEW}
        # Whoever did not hear the answer asks again.
        complete(bucket)
        assert bucket.read(bucket.key) == NEW

    assert every_crash(fresh, complete, check) > 10


def test_a_crash_anywhere_in_deleting_or_aborting_can_be_repeated(fresh: Callable[[], Bucket]) -> None:
    def end(bucket: Bucket) -> None:
        arriving.remove(bucket.folder, bucket.key)
        with contextlib.suppress(Refused):
            uploads.abort(bucket.folder, bucket.key, bucket.upload)

    def check(bucket: Bucket) -> None:
        assert bucket.read(bucket.key) in {OLD, None}
        end(bucket)
        assert bucket.read(bucket.key) is None
        assert uploads.unfinished(bucket.folder) == []

    assert every_crash(fresh, end, check) > 8


def test_a_crash_anywhere_in_replacing_an_object_in_parts_leaves_one_of_the_two(fresh: Callable[[], Bucket]) -> None:
    def prepared() -> Bucket:
        bucket = fresh()
        uploads.complete(bucket.folder, bucket.key, bucket.upload, bucket.parts)
        return bucket

    def check(bucket: Bucket) -> None:
        assert bucket.read(bucket.key) in {NEW, b"a file again"}
        assert uploads.unfinished(bucket.folder) == []

    assert every_crash(prepared, lambda bucket: bucket.put(bucket.key, b"a file again"), check) > 10


def test_the_control_a_store_that_writes_in_place_loses_what_was_there(fresh: Callable[[], Bucket]) -> None:
    """The broken control: the same crashes, and a put that does not take the way round by `incoming/`."""

    def careless(bucket: Bucket) -> None:
        handle = os.open(objects.path_of(bucket.folder, bucket.key), os.O_WRONLY | os.O_TRUNC)
        os.write(handle, NEW)
        os.close(handle)

    def check(bucket: Bucket) -> None:
        assert bucket.read(bucket.key) in {OLD, NEW}

    with pytest.raises(AssertionError):
        every_crash(fresh, careless, check)
