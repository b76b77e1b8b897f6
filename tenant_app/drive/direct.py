"""Uploads from a browser straight to the store: the workspace promises room, allows each call, and makes the file.

No byte passes through here. Each call is allowed for one object, one method, one length and one digest, for a minute;
what arrived is asked of the gateway, never believed of the browser.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import msgspec

from kit.errors import Refusal, not_found
from kit.ids import new_id
from kit.s3 import Allowed, Bucket, Failure, Part
from tenant_app.accounts import Desk, chore_later
from tenant_app.drive import changes, names, parts, promises, quota
from tenant_app.drive.arriving import PEEK, Present, is_folder_there
from tenant_app.drive.promises import DIRECT_SECONDS, LEASE_SECONDS, Promise
from tenant_app.drive.reach import FOLDER, Place, must_add, reach
from tenant_app.drive.store import Stored, explained
from tenant_app.tenancy import Connection

AT_ONCE = 16
# Once the batch is larger than this, one listing costs less than asking for each object.
FEW = 3


class Wanted(msgspec.Struct, frozen=True):
    """A file that is to come: its name, bytes, the folders on the way to it, and its digest if it is of one part."""

    name: str
    size: int
    path: str = ""
    digest: str | None = None


async def promise(
    desk: Desk, place: Place, wanted: Sequence[Wanted], *, passing: bool = False
) -> list[Promise | Refusal]:
    """Room for each file, or why there is none: before anything is sent, and each on its own.

    A file of several parts keeps its room for hours, so that its sender may be away; one that is `passing` through the
    workspace, and one of a single part, for minutes.
    """
    beginning = _Beginning(desk, place, await quota.use(desk.conn, desk.tenant))
    found = [await beginning.one(one) for one in wanted]
    # The tally comes last of all locks. Only now is it sure that what fits does fit.
    room = _Room(await quota.lock(desk.conn, desk.tenant))
    found = [one if isinstance(one, Refusal) else room.one(one) for one in found]
    rows = [_row(one, desk.viewer.id, passing) for one in found if not isinstance(one, Refusal)]
    await promises.START.each(desk.conn, rows)
    if rows:
        await quota.ADD.run(desk.conn, of=quota.RESERVED, by=room.taken)
        await chore_later(desk.conn, desk.tenant, LEASE_SECONDS + 5)
    return found


def _row(promise: Promise, viewer: UUID, passing: bool) -> dict[str, object]:
    row = msgspec.structs.asdict(promise)
    lease = timedelta(seconds=LEASE_SECONDS if passing or promise.count == 1 else DIRECT_SECONDS)
    del row["multipart"]
    return {**row, "mime": names.media_type(promise.name), "created_by": viewer, "lease": lease}


class _Room:
    """Storage that is left, counting down as the files of one batch are promised theirs."""

    def __init__(self, use: quota.Use) -> None:
        self.use = use
        self.taken = 0

    def must_hold(self, size: int) -> None:
        free = self.use.free
        if free is not None and size > free - self.taken:
            raise quota.over_quota(size, max(0, free - self.taken), self.use.limit or 0)

    def one(self, promise: Promise) -> Promise | Refusal:
        try:
            self.must_hold(promise.size)
        except Refusal as refusal:
            return refusal
        self.taken += promise.size
        return promise


class _Beginning:
    """One batch of files before anything is promised: names, sizes, folders on the way."""

    def __init__(self, desk: Desk, place: Place, use: quota.Use) -> None:
        self.desk = desk
        self.top = place
        self.room = _Room(use)
        self.folders: dict[str, Place] = {"": place}

    async def one(self, wanted: Wanted) -> Promise | Refusal:
        try:
            return await self._one(wanted)
        except Refusal as refusal:
            return refusal

    async def _one(self, wanted: Wanted) -> Promise:
        name = names.clean(wanted.name)
        if wanted.size < 0:
            raise Refusal("size_malformed", "Say how long the file is, in bytes.", field="size")
        quota.must_be_small(self.desk.tenant, wanted.size)
        self.room.must_hold(wanted.size)
        part = parts.part_bytes(wanted.size)
        single = parts.count(wanted.size, part) == 1
        digests = parts.checked(wanted.digest) if single and wanted.digest is not None else None
        if wanted.path not in self.folders:
            self.folders[wanted.path] = await changes.folders_on(self.desk, self.top, wanted.path)
        place = self.folders[wanted.path]
        present: Present | None = await PEEK.one(self.desk.conn, folder=place.id, name=name)
        if present is not None and present.kind == FOLDER:
            raise is_folder_there(name)
        self.room.taken += wanted.size
        return Promise(
            id=new_id(),
            blob_id=new_id(),
            size=wanted.size,
            name=name,
            space_id=place.space_id,
            parent_id=changes.parent_of(place),
            multipart=None,
            part_bytes=part,
            digests=digests,
        )


def allowed(bucket: Bucket, promise: Promise) -> Allowed | None:
    """The one call that a file of one part needs; None before its digest is known, and for a file of several."""
    if promise.count > 1 or promise.digests is None:
        return None
    return bucket.allow_put(promise.key, promise.size, promise.digests.hex())


class PartWish(msgspec.Struct, frozen=True):
    """A part that is to come: its number from 1, and its digest in hexadecimal."""

    n: int
    digest: str


async def mine(conn: Connection, viewer: UUID, upload_id: UUID, *, lock: bool = False) -> Promise:
    """The viewer's own upload; one that ended, and one of somebody else, are not there."""
    found: Promise | None = await (promises.LOCK if lock else promises.MINE).one(conn, of=upload_id, viewer=viewer)
    if found is None:
        raise promises.given_up()
    return found


