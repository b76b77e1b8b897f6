"""The embedded object store: whole or absent, never past the quota, closed to others."""

import threading
from pathlib import Path

import pytest

from kit.errors import Refusal, Unavailable
from kit.filestore import Bucket, FileStore, Upload
from kit.ids import new_id

KEY, SECRET = "PVKEY", "s" * 40


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    store = FileStore(tmp_path)
    store.ensure_account("org-a", KEY, SECRET)
    store.ensure_bucket("org-a", "org-a", 1000)
    return store


def put(bucket: Bucket, content: bytes, object_id: str | None = None) -> str:
    name = object_id or str(new_id())
    upload = bucket.begin(name)
    upload.write(content)
    upload.commit()
    return name


def test_what_was_put_is_read_back_and_counted(store: FileStore) -> None:
    bucket = store.open("org-a", KEY, SECRET)
    name = put(bucket, b"bonjour")
    assert b"".join(bucket.read(name)) == b"bonjour"
    assert b"".join(bucket.read(name, 1, 3)) == b"on"
    assert (bucket.size(name), store.used("org-a")) == (7, 7)
    assert bucket.delete(name)
    assert not bucket.delete(name)
    assert store.used("org-a") == 0


def test_a_second_run_of_each_ensure_changes_nothing(store: FileStore) -> None:
    assert not store.ensure_account("org-a", KEY, SECRET)
    assert not store.ensure_bucket("org-a", "org-a", 1000)
    assert store.ensure_bucket("org-a", "org-a", 2000)
    assert store.ensure_mode("org-a", "read_only")
    assert not store.ensure_mode("org-a", "read_only")


def test_an_object_past_the_quota_is_refused_and_leaves_nothing(store: FileStore) -> None:
    bucket = store.open("org-a", KEY, SECRET)
    put(bucket, b"x" * 900)
    with pytest.raises(Refusal, match="full"):
        put(bucket, b"x" * 101)
    assert store.used("org-a") == 900
    assert not list((store.root / "buckets/org-a/incoming").iterdir())


def parallel_puts(store: FileStore) -> int:
    """Twenty clients put 100 bytes each into what takes 1,000; answer the bytes that lie there."""
    barrier = threading.Barrier(20)

    def client() -> None:
        bucket = store.open("org-a", KEY, SECRET)
        barrier.wait()
        try:
            put(bucket, b"x" * 100)
        except Refusal:
            return

    threads = [threading.Thread(target=client) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return store.recount("org-a")


def test_twenty_clients_at_once_never_pass_the_quota(store: FileStore) -> None:
    assert parallel_puts(store) == 1000


def test_the_same_clients_pass_it_when_nothing_is_locked(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken control: were it to hold too, the test above would prove nothing."""
    import contextlib
    import time

    from kit.filestore import disk

    counted = disk.count

    def slow_count(folder: Path) -> int:
        total = counted(folder)
        time.sleep(0.02)
        return total

    monkeypatch.setattr(disk, "locked", lambda _path, **_how: contextlib.nullcontext())
    monkeypatch.setattr(disk, "count", slow_count)
    assert parallel_puts(store) > 1000


def test_a_crash_leaves_no_object_and_the_sweep_takes_the_rest(store: FileStore) -> None:
    bucket = store.open("org-a", KEY, SECRET)
    abandoned = bucket.begin(str(new_id()))
    abandoned.write(b"half")
    abandoned.file.close()
    assert list(bucket.listing()) == []
    assert store.sweep("org-a", older_than=3600) == 0
    assert store.sweep("org-a", older_than=-1) == 1


def test_a_crash_between_counting_and_placing_is_counted_anew(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = store.open("org-a", KEY, SECRET)

    def die(self: Path, target: Path) -> Path:
        if "incoming" in str(self):
            raise KeyboardInterrupt
        return original(self, target)

    original = Path.rename
    monkeypatch.setattr(Path, "rename", die)
    with pytest.raises(KeyboardInterrupt):
        put(bucket, b"x" * 400)
    monkeypatch.undo()
    assert store.used("org-a") == 400
    assert store.recount("org-a") == 0


@pytest.mark.parametrize(("key", "secret"), [(KEY, "wrong"), ("other", SECRET), ("", ""), (KEY, "")])
def test_a_wrong_key_opens_nothing(store: FileStore, key: str, secret: str) -> None:
    with pytest.raises(Refusal, match="refuses this key"):
        store.open("org-a", key, secret)


def test_another_accounts_key_opens_nothing(store: FileStore) -> None:
    store.ensure_account("org-b", "PVOTHER", "t" * 40)
    store.ensure_bucket("org-b", "org-b", None)
    with pytest.raises(Refusal, match="refuses this key"):
        store.open("org-a", "PVOTHER", "t" * 40)


def test_frozen_accounts_read_but_do_not_write_and_suspended_ones_do_neither(store: FileStore) -> None:
    name = put(store.open("org-a", KEY, SECRET), b"kept")
    store.ensure_mode("org-a", "read_only")
    frozen = store.open("org-a", KEY, SECRET)
    assert b"".join(frozen.read(name)) == b"kept"
    with pytest.raises(Refusal, match="read-only"):
        frozen.begin(str(new_id()))
    store.ensure_mode("org-a", "suspended")
    with pytest.raises(Refusal, match="suspended"):
        store.open("org-a", KEY, SECRET)


@pytest.mark.parametrize("name", ["../../../etc/passwd", "..", "", "a/b", "0" * 36, f"{new_id()}/x", f"{new_id()}\n"])
def test_a_name_that_is_no_id_touches_no_file(store: FileStore, name: str) -> None:
    bucket = store.open("org-a", KEY, SECRET)
    for touch in (bucket.begin, bucket.size, bucket.delete, bucket.read):
        with pytest.raises(ValueError, match="not a name"):
            touch(name)


def test_removal_takes_all_and_a_late_upload_finds_no_bucket(store: FileStore) -> None:
    bucket = store.open("org-a", KEY, SECRET)
    put(bucket, b"x")
    late: Upload = bucket.begin(str(new_id()))
    assert store.remove("org-a", "org-a")
    assert not store.remove("org-a", "org-a")
    assert store.inventory() == (set(), set())
    with pytest.raises(Unavailable, match="store_bucket_missing"):
        late.commit()
    assert not (store.root / "buckets/org-a").exists()
