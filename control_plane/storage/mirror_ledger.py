"""The mirror's own rows: who has which turn, under which fence, and how far he is."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Select,
    Text,
    cast,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from control_plane import placement
from control_plane.storage.keys_models import StoreKey
from control_plane.storage.mirror_errors import Halted, Lost
from control_plane.storage.mirror_models import Mirror, MirrorGone, MirrorRun
from kit.db import transaction

OPEN_RUNS = ("pending", "running")


@dataclass(frozen=True)
class MirrorPace:
    """How patient the mirrors are. A `slice` is how long one organisation is worked on before others have a turn."""

    slice: timedelta = timedelta(seconds=20)
    lease: timedelta = timedelta(seconds=30)
    note_every: timedelta = timedelta(seconds=2)
    every: timedelta = timedelta(minutes=5)
    first_retry: timedelta = timedelta(seconds=15)
    last_retry: timedelta = timedelta(minutes=10)
    attempts: int = 25

    def retry_in(self, attempt: int) -> timedelta:
        """How long to wait after the n-th failure: doubling."""
        return min(self.first_retry * float(2 ** min(attempt, 20)), self.last_retry)


def begin(session: Session) -> bool:
    """Every organisation whose store is mirrored and that has a bucket there has a row. Whether any store is."""
    mirrored = [cell for cell in placement.cells(session) if cell.store.get("mirror")]
    for cell in mirrored:
        residents = placement.residents(cell.name).subquery()
        (resident,) = residents.c
        has_keys = exists().where(
            StoreKey.organisation_id == resident, StoreKey.state != "gone", StoreKey.stored_at.is_not(None)
        )
        new = select(resident).where(has_keys, ~exists().where(Mirror.organisation_id == resident))
        session.execute(insert(Mirror).from_select(["organisation_id"], new).on_conflict_do_nothing())
    return bool(mirrored)


def _free() -> tuple[ColumnElement[bool], ...]:
    return Mirror.due_at <= func.now(), or_(Mirror.lease_until.is_(None), Mirror.lease_until <= func.now())


def due(session: Session, limit: int) -> list[UUID]:
    """Whose turn it is: those that were never looked at, then those that have waited longest."""
    query = select(Mirror.organisation_id).where(*_free())
    return list(session.scalars(query.order_by(Mirror.turn_at.nulls_first(), Mirror.organisation_id).limit(limit)))


def claim(session: Session, organisation_id: UUID, lease: timedelta) -> Mirror | None:
    """Take the row's lease and a new fence; None where it is not due or somebody has it."""
    free = select(Mirror.organisation_id).where(Mirror.organisation_id == organisation_id, *_free())
    taken = (
        update(Mirror)
        .where(Mirror.organisation_id == free.with_for_update(skip_locked=True).scalar_subquery())
        .values(fence=Mirror.fence + 1, lease_until=func.now() + lease)
        .returning(Mirror)
    )
    return session.scalar(taken.execution_options(synchronize_session=False, populate_existing=True))


def write(session: Session, row: Mirror, **values: Any) -> None:
    """Write under the fence; `Lost` where another worker has the row, or it is gone."""
    written = update(Mirror).where(Mirror.organisation_id == row.organisation_id, Mirror.fence == row.fence)
    found = session.execute(written.values(**values).execution_options(synchronize_session=False))
    assert isinstance(found, CursorResult)
    if found.rowcount == 0:
        raise Lost


def open_run(session: Session, organisation_id: UUID) -> MirrorRun | None:
    """What somebody asked for and is not done."""
    query = select(MirrorRun).where(MirrorRun.organisation_id == organisation_id, MirrorRun.state.in_(OPEN_RUNS))
    return session.scalar(query.execution_options(populate_existing=True))


def gone(session: Session, organisation_id: UUID, after: str, last: str | None) -> dict[str, datetime]:
    """When each object between these keys was first seen to be gone from the store."""
    return {str(row[0]): row[1] for row in session.execute(_gone(MirrorGone.seen_at, organisation_id, after, last))}


def past(
    session: Session, organisation_id: UUID, after: str, last: str | None, retention: timedelta
) -> dict[str, bool]:
    """The same objects, and whether each has been gone for so long."""
    over = MirrorGone.seen_at <= func.now() - retention
    return {str(row[0]): row[1] for row in session.execute(_gone(over, organisation_id, after, last))}


def _gone(what: Any, organisation_id: UUID, after: str, last: str | None) -> Select[Any]:
    query = select(MirrorGone.object_id, what).where(MirrorGone.organisation_id == organisation_id)
    # Stores order keys by their bytes, and a stranger's key may be no id.
    key = cast(MirrorGone.object_id, Text).collate("C")
    query = query.where(key > after)
    if last is not None:
        query = query.where(key <= last)
    return query


def forget(session: Session, organisation_id: UUID) -> None:
    """Nothing is known of the organisation's mirror any more; who works on it finds that his lease is lost."""
    for table in (MirrorRun, MirrorGone, Mirror):
        session.execute(delete(table).where(table.organisation_id == organisation_id))


@dataclass
class Lease:
    """One worker's hold on one organisation's row, on one connection. `stop` is set when the process should end."""

    connection: Connection
    row: Mirror
    pace: MirrorPace
    stop: threading.Event
    _noted_at: float = field(default_factory=time.monotonic)

    @property
    def organisation_id(self) -> UUID:
        """Whose mirror it is."""
        return self.row.organisation_id

    @property
    def began_at(self) -> datetime:
        """When it was taken, by the database's clock."""
        assert self.row.lease_until is not None
        return self.row.lease_until - self.pace.lease

    def tick(self, note: Callable[[Session], None]) -> None:
        """Now and then prolong the lease and note how far the work is. Raises `Halted` when it should end."""
        if self.stop.is_set():
            raise Halted
        if time.monotonic() - self._noted_at >= self.pace.note_every.total_seconds():
            self.note(note)

    def note(self, note: Callable[[Session], None]) -> None:
        """Prolong the lease and write, in one transaction. Raises `Lost` where another worker has it."""
        with transaction(self.connection) as session:
            write(session, self.row, lease_until=func.now() + self.pace.lease)
            note(session)
        self._noted_at = time.monotonic()
