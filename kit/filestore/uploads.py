"""Uploads in parts. An upload is a folder `incoming/<key>.<upload>` of parts, which becomes the object as it is.

A part is a file `<number>.<entity tag>`. Its bytes count against the quota from its arrival on.
"""

import hashlib
import itertools
import math
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from kit.filestore import disk, objects
from kit.filestore.arriving import Arrival, admit, clear, give_back, put_in_place, take_away
from kit.filestore.refusals import Refused, missing
from kit.filestore.rows import Manifest
from kit.ids import new_id

PART = re.compile(r"(\d{5})\.([0-9a-f]{32})")
MOST_PARTS = 10_000


@dataclass(frozen=True)
class Part:
    """A part that has arrived. `file` is its name in the upload's folder."""

    n: int
    etag: str
    size: int
    written_at: float
    file: str


@dataclass(frozen=True)
class Unfinished:
    """An upload that was begun and neither completed nor aborted."""

    key: str
    upload: str
    begun_at: float


def begin(folder: Path, key: str) -> str:
    """Begin an upload; its id."""
    upload = str(new_id())
    path = _path(folder, key, upload)
    try:
        path.mkdir(0o700)
    except FileNotFoundError as error:
        raise missing("NoSuchBucket") from error
    disk.sync(path.parent)
    return upload


def _path(folder: Path, key: str, upload: str) -> Path:
    if not disk.OBJECT.fullmatch(upload):
        raise missing("NoSuchUpload")
    return folder / "incoming" / f"{disk.checked(key, disk.OBJECT)}.{upload}"


def known(folder: Path, key: str, upload: str) -> None:
    """Refuse an upload that is not there."""
    if not _is_upload(_path(folder, key, upload), upload):
        raise missing("NoSuchUpload")


def _is_upload(path: Path, upload: str) -> bool:
    if not path.is_dir():
        return False
    # Where a crash came just after an exchange, this is the object that was replaced.
    manifest = objects.manifest(path)
    return manifest is None or manifest.upload == upload


def put(folder: Path, key: str, upload: str, n: int, arrived: Arrival) -> None:
    """The arrival is this part, in the place of one with the same number, unless it would pass the quota."""
    path = _path(folder, key, upload)
    name = f"{n:05d}.{arrived.etag}"
    with disk.locked(folder / "used"):
        known(folder, key, upload)
        before = _all(path, f"{n:05d}.")
        replaced = sum(part.size for part in before)
        admit(folder, arrived.written, replaced)
        arrived.path.rename(path / name)
        for part in before:
            if part.file != name:
                (path / part.file).unlink()
        give_back(folder, replaced)
    try:
        disk.sync(path)
    except FileNotFoundError as error:
        raise missing("NoSuchUpload") from error


def _all(path: Path, beginning: str = "") -> list[Part]:
    found = []
    with os.scandir(path) as entries:
        for entry in entries:
            named = PART.fullmatch(entry.name) if entry.name.startswith(beginning) else None
            if named:
                seen = entry.stat()
                found.append(Part(int(named[1]), named[2], seen.st_size, seen.st_mtime, entry.name))
    return sorted(found, key=lambda part: (part.n, part.written_at))


def parts(folder: Path, key: str, upload: str) -> list[Part]:
    """The parts that have arrived, by number. After a crash a number may have two; the later one holds."""
    try:
        found = _all(_path(folder, key, upload))
    except FileNotFoundError as error:
        raise missing("NoSuchUpload") from error
    return list({part.n: part for part in found}.values())


def complete(folder: Path, key: str, upload: str, wanted: Sequence[tuple[int, str]]) -> str:
    """Make the object of these parts (numbers and entity tags, in order) without touching their bytes; its tag.

    Repeating what succeeded succeeds.
    """
    path, target = _path(folder, key, upload), objects.path_of(folder, key)
    with disk.locked(folder / "used"):
        if not _is_upload(path, upload):
            return _repeated(target, upload, wanted)
        chosen = _chosen(_all(path), wanted)
        manifest = Manifest(upload=upload, etag=_etag(wanted), parts=[(part.file, part.size) for part in chosen])
        replaced = _drop_all_but(path, {part.file for part in chosen}) + (objects.size_of(target) or 0)
        disk.write(path / objects.MANIFEST, manifest)
        doomed = put_in_place(path, target)
        give_back(folder, replaced)
    disk.sync(target.parent)
    clear(doomed)
    return manifest.etag


