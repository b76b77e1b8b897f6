"""Uploads from a browser straight to the store: the workspace promises room, allows each call, and makes the file.

No byte passes through here. Each call is allowed for one object, one method, one length and one digest, for a minute;
what arrived is asked of the gateway, never believed of the browser.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from uuid import UUID

import msgspec

from kit.errors import Refusal, not_found
from kit.ids import new_id
from kit.s3 import Allowed, Bucket
from tenant_app.accounts import Desk, chore_later
from tenant_app.drive import changes, names, parts, promises, quota
from tenant_app.drive.arriving import PEEK, Present, is_folder_there
from tenant_app.drive.promises import DIRECT_SECONDS, LEASE_SECONDS, Promise
from tenant_app.drive.reach import FOLDER, Place, must_add, reach
from tenant_app.drive.store import explained
from tenant_app.tenancy import Connection

MOST_PARTS = 32


class Wanted(msgspec.Struct, frozen=True):
    """A file that is to come: its name, bytes, the folders on the way to it.

    Whose digest is known may be sent at once: a file of one part (`digest`), or the first parts of one of several
    (`digests`, which count where parts of `part_bytes` are what it is cut into).
    """

    name: str
    size: int
    path: str = ""
    digest: str | None = None
    digests: list[str] = []
    part_bytes: int = 0


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
        digests = _digests(wanted, part)
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


def _digests(wanted: Wanted, part: int) -> bytes | None:
    """What is known of the parts' digests before anything is sent; None where nothing is."""
    count = parts.count(wanted.size, part)
    several = wanted.digests if wanted.part_bytes == part else []
    known = ([wanted.digest] if wanted.digest is not None else []) if count == 1 else several
    if len(known) > min(count, MOST_PARTS):
        raise Refusal("part_unknown", "This upload has {count} parts.", field="digests", count=count)
    found = b"".join(parts.checked(digest) for digest in known)
    return found.ljust(parts.LENGTH * count, b"\0") if found else None


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


async def note_digests(desk: Desk, upload_id: UUID, wishes: Sequence[PartWish]) -> Promise:
    """Write the digests down, once and for all: whatever is sent for a part must be what was said first."""
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
    await promises.NOTE.run(desk.conn, of=known.id, digests=digests, lease=timedelta(seconds=DIRECT_SECONDS))
    return msgspec.structs.replace(known, digests=digests)


async def began(
    bucket: Bucket, promise: Promise, connection: Callable[[], AbstractAsyncContextManager[Connection]]
) -> Promise:
    """The promise with its upload begun at the gateway, outside of any transaction. Another request may be first."""
    if promise.count == 1 or promise.multipart is not None:
        return promise
    with explained():
        multipart = await bucket.begin(promise.key)
    async with connection() as conn:
        if await promises.BEGAN.run(conn, of=promise.id, multipart=multipart):
            return msgspec.structs.replace(promise, multipart=multipart)
        first: Promise | None = await promises.KNOWN.one(conn, of=promise.id)
    await bucket.abort(promise.key, multipart)
    if first is None:
        raise promises.given_up()
    return msgspec.structs.replace(promise, multipart=first.multipart)


def first_wishes(promise: Promise) -> list[PartWish]:
    """The parts whose digests came with the beginning of a file of several."""
    known = promise.digests if promise.count > 1 else None
    numbers = range(1, 1 + min(MOST_PARTS, promise.count))
    found = ((n, parts.digest_of(n, known or b"")) for n in numbers)
    return [PartWish(n, digest.hex()) for n, digest in found if digest is not None]


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


async def cancel(desk: Desk, upload_id: UUID) -> Promise:
    """The viewer's upload ends, and its promise with it."""
    try:
        found = await mine(desk.conn, desk.viewer.id, upload_id, lock=True)
    except Refusal as refusal:
        raise not_found() from refusal
    await promises.abandon(desk.conn, desk.tenant, found.id)
    return found
