"""How a file is cut into parts, and the digest of the whole that follows from the parts' own.

A file of one part has its SHA-256. A file of several has the SHA-256 of its parts' SHA-256s, one after the other, which
anybody who knows the size of the parts can compute again.
"""

import re
from hashlib import sha256

from kit.errors import Refusal

SMALLEST = 8 * 1024 * 1024
# What passes through a process is held there part by part; gateways take no smaller ones.
PASSED = 5 * 1024 * 1024
MOST_PARTS = 8192
LENGTH = 32
DIGEST = re.compile(r"[0-9a-f]{64}")
NONE_YET = bytes(LENGTH)


def part_bytes(size: int, smallest: int = SMALLEST) -> int:
    """The size of each part but the last: 8 MiB, doubled until 8,192 parts are enough (1 TB: 128 MiB)."""
    part = smallest
    while part * MOST_PARTS < size:
        part *= 2
    return part


def count(size: int, part: int) -> int:
    """Of how many parts a file of `size` bytes is made; an empty file is one empty part."""
    return max(1, -(-size // part))


def size_of(n: int, size: int, part: int) -> int:
    """The bytes of part `n` (from 1)."""
    return min(part, size - (n - 1) * part)


def checked(digest: object) -> bytes:
    """A SHA-256 in hexadecimal, as bytes."""
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise Refusal("digest_malformed", "A digest is a SHA-256 in hexadecimal, 64 digits.", field="digest")
    return bytes.fromhex(digest)


def digest_of(n: int, digests: bytes) -> bytes | None:
    """The digest of part `n` that was noted; None before."""
    found = digests[(n - 1) * LENGTH : n * LENGTH]
    return None if found in (b"", NONE_YET) else found


def with_digest(n: int, digest: bytes, digests: bytes) -> bytes:
    """The digests with that of part `n` noted."""
    return digests[: (n - 1) * LENGTH] + digest + digests[n * LENGTH :]


def whole(digests: bytes) -> str:
    """The digest of the file, in hexadecimal."""
    return digests.hex() if len(digests) == LENGTH else sha256(digests).hexdigest()
