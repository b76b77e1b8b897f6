"""The brake: a directory that would remove more than a set share of people in an hour waits for an administrator."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from sqlalchemy import Interval, bindparam, delete, func, insert, literal_column, select, update

from kit.ids import new_id
from tenant_app.accounts import person
from tenant_app.scim.models import scim_removal
from tenant_app.scim.pushing import Push
from tenant_app.tenancy import Q

NOW = func.now()
HOUR = literal_column("interval '1 hour'", Interval)
MONTH = literal_column("interval '30 days'", Interval)
# A share of a handful of people is nobody: so many may always go.
ALWAYS = 3

DONE, WAITING, WITHDRAWN = "done", "waiting", "withdrawn"


class Counted(msgspec.Struct, frozen=True):
    """People who are here, and removals of the last hour that were done or wait."""

    here: int
    done: int
    waiting: int


class Of(msgspec.Struct, frozen=True):
    """Somebody."""

    id: UUID


_recent = select(func.count()).where(scim_removal.c.asked_at > NOW - HOUR)
COUNT = Q(
    select(
        select(func.count()).where(person.c.disabled_at.is_(None)).scalar_subquery().label("here"),
        _recent.where(scim_removal.c.state == DONE).scalar_subquery().label("done"),
        _recent.where(scim_removal.c.state == WAITING).scalar_subquery().label("waiting"),
    ),
    Counted,
)
NOTE = Q(
    insert(scim_removal).values(
        id=bindparam("id"),
        principal_id=bindparam("principal_id"),
        kind=bindparam("kind"),
        state=bindparam("state"),
        token_id=bindparam("token_id"),
        asked_at=NOW,
    )
)
FORGET = Q(delete(scim_removal).where(scim_removal.c.state != WAITING, scim_removal.c.asked_at < NOW - MONTH))
WITHDRAW = Q(
    update(scim_removal)
    .where(scim_removal.c.principal_id == bindparam("of"), scim_removal.c.state == WAITING)
    .values(state=WITHDRAWN, decided_at=NOW)
)
WAIT = Q(
    select(scim_removal.c.principal_id.label("id")).where(
        scim_removal.c.principal_id == func.any(bindparam("ids")), scim_removal.c.state == WAITING
    ),
    Of,
)


async def lets_go(push: Push, removed: int) -> bool:
    """Whether so many more may be removed now without an administrator."""
    percent = push.record.identity.brake_percent
    if percent >= 100:
        return True
    counted: Counted = await COUNT.one(push.conn)
    population = counted.here + counted.done
    return counted.done + counted.waiting + removed <= max(ALWAYS, population * percent // 100)


async def note(push: Push, ids: Sequence[UUID], kind: str, *, waiting: bool) -> None:
    """Write them down: as done, or as waiting for an administrator."""
    common = {"kind": kind, "state": WAITING if waiting else DONE, "token_id": push.token.id}
    await FORGET.run(push.conn)
    await NOTE.each(push.conn, [{"id": new_id(), "principal_id": of, **common} for of in ids])


async def waiting_among(push: Push, ids: Sequence[UUID]) -> set[UUID]:
    """Those whose removal waits already."""
    found: list[Of] = await WAIT.all(push.conn, ids=list(ids))
    return {one.id for one in found}


async def withdraw(push: Push, of: UUID) -> None:
    """The directory wants him here after all."""
    await WITHDRAW.run(push.conn, of=of)