def _drop_all_but(path: Path, kept: set[str]) -> int:
    """Parts that were not asked for, and what an earlier try left. The bytes that counted."""
    dropped = 0
    for entry in list(path.iterdir()):
        if entry.name not in kept:
            dropped += entry.stat().st_size if PART.fullmatch(entry.name) else 0
            entry.unlink()
    return dropped


def _chosen(arrived: Sequence[Part], wanted: Sequence[tuple[int, str]]) -> list[Part]:
    if not wanted:
        raise Refused(400, "MalformedXML", "An object has at least one part.")
    numbers = [n for n, _ in wanted]
    if any(later <= earlier for earlier, later in itertools.pairwise(numbers)):
        raise Refused(400, "InvalidPartOrder", "Parts are listed by rising number.")
    there = {(part.n, part.etag): part for part in arrived}
    try:
        return [there[one] for one in wanted]
    except KeyError as error:
        raise Refused(400, "InvalidPart", f"Part {error.args[0][0]} is not there with this entity tag.") from None


def _etag(wanted: Sequence[tuple[int, str]]) -> str:
    digests = b"".join(bytes.fromhex(etag) for _, etag in wanted)
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(wanted)}"


def _repeated(target: Path, upload: str, wanted: Sequence[tuple[int, str]]) -> str:
    made = objects.manifest(target)
    if made is None or made.upload != upload or made.etag != _etag(wanted):
        raise missing("NoSuchUpload")
    return made.etag


def abort(folder: Path, key: str, upload: str) -> None:
    """The upload and its parts are gone, and count no more."""
    path = _path(folder, key, upload)
    with disk.locked(folder / "used"):
        known(folder, key, upload)
        doomed = _end(folder, path)
    clear(doomed)


def _end(folder: Path, path: Path) -> Path:
    """Under the lock of `used`: nobody finds the upload any more. Where its files wait to be cleared."""
    size = sum(part.size for part in _all(path))
    doomed = take_away(path, folder / "incoming")
    give_back(folder, size)
    return doomed


def unfinished(folder: Path) -> list[Unfinished]:
    """Every unfinished upload, by key and then by id, which is the order of their beginnings."""
    found = []
    for key, upload in _uploads(folder):
        # The id, a UUIDv7, tells the moment in its first 48 bits.
        found.append(Unfinished(key, upload, (UUID(upload).int >> 80) / 1000))
    return sorted(found, key=lambda one: (one.key, one.upload))


def _uploads(folder: Path) -> Iterator[tuple[str, str]]:
    with os.scandir(folder / "incoming") as entries:
        for entry in entries:
            key, _, upload = entry.name.partition(".")
            named = disk.OBJECT.fullmatch(key) and disk.OBJECT.fullmatch(upload)
            if named and _is_upload(Path(entry.path), upload):
                yield key, upload


def part_bytes(folder: Path) -> int:
    """The bytes of all parts of unfinished uploads."""
    return sum(part.size for key, upload in _uploads(folder) for part in _all(_path(folder, key, upload)))


def sweep(folder: Path, older_than: float) -> int:
    """Remove what nobody has written to for `older_than` seconds: uploads, and what a crash left. How many."""
    before = time.time() - older_than
    ended = sum(_end_stale(folder, key, upload, before) for key, upload in list(_uploads(folder)))
    return ended + clear_strays(folder, older_than)


def clear_strays(folder: Path, older_than: float) -> int:
    """Remove what a crash left and nobody has written to for so many seconds, but no upload. How many."""
    before = time.time() - older_than
    going = set(_uploads(folder))
    removed = 0
    for path in (folder / "incoming").glob("*"):
        key, _, upload = path.name.partition(".")
        if (key, upload) not in going and _written(path) < before:
            clear(path)
            removed += 1
    return removed


def _end_stale(folder: Path, key: str, upload: str, before: float) -> bool:
    path = _path(folder, key, upload)
    with disk.locked(folder / "used"):
        if not _is_upload(path, upload) or _written(path) >= before:
            return False
        doomed = _end(folder, path)
    clear(doomed)
    return True


def _written(path: Path) -> float:
    """When a file, or a folder's newest file, was written to last; for what is gone never comes."""
    try:
        return max([path.stat().st_mtime, *(one.stat().st_mtime for one in path.glob("*"))])
    except FileNotFoundError:
        return math.inf
