"""Mails to those who run a workspace when their directory would remove too many: once a wave, and again while it waits.

A directory removes people one by one, so the worker waits until the wave has ended before it counts. Whoever has a mail
about removals that still wait gets none about further ones within the hour.
"""

from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import insert

from tenant_app.accounts import address_of, keepers, mail_later, tally
from tenant_app.scim.brake import WAITING
from tenant_app.scim.models import scim_removal
from tenant_app.tenancy import Connection, Q, TenantRecord

QUIET = timedelta(seconds=30)
# A wave that does not end is told of nevertheless.
LONGEST = timedelta(minutes=5)
APART = timedelta(hours=1)
REMINDED = timedelta(days=3)
TOLD = "scim_removals_told"
PLACE = "/console?to=removals"


class Waiting(msgspec.Struct, frozen=True):
    """Removals that wait: how many, since when, the first that nobody was told of, and when we last told (in ms)."""

    n: int
    now: datetime
    first: datetime | None
    last: datetime | None
    untold: datetime | None
    told: int | None


_told = select(tally.c.value).where(tally.c.key == TOLD).scalar_subquery()
_asked = scim_removal.c.asked_at
LOOK = Q(
    select(
        func.count().label("n"),
        func.now().label("now"),
        func.min(_asked).label("first"),
        func.max(_asked).label("last"),
        func.min(_asked).filter(_asked > func.to_timestamp(func.coalesce(_told, 0) / 1000.0)).label("untold"),
        _told.label("told"),
    ).where(scim_removal.c.state == WAITING),
    Waiting,
)
_note = insert(tally).values(key=TOLD, value=bindparam("value"))
NOTE = Q(_note.on_conflict_do_update(index_elements=["key"], set_={"value": _note.excluded.value}))


def due(found: Waiting) -> datetime | None:
    """When to write about these; None where nobody waits."""
    if found.first is None or found.last is None:
        return None
    told = None if found.told is None else datetime.fromtimestamp(found.told / 1000, UTC)
    if found.untold is None:
        return (told or found.now) + REMINDED
    settled = min(found.last + QUIET, found.untold + LONGEST)
    # They have a mail that leads to the same page.
    still_asked = told is not None and found.first <= told
    return max(settled, told + APART) if told is not None and still_asked else settled


async def tell(conn: Connection, record: TenantRecord) -> datetime | None:
    """Write to the owners and administrators if it is time; tells when to come again, if at all."""
    found: Waiting = await LOOK.one(conn)
    at = due(found)
    if at is None or at > found.now:
        return at
    await NOTE.run(conn, value=int(found.now.timestamp() * 1000))
    for one in await keepers(conn):
        await mail_later(
            conn,
            record,
            "removals_wait",
            one.email,
            one.locale,
            name=one.name,
            organisation=record.name,
            count=found.n,
            percent=record.identity.brake_percent,
            again=found.untold is None,
            url=address_of(record) + PLACE,
        )
    return found.now + REMINDED
