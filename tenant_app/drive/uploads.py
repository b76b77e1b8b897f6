"""A file on its way in: reserve, stream, commit. Whatever breaks it, the promise ends and no byte stays behind.

The row in `upload` comes before the first byte and goes with the last: an upload that nobody finishes is found by it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from time import monotonic
from uuid import UUID

import msgspec
from anyio import CancelScope
from sqlalchemy import Interval, bindparam, delete, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert

from kit.errors import Refusal, not_found
from kit.filestore import Bucket, Stored
from kit.ids import new_id
from tenant_app.accounts import Desk, chore_later, note
from tenant_app.drive import changes, names, quota, store
from tenant_app.drive.models import discard, node, upload, version
from tenant_app.drive.reach import FILE, FOLDER, Place, file, must_add, reach
from tenant_app.tenancy import Connection, Q, TenantRecord

LEASE_SECONDS = 900
RENEW_EVERY = 60
# A stream that lost its lease may still be writing; its blob goes once it must have noticed.
GRACE = literal_column("interval '10 minutes'", Interval)
LEASE = literal_column(f"interval '{LEASE_SECONDS} seconds'", Interval)
NOW = func.now()


class Promise(msgspec.Struct, frozen=True):
    """What was reserved for an upload."""

    id: UUID
    blob_id: UUID
    size: int


class Kept(msgspec.Struct, frozen=True):
    """The blob behind one version."""

    blob_id: UUID
    size: int
    sha256: str | None


@dataclass(frozen=True)
class WayIn:
    """How an upload comes back to the database between its bytes: no transaction is held while they travel."""

    tenant: TenantRecord
    bucket: Bucket
    desk: Callable[[], AbstractAsyncContextManager[Desk]]
    connection: Callable[[], AbstractAsyncContextManager[Connection]]


class Present(msgspec.Struct, frozen=True):
    """What has this name in the folder already."""

    id: UUID
    kind: str
    version: int


@dataclass(frozen=True)
class Arrived:
    """A file that is stored now."""

    id: UUID
    name: str
    version: int
    size: int


START = Q(
    insert(upload)
    .values(
        id=bindparam("id"),
        space_id=bindparam("space_id"),
        parent_id=bindparam("parent_id"),
        name=bindparam("name"),
        mime=bindparam("mime"),
        size=bindparam("size"),
        blob_id=bindparam("blob_id"),
        created_by=bindparam("created_by"),
        created_at=NOW,
        expires_at=NOW + LEASE,
    )
    .returning(upload.c.id, upload.c.blob_id, upload.c.size),
    Promise,
)
RENEW = Q(
    update(upload)
    .where(upload.c.id == bindparam("of"))
    .values(expires_at=NOW + LEASE)
    .returning(upload.c.id, upload.c.blob_id, upload.c.size),
    Promise,
)
END = Q(
    delete(upload).where(upload.c.id == bindparam("of")).returning(upload.c.id, upload.c.blob_id, upload.c.size),
    Promise,
)
OVERDUE = Q(
    delete(upload).where(upload.c.expires_at < NOW).returning(upload.c.id, upload.c.blob_id, upload.c.size), Promise
)
_same_name = (
    func.coalesce(node.c.parent_id, node.c.space_id) == bindparam("folder"),
    func.lower(node.c.name) == func.lower(bindparam("name")),
    node.c.deleted_at.is_(None),
)
PRESENT = Q(select(node.c.id, node.c.kind, node.c.version).where(*_same_name).with_for_update(), Present)
PEEK = Q(select(node.c.id, node.c.kind, node.c.version).where(*_same_name), Present)
LOCK_NODE = Q(
    select(node.c.id, node.c.kind, node.c.version).where(node.c.id == bindparam("of")).with_for_update(), Present
)
KEPT = Q(
    select(version.c.blob_id, version.c.size, version.c.sha256).where(
        version.c.node_id == bindparam("of"), version.c.n == bindparam("n")
    ),
    Kept,
)
ADD_VERSION = Q(
    insert(version).values(
        node_id=bindparam("node_id"),
        n=bindparam("n"),
        blob_id=bindparam("blob_id"),
        size=bindparam("size"),
        sha256=bindparam("sha256"),
        author_id=bindparam("author_id"),
        label=bindparam("label"),
        created_at=NOW,
    )
)
SHOW_VERSION = Q(
    update(node)
    .where(node.c.id == bindparam("of"))
    .values(
        version=bindparam("n"),
        size=bindparam("size"),
        mime=bindparam("mime"),
        updated_at=NOW,
        updated_by=bindparam("by"),
        etag=bindparam("etag"),
    )
)
DISCARD = Q(insert(discard).values(blob_id=bindparam("blob_id"), due_at=NOW).on_conflict_do_nothing())
DISCARD_LATER = Q(insert(discard).values(blob_id=bindparam("blob_id"), due_at=NOW + GRACE).on_conflict_do_nothing())
FORGET = Q(delete(discard).where(discard.c.blob_id == bindparam("of")))


def is_folder_there(name: str) -> Refusal:
    """A file cannot become a new version of a folder."""
    return Refusal(
        "name_is_folder", "A folder is called “{name}” here. Rename one of them.", field="name", status=409, name=name
    )


async def begin(desk: Desk, place: Place, name: str, size: int, *, exact: bool = True) -> Promise:
    """Room and a place for `size` bytes called `name`, or a Refusal before anything is sent."""
    must_add(place)
    name = names.clean(name)
    folder_id = place.id
    present: Present | None = await PEEK.one(desk.conn, folder=folder_id, name=name)
    if present is not None and present.kind == FOLDER:
        raise is_folder_there(name)
    largest = quota.limit_of(desk.tenant, "file_bytes")
    if not exact and largest is not None:
        size = min(size, largest)
    await quota.reserve(desk.conn, desk.tenant, size)
    promise: Promise | None = await START.one(
        desk.conn,
        id=new_id(),
        space_id=place.space_id,
        parent_id=changes.parent_of(place),
        name=name,
        mime=names.media_type(name),
        size=size,
        blob_id=new_id(),
        created_by=desk.viewer.id,
    )
    assert promise is not None
    await chore_later(desk.conn, desk.tenant, LEASE_SECONDS + 5)
    return promise


async def renew(conn: Connection, promise: Promise) -> None:
    """The upload lives; one that was given up meanwhile is refused."""
    if await RENEW.one(conn, of=promise.id) is None:
        raise given_up()


def given_up() -> Refusal:
    """The promise ended before the upload did."""
    return Refusal("upload_ended", "This upload took too long and was given up. Send the file again.", status=409)


async def commit(desk: Desk, place: Place, promise: Promise, name: str, stored: Stored) -> Arrived:
    """The bytes are stored: the file shows them now, as a new file or a new version of the one with this name."""
    name = names.clean(name)
    await changes.SHARE_SPACE.one(desk.conn, of=place.space_id)
    # Asked again: it may have been moved to the trash, archived or closed to him while the bytes were on their way.
    place = must_add(await reach(desk.conn, desk.viewer, place.id))
    if await END.one(desk.conn, of=promise.id) is None:
        raise given_up()
    arrived = await _show(desk, place, promise.blob_id, name, stored)
    await note(desk, "file.uploaded", arrived.id, name=arrived.name, version=arrived.version, size=stored.size)
    await quota.settle(desk.conn, desk.tenant, reserved=promise.size, stored=stored.size)
    await chore_later(desk.conn, desk.tenant)
    return arrived


async def _show(desk: Desk, place: Place, blob_id: UUID, name: str, stored: Stored) -> Arrived:
    node_id = new_id()
    made = await changes.MAKE.one(
        desk.conn,
        id=node_id,
        space_id=place.space_id,
        parent_id=changes.parent_of(place),
        space=place.space_id,
        kind=FILE,
        name=name,
        mime=names.media_type(name),
        size=stored.size,
        version=1,
        created_by=desk.viewer.id,
        by=desk.viewer.id,
        etag=new_id(),
    )
    n = 1
    if made is None:
        present: Present | None = await PRESENT.one(desk.conn, folder=place.id, name=name)
        if present is None:
            raise Refusal("upload_crossed", "The folder changed meanwhile. Send the file again.", status=409)
        if present.kind == FOLDER:
            raise is_folder_there(name)
        node_id, n = present.id, present.version + 1
    await _add_version(desk, node_id, n, Kept(blob_id, stored.size, stored.sha256), name)
    return Arrived(node_id, name, n, stored.size)


async def _add_version(desk: Desk, of: UUID, n: int, blob: Kept, name: str) -> None:
    await ADD_VERSION.run(
        desk.conn,
        node_id=of,
        n=n,
        blob_id=blob.blob_id,
        size=blob.size,
        sha256=blob.sha256,
        author_id=desk.viewer.id,
        label=None,
    )
    await SHOW_VERSION.run(
        desk.conn, of=of, n=n, size=blob.size, mime=names.media_type(name), by=desk.viewer.id, etag=new_id()
    )


async def abandon(conn: Connection, record: TenantRecord, promise: Promise) -> None:
    """The promise ends; what was stored of it goes. Calling it again changes nothing."""
    if await END.one(conn, of=promise.id) is None:
        return
    await DISCARD.run(conn, blob_id=promise.blob_id)
    await quota.release(conn, record, promise.size)
    await chore_later(conn, record, 0)


async def sweep(conn: Connection, record: TenantRecord) -> int:
    """End the uploads whose senders are gone. The answer is how many there were."""
    overdue: list[Promise] = await OVERDUE.all(conn)
    for promise in overdue:
        await DISCARD_LATER.run(conn, blob_id=promise.blob_id)
    if overdue:
        await quota.release(conn, record, sum(promise.size for promise in overdue))
    return len(overdue)


async def renewed(chunks: AsyncIterator[bytes], renew_lease: Callable[[], Awaitable[None]]) -> AsyncIterator[bytes]:
    """The same chunks; while they come slowly, the lease is renewed."""
    last = monotonic()
    async for chunk in chunks:
        yield chunk
        if monotonic() - last > RENEW_EVERY:
            await renew_lease()
            last = monotonic()


def _must_be_whole(stored: Stored, size: int | None) -> None:
    if size is not None and stored.size != size:
        raise Refusal("shorter_than_said", "Less arrived than was announced. Nothing was stored.", status=400)


async def take_in(
    way_in: WayIn, where: UUID, name: str, size: int, chunks: AsyncIterator[bytes], *, exact: bool, path: str = ""
) -> Arrived:
    """A whole upload: room for `size` bytes, the stream, the file. Anything that breaks it leaves nothing.

    With `exact` the file has that size; else it has at most that size. `path` names folders on the way to it.
    """
    async with way_in.desk() as desk:
        place = await changes.folders_on(desk, must_add(await reach(desk.conn, desk.viewer, where)), path)
        promise = await begin(desk, place, name, size, exact=exact)

    async def renew_lease() -> None:
        async with way_in.connection() as conn:
            await renew(conn, promise)

    try:
        stored = await store.put(way_in.bucket, promise.blob_id, renewed(chunks, renew_lease), promise.size)
        _must_be_whole(stored, size if exact else None)
        async with way_in.desk() as desk:
            return await commit(desk, place, promise, name, stored)
    except BaseException:
        # The sender may be gone and this task cancelled: the promise is ended all the same.
        with CancelScope(shield=True):
            async with way_in.connection() as conn:
                await abandon(conn, way_in.tenant, promise)
        raise


async def restore_version(desk: Desk, place: Place, n: int) -> Arrived:
    """An old state becomes the newest one. No byte is copied: both versions share the blob."""
    this = file(place)
    await changes.SHARE_SPACE.one(desk.conn, of=place.space_id)
    old: Kept | None = await KEPT.one(desk.conn, of=this.id, n=n)
    present: Present | None = await LOCK_NODE.one(desk.conn, of=this.id)
    if old is None or present is None:
        raise not_found()
    newest = present.version + 1
    await _add_version(desk, this.id, newest, old, this.name)
    await note(desk, "file.version_restored", this.id, name=this.name, version=n)
    return Arrived(this.id, this.name, newest, old.size)
