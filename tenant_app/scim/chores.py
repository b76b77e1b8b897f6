"""What the worker does about a directory after the fact: it follows the mapping, tells of held removals, forgets."""

from datetime import UTC, datetime, timedelta

import asyncpg
from sqlalchemy import Interval, bindparam, delete, func, literal_column, select

from kit.ids import least_id
from tenant_app.contract import EVENT_DAYS
from tenant_app.scim import mapping, telling
from tenant_app.scim.models import scim_event
from tenant_app.tenancy import Q, TenantPool, TenantRecord

AT_ONCE = 1000
CLOCKS = 300.0
KEPT = literal_column(f"interval '{EVENT_DAYS} days'", Interval)
# The ids bound what is looked at, the moment decides.
_old = (
    select(scim_event.c.id)
    .where(scim_event.c.id < bindparam("before"), scim_event.c.created_at < func.now() - KEPT)
    .order_by(scim_event.c.id)
    .limit(bindparam("most"))
)
FORGET = Q(delete(scim_event).where(scim_event.c.id.in_(_old)))
# A slot that waits for its upgrade, or for the right that came with it.
LATER = (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError)


async def follow_up(pool: TenantPool, record: TenantRecord) -> datetime | None:
    """All of it; tells when to come again, if at all."""
    soon, again = None, None
    try:
        soon = await mapping.follow(pool, record)
        async with pool.transaction(record, read_only=False) as conn:
            again = await telling.tell(conn, record)
        await _forget(pool, record)
    except LATER:
        pass
    return min((at for at in (soon, again) if at is not None), default=None)


async def _forget(pool: TenantPool, record: TenantRecord) -> None:
    before, last = least_id(datetime.now(UTC) - timedelta(days=EVENT_DAYS), CLOCKS), AT_ONCE
    while last == AT_ONCE:
        async with pool.transaction(record, read_only=False) as conn:
            last = await FORGET.run(conn, before=before, most=AT_ONCE)
