"""Mails to those who look after a workspace when its storage fills up: once for each mark, until it has emptied."""

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert

from tenant_app.accounts import address_of, keepers, mail_later, tally
from tenant_app.drive import quota
from tenant_app.tenancy import Connection, Q, TenantRecord

MARKS = (100, 95, 80)
# What swings around a mark is told once.
EMPTIED = 5
TOLD = "storage_told"


class Told(msgspec.Struct, frozen=True):
    """The highest mark that was told and not yet left behind."""

    value: int


READ = Q(select(tally.c.value).where(tally.c.key == TOLD), Told)
_told = insert(tally).values(key=TOLD, value=bindparam("value"))
TELL = Q(_told.on_conflict_do_update(index_elements=["key"], set_={"value": _told.excluded.value}))


def mark_of(percent: int) -> int:
    """The highest mark that was reached; 0 below all."""
    return next((mark for mark in MARKS if percent >= mark), 0)


async def tell(conn: Connection, record: TenantRecord) -> int:
    """Write to the administrators if a mark was passed since they were last told; tells how many mails."""
    use = await quota.lock(conn, record)
    if not use.limit:
        return 0
    percent = 100 * use.used // use.limit
    known: Told | None = await READ.one(conn)
    before, reached = known.value if known else 0, mark_of(percent)
    if reached <= before:
        # Left behind by some distance, the mark may be told again.
        still = mark_of(percent + EMPTIED)
        if still < before:
            await TELL.run(conn, value=still)
        return 0
    await TELL.run(conn, value=reached)
    looking_after = await keepers(conn)
    for one in looking_after:
        await mail_later(
            conn,
            record,
            "storage_mark",
            one.email,
            one.locale,
            name=one.name,
            organisation=record.name,
            percent=percent,
            mark=reached,
            used=use.used,
            limit=use.limit,
            url=address_of(record),
        )
    return len(looking_after)
