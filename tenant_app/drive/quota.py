"""The workspace's storage: room is reserved before the first byte, so uploads side by side never pass the limit.

Order of locks, everywhere: the space's row, then the tally, then the chore.
"""

import msgspec
from sqlalchemy import bindparam, select, update

from kit.errors import Refusal
from tenant_app.accounts import tally
from tenant_app.interface import Bytes
from tenant_app.tenancy import Connection, Q, TenantRecord

USED = "storage_used"
RESERVED = "storage_reserved"


class Entry(msgspec.Struct, frozen=True):
    """One row of the tally."""

    key: str
    value: int


class Use(msgspec.Struct, frozen=True):
    """Bytes stored, bytes promised to uploads on their way, and the limit (None: without)."""

    used: int
    reserved: int
    limit: int | None

    @property
    def free(self) -> int | None:
        """What an upload may still ask for."""
        return None if self.limit is None else max(0, self.limit - self.used - self.reserved)


_entries = select(tally.c.key, tally.c.value).where(tally.c.key.in_((USED, RESERVED))).order_by(tally.c.key)
READ = Q(_entries, Entry)
LOCK = Q(_entries.with_for_update(), Entry)
ADD = Q(update(tally).where(tally.c.key == bindparam("of")).values(value=tally.c.value + bindparam("by")))


def limit_of(record: TenantRecord, name: str) -> int | None:
    """A figure of what this workspace is entitled to; None is without limit."""
    value = record.entitlements.get(name)
    return None if value is None else int(value)


async def _use(query: Q, conn: Connection, record: TenantRecord) -> Use:
    values = {entry.key: entry.value for entry in await query.all(conn)}
    return Use(values.get(USED, 0), values.get(RESERVED, 0), limit_of(record, "storage_bytes"))


async def use(conn: Connection, record: TenantRecord) -> Use:
    """Where the storage stands."""
    return await _use(READ, conn, record)


async def lock(conn: Connection, record: TenantRecord) -> Use:
    """Where the storage stands, and nobody else changes it until this transaction ends."""
    return await _use(LOCK, conn, record)


def must_be_small(record: TenantRecord, size: int) -> None:
    """Refuse a file that is larger than any may be."""
    largest = limit_of(record, "file_bytes")
    if largest is not None and size > largest:
        raise Refusal(
            "file_too_large",
            "This file is {size}; the largest file of this workspace is {limit}. Nothing was stored.",
            status=413,
            size=Bytes(size),
            limit=Bytes(largest),
        )


def over_quota(size: int, free: int, limit: int) -> Refusal:
    """The storage is full, or would be."""
    return Refusal(
        "over_quota",
        "There is not enough storage: this needs {size}, and {free} of {limit} are free. Nothing was stored.",
        status=413,
        size=Bytes(size),
        free=Bytes(free),
        limit=Bytes(limit),
    )


async def settle(conn: Connection, *, reserved: int, stored: int) -> None:
    """An upload arrived: its promise ends, its bytes count."""
    # Each locks its row, in the order in which `lock` does: one round trip.
    await ADD.each(conn, [{"of": RESERVED, "by": -reserved}, {"of": USED, "by": stored}])


async def release(conn: Connection, record: TenantRecord, reserved: int) -> None:
    """An upload will not arrive: its promise ends."""
    await lock(conn, record)
    await ADD.run(conn, of=RESERVED, by=-reserved)


async def give_back(conn: Connection, record: TenantRecord, stored: int) -> None:
    """Stored bytes are gone for good."""
    await lock(conn, record)
    await ADD.run(conn, of=USED, by=-stored)
