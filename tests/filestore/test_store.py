"""The administrator's side: states that are ensured, frozen accounts, removal, what crashes leave."""

import errno
import os
import threading
import time
from pathlib import Path

import pytest

from kit.errors import Refusal, Unavailable
from kit.filestore import FileStore, disk, objects, uploads
from kit.filestore.arriving import Arrival, Expected, place
from kit.filestore.rows import BucketRow
from kit.ids import new_id
from tests.filestore.tenants import new_key

KEYS = {"PVKEY": "s" * 40}


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    store = FileStore(tmp_path)
    store.ensure_account("org-a", KEYS)
    store.ensure_bucket("org-a", "org-a", 1000)
    return store


def put(store: FileStore, content: bytes, bucket: str = "org-a") -> str:
    """An object as it lies, counted."""
    key = new_key()
    arrived = Arrival.begin(store.folder(bucket), key, Expected(len(content)))
    arrived.write([content])
    arrived.finish(tagged=True)
    place(store.folder(bucket), key, arrived)
    return key


def incoming(store: FileStore) -> list[Path]:
    return list((store.folder("org-a") / "incoming").iterdir())


def aged(path: Path, seconds: float = 7200) -> Path:
    for one in (*path.glob("*"), path):
        os.utime(one, (time.time() - seconds,) * 2)
    return path


def test_a_second_run_of_each_ensure_changes_nothing(store: FileStore) -> None:
    assert not store.ensure_account("org-a", KEYS)
    assert not store.ensure_bucket("org-a", "org-a", 1000)
    assert store.ensure_bucket("org-a", "org-a", 2000)
    assert store.ensure_bucket("org-a", "org-a", 2000, ["https://a.example"])
    assert not store.ensure_bucket("org-a", "org-a", 2000, ["https://a.example"])
    assert store.bucket("org-a") == BucketRow(account="org-a", quota_bytes=2000, origins=("https://a.example",))
    assert store.ensure_mode("org-a", "read_only")
    assert not store.ensure_mode("org-a", "read_only")


def test_an_account_holds_exactly_the_keys_it_is_given(store: FileStore) -> None:
    two = {**KEYS, "PVSECOND": "t" * 40}
    assert store.ensure_account("org-a", two)
    assert store.ensure_account("org-a", {"PVSECOND": "t" * 40})
    account = store.account("org-a")
    assert account is not None
    assert account.keys == {"PVSECOND": "t" * 40}
    assert store.holder("PVSECOND") == account
    assert store.holder("PVKEY") is None
    assert store.ensure_account("org-a", {"PVSECOND": "u" * 40}), "a key may be given another secret"


