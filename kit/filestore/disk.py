"""Files as the store needs them: replaced whole, forced to disk, locked against every other process."""

import contextlib
import ctypes
import fcntl
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from kit.errors import Unavailable
from kit.ids import new_id

Row = TypeVar("Row", bound=msgspec.Struct)

NAME = re.compile(r"[a-z0-9][a-z0-9-]{2,62}")
OBJECT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
KEY_ID = re.compile(r"[A-Za-z0-9]{1,128}")
LONGEST_WAIT = 5.0
AT_FDCWD = -100
RENAME_EXCHANGE = 2
SYNC_FILE_RANGE_WRITE = 2

MOST_SEEN = 4096
TICK_NS = 100_000_000

_seen: dict[str, tuple[tuple[int, ...], msgspec.Struct]] = {}
_libc = ctypes.CDLL(None, use_errno=True)
# Threads of one process queue here, fairly; only processes poll each other.
_queues: dict[str, threading.Lock] = {}


def checked(name: str, pattern: re.Pattern[str]) -> str:
    """The name, if it has the shape that may become part of a path."""
    if not pattern.fullmatch(name):
        raise ValueError(f"not a name of the store: {name!r}")
    return name


def count(folder: Path) -> int:
    """Bytes counted against a bucket's quota."""
    try:
        handle = os.open(f"{folder}/used", os.O_RDONLY)
    except FileNotFoundError:
        return 0
    try:
        return int(os.read(handle, 64) or 0)
    finally:
        os.close(handle)


def set_count(folder: Path, total: int) -> None:
    """Remember the bytes counted. Only who holds the lock does."""
    # Not forced to disk: what a power cut may lose, `recount` finds again. Of one width: nobody reads half.
    handle = os.open(f"{folder}/used", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(handle, f"{total:20d}".encode(), 0)
    finally:
        os.close(handle)


def read(path: Path, kind: type[Row]) -> Row | None:
    """A row, or None where there is none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None


def seen(path: str, kind: type[Row]) -> Row | None:
    """A row for who only looks at it, read again only when it was written again. It is shared: nobody changes it."""
    try:
        now = os.stat(path)  # noqa: PTH116 - on every request's way
    except FileNotFoundError:
        return None
    version = (now.st_ino, now.st_mtime_ns, now.st_ctime_ns, now.st_size)
    known = _seen.get(path)
    if known is not None and known[0] == version:
        return cast("Row", known[1])
    row = read(Path(path), kind)
    if len(_seen) >= MOST_SEEN:
        _seen.clear()
    # The clock of files ticks slowly: what was just written may be written again within the tick.
    if row is not None and time.time_ns() - now.st_mtime_ns > TICK_NS:
        _seen[path] = (version, row)
    return row


def write(path: Path, row: msgspec.Struct) -> None:
    """Keep a row, on disk before this returns."""
    replace(path, msgspec.json.format(msgspec.json.encode(row)))
    sync(path.parent)


def replace(path: Path, content: bytes, *, lasting: bool = True) -> None:
    """Readers see the old bytes or the new ones; secrets stay with the owner of the files."""
    passing = path.with_name(f".{path.name}.{new_id()}")
    handle = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        if lasting:
            file.flush()
            os.fsync(file.fileno())
    passing.rename(path)


def sync(folder: Path) -> None:
    """Force a folder's names to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def begin_writing(handle: int, start: int, length: int) -> None:
    """Have the kernel begin to write these bytes of an open file to disk, so that less is left for its `fsync`."""
    _libc.sync_file_range(handle, ctypes.c_int64(start), ctypes.c_int64(length), ctypes.c_uint(SYNC_FILE_RANGE_WRITE))


def exchange(one: Path, other: Path) -> None:
    """Swap two names in one step, be they files or folders; no reader ever finds either absent."""
    names = (os.fsencode(one), os.fsencode(other))
    if _libc.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], ctypes.c_uint(RENAME_EXCHANGE)) != 0:
        raise OSError(ctypes.get_errno(), "renameat2 failed", str(other))


@contextlib.contextmanager
def locked(path: Path, *, make: bool = False) -> Iterator[None]:
    """One writer at a time among all threads and processes, for the file at `path`; held too long it is `Unavailable`.

    Only who may `make` the folder does: a late upload must not bring a removed bucket back.
    """
    deadline = time.monotonic() + LONGEST_WAIT
    queue = _queues.setdefault(str(path), threading.Lock())
    if not queue.acquire(timeout=LONGEST_WAIT):
        raise Unavailable("store_busy", str(path))
    try:
        lock = _lock_file(path, make=make)
        try:
            _wait_for(lock, path, deadline)
            yield
        finally:
            os.close(lock)
    finally:
        queue.release()


def _lock_file(path: Path, *, make: bool) -> int:
    if make:
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return os.open(f"{path.parent}/{path.stem}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError as error:
        raise Unavailable("store_bucket_missing", path.parent.name) from error


def _wait_for(lock: int, path: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            # A frozen process keeps its locks; who waits must be able to give up.
            if time.monotonic() > deadline:
                raise Unavailable("store_busy", str(path)) from error
            time.sleep(0.005)
        else:
            return
