"""The workspace's own books against the store's: what nobody knows of is removed, what is missing is told.

Objects never change and are named by ids, so both sides are walked once, in the order of ids.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import ColumnElement, bindparam, func, literal_column, select, union

from kit import logs
from kit.s3 import Bucket
from tenant_app.accounts import tally
from tenant_app.drive import quota
from tenant_app.drive.models import discard, upload, version
from tenant_app.drive.store import explained
from tenant_app.tenancy import Connection, Q, TenantPool, TenantRecord

PAGE = 1000
SECONDS = 1800.0
# An upload in parts that no row knows of: whoever began it must have noted it by now.
STRAY = timedelta(hours=1)
# Between the two sides something may have come or gone; each difference is asked again, up to so many.
MOST_ASKED = 10_000

log = logs.get("tenant_app.drive")


class Known(msgspec.Struct, frozen=True):
    """A blob that a version shows."""

    blob_id: UUID
    size: int


class Blob(msgspec.Struct, frozen=True):
    """A blob that some row names."""

    blob_id: UUID


class Sums(msgspec.Struct, frozen=True):
    """What the tally should say."""

    used: int
    reserved: int


class Books(msgspec.Struct):
    """What a reconciliation found. `orphans` were removed; `missing` are versions whose content is gone or cut."""

    store_bytes: int = 0
    store_objects: int = 0
    orphans: int = 0
    missing: int = 0


# Lists the blobs in order. Versions of one file may share one.
KNOWN = Q(
    select(version.c.blob_id, func.max(version.c.size).label("size")).group_by(version.c.blob_id).order_by("blob_id"),
    Known,
)
_any = func.any(bindparam("ids"))
NAMED = Q(
    union(
        select(version.c.blob_id).where(version.c.blob_id == _any),
        select(upload.c.blob_id).where(upload.c.blob_id == _any),
        select(discard.c.blob_id).where(discard.c.blob_id == _any),
    ),
    Blob,
)
STILL = Q(select(version.c.blob_id).where(version.c.blob_id == _any).distinct(), Blob)
UNDER_WAY = Q(select(upload.c.blob_id).where(upload.c.blob_id == _any), Blob)
_blobs = select(version.c.blob_id, func.max(version.c.size).label("size")).group_by(version.c.blob_id).subquery()
_zero: ColumnElement[int] = literal_column("0")
SUMS = Q(
    select(
        select(func.coalesce(func.sum(_blobs.c.size), _zero)).scalar_subquery().label("used"),
        select(func.coalesce(func.sum(upload.c.size), _zero)).scalar_subquery().label("reserved"),
    ),
    Sums,
)
SET = Q(tally.update().where(tally.c.key == bindparam("of")).values(value=bindparam("to")))


async def reconcile(pool: TenantPool, record: TenantRecord, bucket: Bucket, orphan_age: timedelta) -> Books:
    """Walk both sides. Only a live workspace's store is cleared up: in read-only nothing changes."""
    books = Books()
    strange, lacking = await _differences(pool, record, bucket, books)
    old = datetime.now(UTC) - orphan_age
    live = record.state == "live"
    if live:
        books.orphans = await _remove_orphans(pool, record, bucket, [key for key, at in strange if at < old])
        await _abort_strays(pool, record, bucket)
        await _mend_tally(pool, record)
    books.missing = await _missing(pool, record, bucket, lacking)
    return books


async def _differences(
    pool: TenantPool, record: TenantRecord, bucket: Bucket, books: Books
) -> tuple[list[tuple[UUID, datetime]], list[Known]]:
    """What only the store has, with when it was written; and what the store lacks, or has in another size."""
    strange: list[tuple[UUID, datetime]] = []
    lacking: list[Known] = []
    with explained():
        async with pool.transaction(record, read_only=True, seconds=SECONDS) as conn:
            known = _known(conn)
            mine = await anext(known, None)
            async for one in bucket.listing():
                books.store_bytes += one.size
                books.store_objects += 1
                key = UUID(one.key)
                while mine is not None and mine.blob_id < key:
                    lacking.append(mine)
                    mine = await anext(known, None)
                if mine is None or mine.blob_id != key:
                    strange.append((key, one.written_at))
                    continue
                if mine.size != one.size:
                    lacking.append(mine)
                mine = await anext(known, None)
            while mine is not None:
                lacking.append(mine)
                mine = await anext(known, None)
    return strange, lacking


async def _known(conn: Connection) -> AsyncIterator[Known]:
    cursor: asyncpg.cursor.Cursor = await conn.cursor(KNOWN.sql)
    while rows := await cursor.fetch(PAGE):
        for blob_id, size in rows:
            yield Known(blob_id, size)


async def _named(pool: TenantPool, record: TenantRecord, query: Q, ids: list[UUID]) -> set[UUID]:
    """Which of these ids the rows name at this moment."""
    found: set[UUID] = set()
    for start in range(0, len(ids), PAGE):
        async with pool.transaction(record, read_only=True) as conn:
            found |= {one.blob_id for one in await query.all(conn, ids=ids[start : start + PAGE])}
    return found


async def _remove_orphans(pool: TenantPool, record: TenantRecord, bucket: Bucket, keys: list[UUID]) -> int:
    keys = keys[:MOST_ASKED]
    named = await _named(pool, record, NAMED, keys)
    gone = [key for key in keys if key not in named]
    for key in gone:
        with explained():
            await bucket.delete(str(key))
    if gone:
        log.warning("orphan objects removed", organisation_id=str(record.organisation_id), count=len(gone))
    return len(gone)


async def _abort_strays(pool: TenantPool, record: TenantRecord, bucket: Bucket) -> None:
    """Uploads in parts that nobody will end."""
    old = datetime.now(UTC) - STRAY
    with explained():
        stray = [one async for one in bucket.unfinished() if one.begun_at < old]
    under_way = await _named(pool, record, UNDER_WAY, [UUID(one.key) for one in stray])
    for one in stray:
        if UUID(one.key) not in under_way:
            with explained():
                await bucket.abort(one.key, one.upload_id)


async def _missing(pool: TenantPool, record: TenantRecord, bucket: Bucket, lacking: list[Known]) -> int:
    """How many blobs that versions show are really not there, or not whole. Nothing mends them but a mirror."""
    still = await _named(pool, record, STILL, [one.blob_id for one in lacking[:MOST_ASKED]])
    lost = 0
    for one in lacking[:MOST_ASKED]:
        if one.blob_id not in still:
            continue
        with explained():
            seen = await bucket.seen(str(one.blob_id))
        if seen is None or seen.size != one.size:
            lost += 1
            log.error("a file's content is missing", organisation_id=str(record.organisation_id), blob=str(one.blob_id))
    return lost + max(0, len(lacking) - MOST_ASKED)


async def _mend_tally(pool: TenantPool, record: TenantRecord) -> None:
    """The tally is what the rows add up to; should it ever differ, that is told and mended."""
    async with pool.transaction(record, read_only=False) as conn:
        now = await quota.lock(conn, record)
        sums: Sums | None = await SUMS.one(conn)
        assert sums is not None
        for name, value, right in ((quota.USED, now.used, sums.used), (quota.RESERVED, now.reserved, sums.reserved)):
            if value != right:
                log.error(
                    "the tally was wrong",
                    organisation_id=str(record.organisation_id),
                    key=name,
                    before=value,
                    after=int(right),
                )
                await SET.run(conn, of=name, to=int(right))
