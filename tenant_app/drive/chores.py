"""What is done for one workspace after the fact: uploads that nobody finished, blobs that nobody needs, its figures."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, delete, func, literal_column, select

from kit.errors import Unavailable
from kit.s3 import Bucket
from tenant_app.accounts import person, tally
from tenant_app.drive import notices, promises, quota, retention
from tenant_app.drive.models import discard, node, upload
from tenant_app.drive.promises import Promise
from tenant_app.drive.reach import FILE
from tenant_app.drive.reconciling import reconcile
from tenant_app.drive.store import explained
from tenant_app.spaces import space
from tenant_app.tenancy import Connection, Q, TenantPool, TenantRecord

AT_ONCE = 200
REPORT = """
insert into directory.usage as u (organisation_id, storage_bytes, members, guests, spaces, files, seen_at, measured_at)
values ($1, $2, $3, $4, $5, $6, $7, now())
on conflict (organisation_id) do update set storage_bytes = excluded.storage_bytes, members = excluded.members,
    guests = excluded.guests, spaces = excluded.spaces, files = excluded.files,
    seen_at = greatest(u.seen_at, excluded.seen_at), measured_at = excluded.measured_at
"""


# The night before last at the latest; in the hours in between by lot, so that the store is not asked all at once.
IS_DUE = """
select reconciled_at is null or reconciled_at < now() - interval '18 hours' - interval '6 hours' * random()
from directory.usage where organisation_id = $1
"""
NOTE_BOOKS = """
update directory.usage set store_bytes = $2, store_objects = $3, orphans = $4, missing = $5, reconciled_at = now()
where organisation_id = $1
"""
ORPHAN_AGE = timedelta(days=1)


class Blob(msgspec.Struct, frozen=True):
    """A blob that nobody needs any more."""

    blob_id: UUID


class Figures(msgspec.Struct, frozen=True):
    """What a workspace uses now."""

    storage_bytes: int
    members: int
    guests: int
    spaces: int
    files: int
    seen_at: datetime | None


class Next(msgspec.Struct, frozen=True):
    """When there is something to do again."""

    at: datetime | None


FIGURES = Q(
    select(
        select(tally.c.value).where(tally.c.key == quota.USED).scalar_subquery().label("storage_bytes"),
        select(func.count())
        .where(person.c.kind == "m", person.c.disabled_at.is_(None))
        .scalar_subquery()
        .label("members"),
        select(func.count())
        .where(person.c.kind == "g", person.c.disabled_at.is_(None))
        .scalar_subquery()
        .label("guests"),
        select(func.count()).where(space.c.archived_at.is_(None)).scalar_subquery().label("spaces"),
        select(func.count()).where(node.c.kind == FILE).scalar_subquery().label("files"),
        select(func.max(person.c.seen_at)).scalar_subquery().label("seen_at"),
    ),
    Figures,
)
DUE = Q(
    select(discard.c.blob_id)
    .where(discard.c.due_at <= func.now())
    .order_by(discard.c.due_at)
    .limit(literal_column(str(AT_ONCE))),
    Blob,
)
FORGET = Q(delete(discard).where(discard.c.blob_id == bindparam("of")))
_soonest = func.least(
    select(func.min(upload.c.expires_at)).scalar_subquery(), select(func.min(discard.c.due_at)).scalar_subquery()
)
NEXT = Q(select(_soonest.label("at")), Next)


async def remove_blobs(pool: TenantPool, record: TenantRecord, bucket: Bucket) -> int:
    """Remove what waits to be removed. The blob goes first: a crash in between only repeats a removal."""
    removed = 0
    while True:
        async with pool.transaction(record, read_only=False) as conn:
            due: list[Blob] = await DUE.all(conn)
        for blob in due:
            await bucket.delete(str(blob.blob_id))
        async with pool.transaction(record, read_only=False) as conn:
            for blob in due:
                await FORGET.run(conn, of=blob.blob_id)
        removed += len(due)
        if len(due) < AT_ONCE:
            return removed


async def figures(conn: Connection) -> Figures:
    """Count."""
    found: Figures | None = await FIGURES.one(conn)
    if found is None:
        raise Unavailable("no_figures")
    return found


async def tidy(
    pool: TenantPool, record: TenantRecord, bucket: Bucket, *, orphan_age: timedelta = ORPHAN_AGE
) -> datetime | None:
    """End what is overdue, remove what is unneeded, report the figures; tells when to come again, if at all.

    Once a day, or when somebody asks, the workspace's books are compared with the store's.
    """
    async with pool.transaction(record, read_only=False) as conn:
        overdue = await promises.sweep(conn, record)
    if record.state == "live":
        # A read-only organisation loses nothing while it waits for its next order, and its store refuses all changes.
        await _clear_up(pool, record, bucket, overdue)
    async with pool.transaction(record, read_only=False) as conn:
        await notices.tell(conn, record)
    async with pool.transaction(record, read_only=False) as conn:
        now = await figures(conn)
        waiting: Next | None = await NEXT.one(conn)
        times = [waiting.at if waiting else None, await retention.next_emptying(conn, record)]
    async with pool.shared() as conn:
        await conn.execute(
            REPORT,
            record.organisation_id,
            now.storage_bytes,
            now.members,
            now.guests,
            now.spaces,
            now.files,
            now.seen_at,
        )
        due = await conn.fetchval(IS_DUE, record.organisation_id)
    if due:
        books = await reconcile(pool, record, bucket, orphan_age)
        async with pool.shared() as conn:
            found = (books.store_bytes, books.store_objects, books.orphans, books.missing)
            await conn.execute(NOTE_BOOKS, record.organisation_id, *found)
    return min((at for at in times if at is not None), default=None)


async def _clear_up(pool: TenantPool, record: TenantRecord, bucket: Bucket, overdue: list[Promise]) -> None:
    with explained():
        for promise in overdue:
            if promise.multipart is not None:
                await bucket.abort(promise.key, promise.multipart)
        await _empty_trash(pool, record)
        await remove_blobs(pool, record, bucket)


async def _empty_trash(pool: TenantPool, record: TenantRecord) -> None:
    emptied = retention.AT_ONCE
    while emptied == retention.AT_ONCE:
        async with pool.transaction(record, read_only=False) as conn:
            emptied = await retention.empty_trash(conn, record)
