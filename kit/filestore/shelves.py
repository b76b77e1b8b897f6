"""The keys of a bucket. They lie on shelves, folders named by a key's last two digits; a list puts them in order."""

import bisect
import heapq
import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path

from kit.filestore import disk, objects

# Names that are remembered between one page of a list and the next, in all buckets: some 100 bytes each.
MOST_KNOWN = 500_000

_known: dict[str, tuple[tuple[int, int], list[str]]] = {}


def keys(folder: Path) -> Iterator[str]:
    """The key of every object, in no order."""
    for shelf in _shelves(folder):
        yield from os.listdir(shelf)  # noqa: PTH208 - a million names


def sizes(folder: Path) -> Iterator[int]:
    """The bytes of every object."""
    for key in keys(folder):
        yield objects.size_of(objects.path_of(folder, key)) or 0


def page(folder: Path, after: str, prefix: str, limit: int) -> list[str]:
    """The first `limit` keys behind `after` that begin with `prefix`, in order."""
    begun = (_some(_sorted(shelf), after, prefix, limit) for shelf in _shelves(folder))
    found = itertools.takewhile(lambda key: key.startswith(prefix), heapq.merge(*begun))
    return list(itertools.islice(found, limit))


def _some(names: list[str], after: str, prefix: str, limit: int) -> list[str]:
    start = bisect.bisect_right(names, after) if after >= prefix else bisect.bisect_left(names, prefix)
    return names[start : start + limit]


def _shelves(folder: Path) -> list[str]:
    try:
        with os.scandir(folder / "objects") as found:
            return [entry.path for entry in found]
    except FileNotFoundError:
        return []


def _sorted(shelf: str) -> list[str]:
    """A shelf's names in order; read again only when one came or went."""
    seen = os.stat(shelf)  # noqa: PTH116 - 256 times for each page
    version = (seen.st_ino, seen.st_mtime_ns)
    known = _known.get(shelf)
    if known is not None and known[0] == version:
        return known[1]
    names = sorted(os.listdir(shelf))  # noqa: PTH208 - a million names
    if sum(len(one) for _, one in list(_known.values())) + len(names) > MOST_KNOWN:
        _known.clear()
    if time.time_ns() - seen.st_mtime_ns > disk.TICK_NS:
        _known[shelf] = (version, names)
    return names
