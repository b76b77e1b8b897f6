"""The user's side of a bucket: objects come whole or not at all, and never past the quota."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from kit.errors import Refusal, Unavailable
from kit.filestore import disk
from kit.filestore.rows import BucketRow, Stored
from kit.ids import new_id

CHUNK = 256 * 1024


@dataclass(frozen=True)
class Bucket:
    """Objects of one organisation, named by ids. Opened for one request: a freeze holds from the next one on."""

    folder: Path
    writable: bool

    def begin(self, object_id: str) -> "Upload":
        """Start writing an object; nothing is seen of it before `commit`."""
        if not self.writable:
            raise Refusal("store_read_only", "Files cannot be changed while the organisation is read-only.", status=403)
        disk.checked(object_id, disk.OBJECT)
        path = self.folder / "incoming" / f"{object_id}.{new_id()}"
        try:
            file = path.open("xb")
        except FileNotFoundError as error:
            raise Unavailable("store_bucket_missing", self.folder.name) from error
        return Upload(self.folder, object_id, path, file)

    def size(self, object_id: str) -> int:
        """The object's size in bytes; a Refusal when it is absent."""
        try:
            return self._path(object_id).stat().st_size
        except FileNotFoundError as error:
            raise absent() from error

    def read(self, object_id: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` to before `end`, in chunks; memory stays flat."""
        try:
            file = self._path(object_id).open("rb")
        except FileNotFoundError as error:
            raise absent() from error
        return chunks(file, start, end)

    def delete(self, object_id: str) -> bool:
        """The object is gone; True when it was there."""
        path = self._path(object_id)
        with disk.locked(self.folder / "used"):
            try:
                size = path.stat().st_size
                path.unlink()
            except FileNotFoundError:
                return False
            disk.set_count(self.folder, max(0, disk.count(self.folder) - size))
        return True

    def listing(self) -> Iterator[tuple[str, int, float]]:
        """Every object: id, bytes, time of writing (seconds since 1970)."""
        for path in disk.objects(self.folder):
            with contextlib.suppress(FileNotFoundError):
                seen = path.stat()
                yield path.name, seen.st_size, seen.st_mtime

    def _path(self, object_id: str) -> Path:
        return disk.object_path(self.folder, object_id)


@dataclass
class Upload:
    """An object on its way. `commit` makes it visible, whole and on disk; `abort` or a crash leaves nothing to see."""

    folder: Path
    object_id: str
    path: Path
    file: IO[bytes]
    written: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def write(self, chunk: bytes) -> None:
        """Append bytes."""
        self.file.write(chunk)
        self.digest.update(chunk)
        self.written += len(chunk)

    def commit(self) -> Stored:
        """Store the object, unless it would pass the bucket's quota."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        target = disk.object_path(self.folder, self.object_id)
        try:
            self._place(target)
        except BaseException:
            self.path.unlink(missing_ok=True)
            raise
        return Stored(self.written, self.digest.hexdigest())

    def _place(self, target: Path) -> None:
        with disk.locked(self.folder / "used"):
            row = disk.read(self.folder / "bucket.json", BucketRow)
            if row is None:
                raise Unavailable("store_bucket_missing", self.folder.name)
            replaced = target.stat().st_size if target.exists() else 0
            total = disk.count(self.folder) + self.written - replaced
            if row.quota_bytes is not None and self.written > replaced and total > row.quota_bytes:
                raise Refusal("over_quota", "The storage of your organisation is full.", status=413)
            # Counted before it is placed: a crash in between counts too much, never too little.
            disk.set_count(self.folder, total)
            target.parent.mkdir(exist_ok=True)
            self.path.rename(target)
            disk.sync(target.parent)

    def abort(self) -> None:
        """Forget what was written."""
        self.file.close()
        self.path.unlink(missing_ok=True)


def absent() -> Refusal:
    """An object that is not there."""
    return Refusal("object_missing", "This file's content is not in the store.", status=404)


def chunks(file: IO[bytes], start: int, end: int | None) -> Iterator[bytes]:
    """The bytes of an open file from `start` to before `end`, which closes with the last one."""
    with file:
        file.seek(start)
        left = None if end is None else max(0, end - start)
        while left is None or left > 0:
            chunk = file.read(CHUNK if left is None else min(CHUNK, left))
            if not chunk:
                return
            left = None if left is None else left - len(chunk)
            yield chunk
