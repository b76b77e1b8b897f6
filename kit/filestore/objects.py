"""The objects of a bucket as they lie on disk: a file, or the folder of an upload's parts with its manifest."""

import bisect
import itertools
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import msgspec

from kit.filestore import disk
from kit.filestore.rows import Manifest

MANIFEST = "manifest.json"
# Kept beside the content, where the file system can: `user.` is open to every owner of a file.
TAG = "user.etag"


@dataclass
class Content:
    """An object opened for reading. A file stays readable while it is deleted; a folder as far as its part is open."""

    size: int
    etag: str
    written_at: float
    _file: int
    _parts: list[tuple[str, int]] = field(default_factory=list)
    _ends: list[int] = field(default_factory=list)
    _open: tuple[int, int] | None = None

    def read(self, start: int, length: int) -> bytes:
        """Up to `length` bytes from `start`; fewer at the end of a part, none only at the end of the object."""
        if not self._parts:
            return os.pread(self._file, length, start)
        n = bisect.bisect_right(self._ends, start)
        if n == len(self._parts):
            return b""
        return os.pread(self._part(n), length, start - (self._ends[n] - self._parts[n][1]))

    def _part(self, n: int) -> int:
        if self._open is None or self._open[0] != n:
            self._close_part()
            self._open = (n, os.open(self._parts[n][0], os.O_RDONLY, dir_fd=self._file))
        return self._open[1]

    def _close_part(self) -> None:
        if self._open is not None:
            os.close(self._open[1])
            self._open = None

    def close(self) -> None:
        """Nothing is read any more."""
        self._close_part()
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def path_of(folder: Path, key: str) -> Path:
    """Where an object of a bucket lies."""
    return folder / "objects" / disk.checked(key, disk.OBJECT)[-2:] / key


def opened(path: Path) -> Content | None:
    """The object at this place, or None."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        seen = os.fstat(handle)
        if stat.S_ISDIR(seen.st_mode):
            return _folder(handle)
        return Content(seen.st_size, _tag(handle, seen), seen.st_mtime, handle)
    except BaseException:
        os.close(handle)
        raise


def _folder(handle: int) -> Content:
    file = os.open(MANIFEST, os.O_RDONLY, dir_fd=handle)
    with os.fdopen(file, "rb") as opened_manifest:
        seen = os.fstat(file)
        manifest = msgspec.json.decode(opened_manifest.read(), type=Manifest)
    # Empty parts hold nothing to read.
    parts = [(name, size) for name, size in manifest.parts if size]
    ends = list(itertools.accumulate(size for _, size in parts))
    return Content(ends[-1] if ends else 0, manifest.etag, seen.st_mtime, handle, parts, ends)


def _tag(handle: int, seen: os.stat_result) -> str:
    try:
        return os.getxattr(handle, TAG).decode()
    except OSError:
        # Older files have none, some file systems keep none. Shaped as of an upload: nobody takes it for an MD5.
        return f"{seen.st_mtime_ns & (1 << 64) - 1:016x}{seen.st_size:016x}-1"


def tag(handle: int, digest: str) -> str:
    """Give an open file its entity tag; the one that it will show."""
    try:
        os.setxattr(handle, TAG, digest.encode())
    except OSError:
        return _tag(handle, os.fstat(handle))
    return digest


def manifest(path: Path) -> Manifest | None:
    """The manifest of an object that came in parts; None of any other."""
    try:
        return msgspec.json.decode((path / MANIFEST).read_bytes(), type=Manifest)
    except (FileNotFoundError, NotADirectoryError):
        return None


def size_of(path: Path) -> int | None:
    """The bytes of the object at this place, or None."""
    try:
        seen = path.stat()
    except FileNotFoundError:
        return None
    found = manifest(path) if stat.S_ISDIR(seen.st_mode) else None
    return sum(size for _, size in found.parts) if found else seen.st_size
