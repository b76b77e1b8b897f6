"""What the store keeps of accounts, buckets and objects."""

from typing import Literal

import msgspec

Mode = Literal["open", "read_only", "suspended"]


class Account(msgspec.Struct, kw_only=True):
    """Who may open buckets: secrets by key id, and whether the account is frozen.

    `fence` is the highest lease that has written here. It outlives the account (`gone`), so that an administrator who
    lost his lease long ago can neither change it nor bring it back.
    """

    name: str
    keys: dict[str, str] = {}
    mode: Mode = "open"
    fence: int = 0
    gone: bool = False


class BucketRow(msgspec.Struct, kw_only=True):
    """What a bucket is: its owner and its hard limit in bytes."""

    account: str
    quota_bytes: int | None = None


class Stored(msgspec.Struct, frozen=True):
    """What was stored: its size in bytes and the SHA-256 of its content in hexadecimal."""

    size: int
    sha256: str
