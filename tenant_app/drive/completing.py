"""What has arrived of an upload: asked of the gateway, and made one object of its parts."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from kit.errors import Refusal
from kit.s3 import Bucket, Failure, Part
from tenant_app.drive import parts
from tenant_app.drive.promises import Promise
from tenant_app.drive.store import Stored, explained

AT_ONCE = 16
# Once the batch is larger than this, one listing costs less than asking for each object.
FEW = 3


async def arrived_parts(bucket: Bucket, promise: Promise) -> list[tuple[Part, bytes | None]]:
    """What the gateway has of an upload of several parts, with the digests noted for it."""
    if promise.multipart is None:
        return []
    with explained():
        found = await bucket.parts(promise.key, promise.multipart)
    return [(part, parts.digest_of(part.n, promise.digests or b"")) for part in found]


async def verified(bucket: Bucket, waiting: Sequence[Promise]) -> list[Stored | Refusal]:
    """What the gateway has of each upload: whole, or why not."""
    small = [promise for promise in waiting if promise.count == 1]
    listed = await _listed(bucket, small) if len(small) > FEW else {}
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(promise: Promise) -> Stored | Refusal:
        async with limit:
            try:
                with explained():
                    size = await _size(bucket, promise, listed)
            except Refusal as refusal:
                return refusal
        if size != promise.size or promise.digests is None:
            return incomplete()
        several = promise.part if promise.count > 1 else None
        return Stored(size, parts.whole(promise.digests), several)

    return list(await asyncio.gather(*(one(promise) for promise in waiting)))


async def _size(bucket: Bucket, promise: Promise, listed: dict[str, int]) -> int | None:
    if promise.count > 1 and await _completed(bucket, promise):
        # Made this moment, of parts that the gateway has just told: there is nothing to look for.
        return promise.size
    if promise.key in listed:
        return listed[promise.key]
    seen = await bucket.seen(promise.key)
    return None if seen is None else seen.size


async def _completed(bucket: Bucket, promise: Promise) -> bool:
    """Make one object of the parts, if all are there as they were said to be; False where it had been made before."""
    if promise.multipart is None:
        raise incomplete()
    try:
        found = await bucket.parts(promise.key, promise.multipart)
    except Failure as failed:
        # An earlier request got this far and no further, or one beside us was first.
        if failed.status == 404 and await bucket.appears(promise.key):
            return False
        raise
    sizes = [parts.size_of(n, promise.size, promise.part) for n in range(1, promise.count + 1)]
    if [(part.n, part.size) for part in found] != list(enumerate(sizes, 1)):
        raise incomplete()
    await bucket.complete(promise.key, promise.multipart, found)
    return True


async def _listed(bucket: Bucket, waiting: Sequence[Promise]) -> dict[str, int]:
    """Sizes by key. Ids made together lie together in the bucket: one page usually shows them all."""
    ids = sorted(promise.blob_id for promise in waiting)
    with explained():
        before = str(UUID(int=ids[0].int - 1))
        return {one.key: one.size async for one in bucket.listing(before, limit=2 * len(ids))}


def incomplete() -> Refusal:
    """Not all of it has arrived at the store."""
    return Refusal("upload_incomplete", "Not all of this file has arrived. Send what is missing.", status=409)
