"""Mails to those who look after a workspace when its storage fills up: once for each mark, until it has emptied."""

from urllib.parse import urlsplit

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert

from tenant_app.accounts import mail_later, person, tally
from tenant_app.drive import quota
from tenant_app.interface import Role
from tenant_app.tenancy import Connection, Q, TenantRecord

MARKS = (100, 95, 80)
# What swings around a mark is told once.
EMPTIED = 5
TOLD = "storage_told"


class Keeper(msgspec.Struct, frozen=True):
    """Somebody who can do something about it."""

    email: str
    name: str
    locale: str


class Told(msgspec.Struct, frozen=True):
    """The highest mark that was told and not yet left behind."""

    value: int


KEEPERS = Q(
    select(person.c.email, person.c.name, person.c.locale).where(
        person.c.role >= Role.ADMINISTRATOR, person.c.disabled_at.is_(None), person.c.email.is_not(None)
    ),
    Keeper,
)
READ = Q(select(tally.c.value).where(tally.c.key == TOLD), Told)
_told = insert(tally).values(key=TOLD, value=bindparam("value"))
TELL = Q(_told.on_conflict_do_update(index_elements=["key"], set_={"value": _told.excluded.value}))


def mark_of(percent: int) -> int:
    """The highest mark that was reached; 0 below all."""
    return next((mark for mark in MARKS if percent >= mark), 0)


def address_of(record: TenantRecord) -> str:
    """Where the workspace is, as its people type it."""
    site = urlsplit(record.site_url)
    return f"{site.scheme}://{record.hosts[0]}{f':{site.port}' if site.port else ''}"


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
    keepers: list[Keeper] = await KEEPERS.all(conn)
    for one in keepers:
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
    return len(keepers)
