"""What the store keeps of accounts and buckets."""

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
    """What a bucket is: its owner, its hard limit in bytes, and the sites whose pages may call it from a browser."""

    account: str
    quota_bytes: int | None = None
    origins: tuple[str, ...] = ()


class Manifest(msgspec.Struct, kw_only=True):
    """An object that came in parts: the upload it was, its entity tag, and its parts' file names and bytes in order."""

    upload: str
    etag: str
    parts: list[tuple[str, int]]
