"""Bytes on their way in: hashed and written as they come, visible only once they are whole, checked and on disk."""

import base64
import contextlib
import errno
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kit.filestore import disk, objects
from kit.filestore.refusals import Refused, missing
from kit.filestore.rows import BucketRow
from kit.ids import new_id

# What `rename` says where one of the two is a folder.
OTHER_KIND = frozenset({errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST})


@dataclass(frozen=True)
class Expected:
    """What the bytes must be: as many, and with these digests where they were told (SHA-256 in hexadecimal)."""

    size: int
    sha256: str | None = None
    md5: str | None = None


@dataclass
class Arrival:
    """A file under `incoming/`. Whatever ends before it is placed leaves it there for the sweep."""

    path: Path
    expected: Expected
    _file: int
    written: int = 0
    etag: str = ""
    _md5: "hashlib._Hash" = field(default_factory=lambda: hashlib.md5(usedforsecurity=False))
    _sha256: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    @classmethod
    def begin(cls, folder: Path, key: str, expected: Expected) -> "Arrival":
        """Make room for bytes in the bucket at `folder`."""
        path = folder / "incoming" / f"{key}.{new_id()}"
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileNotFoundError as error:
            raise missing("NoSuchBucket") from error
        return cls(path, expected, handle)

    def tag(self, pieces: Sequence[bytes]) -> None:
        """Digest bytes for the entity tag. It takes longest: another thread may `write` the same meanwhile."""
        for piece in pieces:
            self._md5.update(piece)

    def write(self, pieces: Sequence[bytes]) -> None:
        """Append bytes, and digest them for what was signed."""
        start = self.written
        for piece in pieces:
            if self.expected.sha256 is not None:
                self._sha256.update(piece)
            view = memoryview(piece)
            while view:
                view = view[os.write(self._file, view) :]
            self.written += len(piece)
        if start:
            disk.begin_writing(self._file, start, self.written - start)

    def finish(self, *, tagged: bool) -> None:
        """The bytes are what was expected, and on disk. `tagged` keeps the entity tag with the file."""
        self._check()
        digest = self._md5.hexdigest()
        self.etag = objects.tag(self._file, digest) if tagged else digest
        os.fsync(self._file)
        self._close()

    def _check(self) -> None:
        wanted = self.expected
        if self.written != wanted.size:
            raise Refused(400, "IncompleteBody", f"{self.written} bytes came of {wanted.size}.")
        if wanted.sha256 is not None and self._sha256.hexdigest() != wanted.sha256:
            raise Refused(400, "XAmzContentSHA256Mismatch", "The body is not what x-amz-content-sha256 says.")
        if wanted.md5 is not None and base64.b64encode(self._md5.digest()).decode() != wanted.md5:
            raise Refused(400, "BadDigest", "The body is not what Content-MD5 says.")

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def discard(self) -> None:
        """Forget what was written, unless it was placed."""
        self._close()
        self.path.unlink(missing_ok=True)


def admit(folder: Path, adding: int, replaced: int) -> None:
    """Count bytes in, or refuse what would pass the quota. Only who holds the lock of `used` may.

    They are counted before they are placed, and what they replace is given back once it is gone: a crash in between
    counts too much, never too little.
    """
    counted, limit = disk.count(folder), quota(folder).quota_bytes
    if limit is not None and adding > replaced and counted + adding - replaced > limit:
        raise full()
    disk.set_count(folder, counted + adding)


def give_back(folder: Path, size: int) -> None:
    """Count bytes out. Only who holds the lock of `used` may."""
    if size:
        disk.set_count(folder, max(0, disk.count(folder) - size))


def full() -> Refused:
    """No room for these bytes."""
    return Refused(403, "QuotaExceeded", "The bucket is full.")


def quota(folder: Path) -> BucketRow:
    """The bucket's row as it is now."""
    row = disk.seen(f"{folder}/bucket.json", BucketRow)
    if row is None:
        raise missing("NoSuchBucket")
    return row


def place(folder: Path, key: str, arrived: Arrival) -> None:
    """The arrival is the object of this key, unless it would pass the bucket's quota."""
    target = objects.path_of(folder, key)
    with disk.locked(folder / "used"):
        replaced = objects.size_of(target) or 0
        admit(folder, arrived.written, replaced)
        doomed = put_in_place(arrived.path, target)
        give_back(folder, replaced)
    # What makes it last is waited for outside the lock: others go on.
    disk.sync(target.parent)
    clear(doomed)


def put_in_place(made: Path, target: Path) -> Path:
    """Give an object, file or folder, its name. Where what had the name before waits to be cleared, if it does."""
    try:
        made.rename(target)
    except FileNotFoundError:
        target.parent.mkdir(exist_ok=True)
        disk.sync(target.parent.parent)
        made.rename(target)
    except OSError as error:
        if error.errno not in OTHER_KIND:
            raise
        disk.exchange(made, target)
        # At once: an object of parts that lay where uploads lie would be taken for one.
        return take_away(made, made.parent)
    return made


def take_away(path: Path, incoming: Path) -> Path:
    """Take something's name from it; where it waits to be cleared."""
    doomed = incoming / f".gone.{new_id()}"
    path.rename(doomed)
    return doomed


def clear(path: Path) -> None:
    """What lies here, a file or a folder with files, is gone; it may have been before."""
    # A sweep may clear the same at the same time.
    with contextlib.suppress(FileNotFoundError):
        try:
            path.unlink()
        except IsADirectoryError:
            for entry in list(path.iterdir()):
                entry.unlink(missing_ok=True)
            path.rmdir()


def remove(folder: Path, key: str) -> bool:
    """The object is gone; True when it was there."""
    target = objects.path_of(folder, key)
    with disk.locked(folder / "used"):
        size = objects.size_of(target)
        if size is None:
            return False
        doomed = take_away(target, folder / "incoming")
        give_back(folder, size)
    disk.sync(target.parent)
    clear(doomed)
    return True
