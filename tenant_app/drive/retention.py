"""The trash is kept for as many days as the offer says; then it is emptied for good."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy import Interval, bindparam, func, literal_column, select

from tenant_app.drive import quota
from tenant_app.drive.changes import erase
from tenant_app.drive.models import node
from tenant_app.tenancy import Connection, Q, TenantRecord

AT_ONCE = 200


class Expired(msgspec.Struct, frozen=True):
    """Something whose time in the trash is over."""

    id: UUID
    space_id: UUID


class Oldest(msgspec.Struct, frozen=True):
    """When the oldest thing in the trash came there."""

    at: datetime | None


EXPIRED = Q(
    select(node.c.id, node.c.space_id)
    .where(node.c.deleted_at < func.now() - bindparam("kept", type_=Interval))
    .order_by(node.c.deleted_at)
    .limit(literal_column(str(AT_ONCE))),
    Expired,
)
OLDEST = Q(select(func.min(node.c.deleted_at).label("at")), Oldest)


def _kept(record: TenantRecord) -> timedelta | None:
    days = quota.limit_of(record, "retention_days")
    return None if days is None else timedelta(days=days)


async def empty_trash(conn: Connection, record: TenantRecord) -> int:
    """Remove for good what has been in the trash for longer than the offer keeps it; tells how many, 200 at most."""
    kept = _kept(record)
    if kept is None:
        return 0
    expired: list[Expired] = await EXPIRED.all(conn, kept=kept)
    freed = sum([await erase(conn, one.space_id, one.id) for one in expired])
    if expired:
        await quota.give_back(conn, record, freed)
    return len(expired)


async def next_emptying(conn: Connection, record: TenantRecord) -> datetime | None:
    """When the next thing in the trash will have been there for long enough."""
    kept = _kept(record)
    oldest: Oldest | None = await OLDEST.one(conn)
    return None if kept is None or oldest is None or oldest.at is None else oldest.at + kept