async def note_digests(desk: Desk, upload_id: UUID, wishes: Sequence[PartWish], multipart: str | None) -> Promise:
    """Write the digests down, once and for all: whatever is sent for a part must be what was said first.

    `multipart` is the gateway's id if this request began one; another request may have been first.
    """
    known = await mine(desk.conn, desk.viewer.id, upload_id, lock=True)
    must_add(await reach(desk.conn, desk.viewer, known.folder_id))
    digests = known.digests or bytes(parts.LENGTH * known.count)
    for wish in wishes:
        digest, before = parts.checked(wish.digest), None
        if not 1 <= wish.n <= known.count:
            raise Refusal("part_unknown", "This upload has {count} parts.", field="n", count=known.count)
        before = parts.digest_of(wish.n, digests)
        if before not in {None, digest}:
            raise Refusal(
                "file_changed", "The file has changed since its upload began. Cancel it and begin again.", status=409
            )
        digests = parts.with_digest(wish.n, digest, digests)
    changed = msgspec.structs.replace(known, digests=digests, multipart=known.multipart or multipart)
    await promises.NOTE.run(
        desk.conn,
        of=known.id,
        digests=digests,
        multipart=changed.multipart,
        lease=timedelta(seconds=DIRECT_SECONDS),
    )
    return changed


def allowed_parts(bucket: Bucket, promise: Promise, wishes: Sequence[PartWish]) -> list[Allowed]:
    """The calls that bring these parts, whose digests have been noted."""
    if promise.count == 1:
        return [bucket.allow_put(promise.key, promise.size, wish.digest) for wish in wishes]
    assert promise.multipart is not None
    return [
        bucket.allow_part(
            promise.key, promise.multipart, wish.n, parts.size_of(wish.n, promise.size, promise.part), wish.digest
        )
        for wish in wishes
    ]


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
    if promise.count > 1:
        await _complete(bucket, promise)
    elif promise.key in listed:
        return listed[promise.key]
    seen = await bucket.seen(promise.key)
    return None if seen is None else seen.size


async def _complete(bucket: Bucket, promise: Promise) -> None:
    """Make one object of the parts, if all are there as they were said to be."""
    if promise.multipart is None:
        raise incomplete()
    try:
        found = await bucket.parts(promise.key, promise.multipart)
    except Failure as failed:
        # An earlier request got this far and no further, or one beside us was first.
        if failed.status == 404 and await bucket.appears(promise.key):
            return
        raise
    sizes = [parts.size_of(n, promise.size, promise.part) for n in range(1, promise.count + 1)]
    if [(part.n, part.size) for part in found] != list(enumerate(sizes, 1)):
        raise incomplete()
    await bucket.complete(promise.key, promise.multipart, found)


async def _listed(bucket: Bucket, waiting: Sequence[Promise]) -> dict[str, int]:
    """Sizes by key. Ids made together lie together in the bucket: one page usually shows them all."""
    ids = sorted(promise.blob_id for promise in waiting)
    with explained():
        before = str(UUID(int=ids[0].int - 1))
        return {one.key: one.size async for one in bucket.listing(before, limit=2 * len(ids))}


def incomplete() -> Refusal:
    """Not all of it has arrived at the store."""
    return Refusal("upload_incomplete", "Not all of this file has arrived. Send what is missing.", status=409)


async def cancel(desk: Desk, upload_id: UUID) -> Promise:
    """The viewer's upload ends, and its promise with it."""
    try:
        found = await mine(desk.conn, desk.viewer.id, upload_id, lock=True)
    except Refusal as refusal:
        raise not_found() from refusal
    await promises.abandon(desk.conn, desk.tenant, found.id)
    return found
