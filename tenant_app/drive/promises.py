"""Uploads that are under way: room is promised before the first byte, and the promise ends with the file or by itself.

The row comes before the first byte and goes with the last: an upload that nobody finishes is found by it.
"""

from datetime import timedelta
from uuid import UUID

import msgspec
from sqlalchemy import Interval, bindparam, delete, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert

from kit.errors import Refusal
from tenant_app.accounts import chore_later
from tenant_app.drive import parts, quota
from tenant_app.drive.models import discard, upload
from tenant_app.tenancy import Connection, Q, TenantRecord

# What passes through here renews its promise; a browser that sends by itself may be away for a while and go on.
LEASE_SECONDS = 900
DIRECT_SECONDS = 6 * 3600
# A stream that lost its promise may still be writing; its blob goes once it must have noticed.
GRACE = literal_column("interval '10 minutes'", Interval)
NOW = func.now()
_UNTIL = NOW + bindparam("lease", type_=Interval)


class Promise(msgspec.Struct, frozen=True):
    """One upload on its way. `multipart` is the gateway's id for it, `digests` 32 bytes for each part, in order."""

    id: UUID
    blob_id: UUID
    size: int
    name: str
    space_id: UUID
    parent_id: UUID | None
    multipart: str | None
    part_bytes: int | None
    digests: bytes | None

    @property
    def folder_id(self) -> UUID:
        """Where the file will lie."""
        return self.parent_id or self.space_id

    @property
    def part(self) -> int:
        """The size of its parts."""
        return self.part_bytes or parts.part_bytes(self.size)

    @property
    def count(self) -> int:
        """Of how many parts it is made."""
        return parts.count(self.size, self.part)

    @property
    def key(self) -> str:
        """Its blob's name in the bucket."""
        return str(self.blob_id)


_COLUMNS = (
    upload.c.id,
    upload.c.blob_id,
    upload.c.size,
    upload.c.name,
    upload.c.space_id,
    upload.c.parent_id,
    upload.c.multipart,
    upload.c.part_bytes,
    upload.c.digests,
)
START = Q(
    insert(upload).values(
        id=bindparam("id"),
        space_id=bindparam("space_id"),
        parent_id=bindparam("parent_id"),
        name=bindparam("name"),
        mime=bindparam("mime"),
        size=bindparam("size"),
        blob_id=bindparam("blob_id"),
        created_by=bindparam("created_by"),
        created_at=NOW,
        expires_at=_UNTIL,
        part_bytes=bindparam("part_bytes"),
        digests=bindparam("digests"),
    )
)
_mine = select(*_COLUMNS).where(upload.c.id == bindparam("of"), upload.c.created_by == bindparam("viewer"))
MINE = Q(_mine, Promise)
KNOWN = Q(select(*_COLUMNS).where(upload.c.id == bindparam("of")), Promise)
LOCK = Q(_mine.with_for_update(), Promise)
NOTE = Q(update(upload).where(upload.c.id == bindparam("of")).values(digests=bindparam("digests"), expires_at=_UNTIL))
# Once: of requests side by side, one's upload at the gateway holds.
BEGAN = Q(
    update(upload)
    .where(upload.c.id == bindparam("of"), upload.c.multipart.is_(None))
    .values(multipart=bindparam("multipart"))
)
RENEW = Q(update(upload).where(upload.c.id == bindparam("of")).values(expires_at=_UNTIL))
END = Q(delete(upload).where(upload.c.id == bindparam("of")).returning(*_COLUMNS), Promise)
OVERDUE = Q(delete(upload).where(upload.c.expires_at < NOW).returning(*_COLUMNS), Promise)
DISCARD = Q(insert(discard).values(blob_id=bindparam("blob_id"), due_at=NOW).on_conflict_do_nothing())
DISCARD_LATER = Q(insert(discard).values(blob_id=bindparam("blob_id"), due_at=NOW + GRACE).on_conflict_do_nothing())


def given_up() -> Refusal:
    """The promise ended before the upload did."""
    return Refusal("upload_ended", "This upload took too long and was given up. Send the file again.", status=409)


async def renew(conn: Connection, promise_id: UUID, seconds: int = LEASE_SECONDS) -> None:
    """The upload lives; one that was given up meanwhile is refused."""
    if not await RENEW.run(conn, of=promise_id, lease=timedelta(seconds=seconds)):
        raise given_up()


async def abandon(conn: Connection, record: TenantRecord, promise_id: UUID) -> None:
    """The promise ends; what was stored of it goes. Calling it again changes nothing."""
    ended: Promise | None = await END.one(conn, of=promise_id)
    if ended is None:
        return
    await DISCARD.run(conn, blob_id=ended.blob_id)
    await quota.release(conn, record, ended.size)
    await chore_later(conn, record, 0)


async def sweep(conn: Connection, record: TenantRecord) -> list[Promise]:
    """End the uploads whose senders are gone; tells which, for what the gateway holds of them."""
    overdue: list[Promise] = await OVERDUE.all(conn)
    for promise in overdue:
        await DISCARD_LATER.run(conn, blob_id=promise.blob_id)
    if overdue:
        await quota.release(conn, record, sum(promise.size for promise in overdue))
    return overdue
