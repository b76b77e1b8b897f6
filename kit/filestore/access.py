"""Who asks, and whether he may: the key's signature, its account, its mode, the bucket."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kit.filestore import disk, signatures
from kit.filestore.asking import READING, Request
from kit.filestore.refusals import Refused, denied, malformed, missing
from kit.filestore.rows import Account, BucketRow
from kit.filestore.store import FileStore


@dataclass(frozen=True)
class Open:
    """A bucket, opened for one request."""

    folder: Path
    row: BucketRow


def admit(store: FileStore, request: Request) -> Open:
    """The bucket that the request names, if its signer may do this there, by what its rows say at this moment."""
    found = signatures.claim(request, datetime.now(UTC))
    row = bucket_row(store, request.bucket)
    owner = disk.seen(f"{store.root}/accounts/{row.account}.json", Account) if row else None
    holder = owner if owner and found.key_id in owner.keys else store.holder(found.key_id)
    if holder is None:
        raise Refused(403, "InvalidAccessKeyId", "No account has this key.")
    signatures.verify(found, request, holder.keys[found.key_id])
    if holder.mode == "suspended":
        raise Refused(403, "UserSuspended", "The account is suspended.")
    if row is None:
        raise missing("NoSuchBucket")
    _allow(request, holder, owner)
    _check_key(request)
    return Open(store.folder(request.bucket), row)


def bucket_row(store: FileStore, name: str) -> BucketRow | None:
    """The bucket's row as it is now, or None."""
    if not disk.NAME.fullmatch(name):
        return None
    return disk.seen(f"{store.root}/buckets/{name}/bucket.json", BucketRow)


def _allow(request: Request, holder: Account, owner: Account | None) -> None:
    if owner is None or holder.name != owner.name:
        raise denied("The bucket is another account's.")
    if holder.mode == "read_only" and request.method not in READING:
        raise denied("The account may only read.")


def _check_key(request: Request) -> None:
    """Keys are UUIDs; no other becomes part of a path."""
    if not request.key or disk.OBJECT.fullmatch(request.key):
        return
    if request.method in READING:
        raise missing("NoSuchKey")
    raise malformed("Keys are UUIDs.")
