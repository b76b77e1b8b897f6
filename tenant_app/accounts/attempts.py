"""How often something may be tried. A try is counted before its answer is known, so parallel guesses gain nothing."""

import hashlib
from datetime import datetime

import msgspec
from sqlalchemy import Interval, bindparam, case, delete, func, literal_column
from sqlalchemy.dialects.postgresql import insert

from tenant_app.accounts.models import attempt
from tenant_app.tenancy import Connection, Q

PAUSE_MINUTES = 10
PASSWORD_TRIES = 5
CLIENT_TRIES = 50
LINKS_AN_HOUR = 3

PAUSE = literal_column(f"interval '{PAUSE_MINUTES} minutes'", Interval)
HOUR = literal_column("interval '1 hour'", Interval)
NOW = func.now()


class Tries(msgspec.Struct, frozen=True):
    """Where a count stands after this try was added; it starts anew after `until`."""

    count: int
    until: datetime


_new = insert(attempt).values(key=bindparam("key"), count=1, until=NOW + PAUSE)
_over = attempt.c.until < NOW
COUNT = Q(
    _new.on_conflict_do_update(
        index_elements=[attempt.c.key],
        set_={
            "count": case((_over, 1), else_=attempt.c.count + 1),
            # Tries beyond the allowed ones do not prolong the pause: nobody can be shut out for ever.
            "until": case(
                (_over, NOW + PAUSE), (attempt.c.count < bindparam("allowed"), NOW + PAUSE), else_=attempt.c.until
            ),
        },
    ).returning(attempt.c.count, attempt.c.until),
    Tries,
)
FORGET = Q(delete(attempt).where(attempt.c.key == bindparam("of")))
REDEEM = Q(
    delete(attempt)
    .where(attempt.c.key == bindparam("of"), attempt.c.until > NOW)
    .returning(attempt.c.count, attempt.c.until),
    Tries,
)
# The rows of strangers' guesses go when they mean nothing any more, a few at a time.
SWEEP = Q(delete(attempt).where(attempt.c.until < NOW - HOUR))


def key(what: str, who: str) -> str:
    """The row's key tells neither what was tried nor for whom."""
    return hashlib.sha256(f"{what}\0{who}".encode()).hexdigest()


async def count(conn: Connection, what: str, who: str, *, allowed: int) -> Tries:
    """Count one more try and tell the new count."""
    await SWEEP.run(conn)
    tries: Tries | None = await COUNT.one(conn, key=key(what, who), allowed=allowed)
    assert tries is not None
    return tries


async def forget(conn: Connection, what: str, who: str) -> None:
    """It went well: the count starts anew."""
    await FORGET.run(conn, of=key(what, who))


async def issue(conn: Connection, what: str, who: str) -> None:
    """Something that may be redeemed once, within ten minutes."""
    await count(conn, what, who, allowed=1)


async def redeem(conn: Connection, what: str, who: str) -> bool:
    """True once for what was issued and is not too old."""
    return await REDEEM.one(conn, of=key(what, who)) is not None