@pytest.mark.parametrize("key_id", ["", "../x", "a/b", "a b", ".hidden"])
def test_a_key_has_a_name_that_no_path_is_made_of(store: FileStore, key_id: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        store.ensure_account("org-a", {key_id: "s"})
    assert store.holder(key_id) is None


@pytest.mark.parametrize("name", ["", "..", "a/b", "UPPER", "org-a\n", "x" * 64])
def test_a_bucket_has_a_name_that_no_path_is_made_of(store: FileStore, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        store.ensure_bucket(name, "org-a", None)


def test_a_bucket_stays_its_accounts(store: FileStore) -> None:
    store.ensure_account("org-b", {"PVOTHER": "t" * 40})
    with pytest.raises(Refusal, match="belongs to another"):
        store.ensure_bucket("org-a", "org-b", None)


def test_usage_is_told_in_bytes_and_objects(store: FileStore) -> None:
    for n in range(3):
        put(store, b"x" * n)
    assert (store.used("org-a"), store.objects("org-a")) == (3, 3)


def test_a_row_that_was_written_a_moment_ago_is_never_missed(store: FileStore) -> None:
    """Who only looks reads a row again once it changed, even twice within a tick of the disk's clock."""
    path = store.folder("org-a") / "bucket.json"
    for quota in range(300):
        disk.write(path, BucketRow(account="org-a", quota_bytes=quota))
        seen = disk.seen(str(path), BucketRow)
        assert seen is not None
        assert seen.quota_bytes == quota
    path.unlink()
    assert disk.seen(str(path), BucketRow) is None


def test_the_sweep_takes_what_nobody_writes_to_any_more(store: FileStore) -> None:
    folder, key = store.folder("org-a"), new_key()
    begun = uploads.begin(folder, key)
    (folder / "incoming" / f"{key}.{begun}" / ("00001." + "0" * 32)).write_bytes(b"part")
    (folder / "incoming" / f"{key}.{new_id()}").write_bytes(b"half")
    disk.set_count(folder, 4)
    assert store.sweep("org-a", older_than=3600) == 0
    assert len(incoming(store)) == 2
    for path in incoming(store):
        aged(path)
    assert store.sweep("org-a", older_than=3600) == 2
    assert (incoming(store), store.used("org-a")) == ([], 0)


def test_an_upload_is_kept_while_one_of_its_parts_is_young(store: FileStore) -> None:
    folder, key = store.folder("org-a"), new_key()
    path = folder / "incoming" / f"{key}.{uploads.begin(folder, key)}"
    (path / ("00001." + "0" * 32)).write_bytes(b"part")
    os.utime(path, (0, 0))
    assert store.sweep("org-a", older_than=3600) == 0
    assert incoming(store) == [path]


def test_tidying_clears_what_crashes_left_but_no_upload_and_counts_anew(store: FileStore) -> None:
    folder, key = store.folder("org-a"), new_key()
    put(store, b"kept")
    upload = aged(folder / "incoming" / f"{key}.{uploads.begin(folder, key)}")
    assert store.tidy(older_than=3600) == []
    aged_file = folder / "incoming" / f"{key}.{new_id()}"
    aged_file.write_bytes(b"x" * 96)
    disk.set_count(folder, 100)
    assert store.tidy(older_than=3600) == []
    aged(aged_file)
    assert store.tidy(older_than=3600) == ["org-a"]
    assert (incoming(store), store.used("org-a")) == ([upload], 4)


def test_where_files_keep_no_tags_an_object_shows_one_that_stays(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems keep nothing beside a file's content."""

    def without(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(os, "setxattr", without)
    monkeypatch.setattr(os, "getxattr", without)
    folder, key = store.folder("org-a"), new_key()
    arrived = Arrival.begin(folder, key, Expected(1))
    arrived.write([b"x"])
    arrived.finish(tagged=True)
    place(folder, key, arrived)
    found = objects.opened(objects.path_of(folder, key))
    assert found is not None
    with found:
        assert found.etag == arrived.etag
        assert found.etag.endswith("-1")


def test_removal_takes_all_and_a_late_upload_finds_no_bucket(store: FileStore) -> None:
    put(store, b"x")
    assert store.remove("org-a", "org-a")
    assert not store.remove("org-a", "org-a")
    assert store.inventory() == (set(), set())
    assert store.holder("PVKEY") is None
    with pytest.raises(Exception, match="NoSuchBucket"):
        put(store, b"late")
    assert not (store.root / "buckets/org-a").exists()


def test_removal_goes_on_where_a_crash_ended_it(store: FileStore) -> None:
    folder = store.folder("org-a")
    put(store, b"x")
    folder.rename(folder.with_name(f".removed-org-a-{new_id()}"))
    assert store.remove("org-a", "org-a")
    assert list((store.root / "buckets").iterdir()) == []


def test_an_older_lease_changes_nothing(store: FileStore) -> None:
    store.ensure_account("org-a", KEYS, fence=7)
    for attempt in (
        lambda: store.ensure_account("org-a", {"PVLATE": "x"}, fence=6),
        lambda: store.ensure_mode("org-a", "suspended", fence=6),
        lambda: store.ensure_bucket("org-a", "org-a", 1, fence=6),
        lambda: store.remove("org-a", "org-a", fence=6),
    ):
        with pytest.raises(Unavailable, match="fenced"):
            attempt()
    account = store.account("org-a")
    assert account is not None
    assert (account.keys, account.mode) == (KEYS, "open")
    assert store.holder("PVLATE") is None
    assert store.ensure_mode("org-a", "suspended", fence=7)


def test_who_waits_for_a_frozen_writer_gives_up(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "LONGEST_WAIT", 0.2)
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with disk.locked(store.folder("org-a") / "used"):
            held.set()
            let_go.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    with pytest.raises(Unavailable, match="store_busy"):
        put(store, b"x")
    let_go.set()
    thread.join()
    assert put(store, b"x")
