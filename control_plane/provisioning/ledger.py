"""The loop's own writes, each under its fence: a worker that lost its lease finds that it may write no more."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, case, func, select, text, update
from sqlalchemy.orm import Session

from control_plane.provisioning.models import Operation, Provisioning, Step
from control_plane.provisioning.pace import Trouble

FINISHED = ("done", "failed")
UNFINISHED = ("pending", "running")


@dataclass(frozen=True)
class Wish:
    """A provisioning row as a worker claimed it."""

    organisation_id: UUID
    desired: str
    order: dict[str, Any]
    generation: int
    settled_generation: int
    operation_id: UUID | None
    fence: int
    attempts: int

    @property
    def settled(self) -> bool:
        """Nothing new is wanted: this is a look for drift."""
        return self.settled_generation == self.generation


COLUMNS = (
    Provisioning.organisation_id,
    Provisioning.desired,
    Provisioning.order,
    Provisioning.generation,
    Provisioning.settled_generation,
    Provisioning.operation_id,
    Provisioning.fence,
    Provisioning.attempts,
)


def _wish(row: Row[Any] | None) -> Wish | None:
    return None if row is None else Wish(**row._asdict())


def _due() -> tuple[ColumnElement[bool], ...]:
    return (
        Provisioning.wake_at <= func.now(),
        (Provisioning.lease_until.is_(None)) | (Provisioning.lease_until <= func.now()),
    )


def claim(session: Session, organisation_id: UUID, lease: timedelta) -> Wish | None:
    """Take the row's lease and a new fence, if it is due and nobody works on it."""
    free = (
        select(Provisioning.organisation_id)
        .where(Provisioning.organisation_id == organisation_id, *_due())
        .with_for_update(skip_locked=True)
    )
    taken = (
        update(Provisioning)
        .where(Provisioning.organisation_id == free.scalar_subquery())
        .values(
            fence=Provisioning.fence + 1,
            # A lease that nobody gave back: its worker died or froze here, which counts as an attempt.
            attempts=Provisioning.attempts + case((Provisioning.lease_until.is_not(None), 1), else_=0),
            lease_until=func.now() + lease,
        )
        .returning(*COLUMNS)
    )
    return _wish(session.execute(taken).first())


def due(session: Session, limit: int) -> list[UUID]:
    """Rows that nobody works on and whose time has come, the longest waiting first."""
    query = select(Provisioning.organisation_id).where(*_due()).order_by(Provisioning.wake_at).limit(limit)
    return list(session.scalars(query))


def seconds_to_next(session: Session) -> float | None:
    """How long until a row is due; None if none waits. Rows under a lease wait for its end."""
    when = func.greatest(Provisioning.wake_at, Provisioning.lease_until)
    query = select(func.extract("epoch", func.min(when) - func.clock_timestamp())).where(
        Provisioning.wake_at.is_not(None)
    )
    found = session.scalar(query)
    return None if found is None else float(found)


def hold_on(session: Session, wish: Wish, lease: timedelta, **values: Any) -> Wish | None:
    """Prolong the lease and read the newest wish; None if the lease is lost."""
    kept = (
        update(Provisioning)
        .where(Provisioning.organisation_id == wish.organisation_id, Provisioning.fence == wish.fence)
        .values(lease_until=func.now() + lease, **values)
        .returning(*COLUMNS)
    )
    return _wish(session.execute(kept).first())


def let_go(session: Session, wish: Wish, wake_in: timedelta | None, **values: Any) -> None:
    """Give the lease back and say when to look again; the caller has just held on to it."""
    wake_at = None if wake_in is None else func.now() + wake_in
    session.execute(
        update(Provisioning)
        .where(Provisioning.organisation_id == wish.organisation_id, Provisioning.fence == wish.fence)
        .values(lease_until=None, wake_at=wake_at, **values)
    )


def remaining(session: Session, operation_id: UUID) -> list[str]:
    """The names of the steps that are still to be done, in order."""
    query = (
        select(Step.name).where(Step.operation_id == operation_id, Step.state.not_in(FINISHED)).order_by(Step.ordinal)
    )
    return list(session.scalars(query))


def open_operation(session: Session, operation_id: UUID | None) -> tuple[str, bool] | None:
    """The kind of an unfinished operation, now running, and whether it begins only now; None if it is finished."""
    query = select(Operation.kind, Operation.state).where(Operation.id == operation_id)
    found = session.execute(query).first()
    if found is None or found.state not in UNFINISHED:
        return None
    begins = found.state == "pending"
    if begins:
        running = update(Operation).where(Operation.id == operation_id)
        session.execute(running.values(state="running", started_at=func.now()))
    return found.kind, begins


def begin_step(session: Session, operation_id: UUID, name: str) -> None:
    """A step runs from now on."""
    _step(session, operation_id, name, state="running", attempts=Step.attempts + 1, started_at=func.now())


PASS_ON = text("""
update step set
  state = case when name = :done then 'done' else 'running' end,
  attempts = attempts + case when name = :done then 0 else 1 end,
  started_at = case when name = :done then started_at else now() end,
  finished_at = case when name = :done then now() end,
  milliseconds = case when name = :done then :milliseconds end,
  changed = changed or (name = :done and :changed),
  error_code = case when name <> :done then error_code end,
  error = case when name <> :done then error end,
  next_try_at = case when name <> :done then next_try_at end
where operation_id = :operation_id and name in (:done, :next)
""")


def finish_step(
    session: Session, operation_id: UUID, name: str, effect: tuple[float, bool], following: str | None = None
) -> None:
    """A step is done, after so many milliseconds and with or without a change; the following one runs."""
    milliseconds, changed = effect
    values = {"operation_id": operation_id, "done": name, "next": following or name}
    session.execute(PASS_ON, {**values, "milliseconds": milliseconds, "changed": changed})


def pause_step(session: Session, operation_id: UUID, name: str, why: Trouble) -> None:
    """A step has done a part; going on is no new attempt."""
    _step(session, operation_id, name, attempts=Step.attempts - 1, error_code=why.code, error=why.words)


def fail_step(session: Session, operation_id: UUID, name: str, why: Trouble, retry_in: timedelta | None) -> None:
    """A step went wrong: it is tried again later, or it has failed for good."""
    _step(
        session,
        operation_id,
        name,
        state="retrying" if retry_in is not None else "failed",
        finished_at=None if retry_in is not None else func.now(),
        error_code=why.code,
        error=why.words,
        next_try_at=None if retry_in is None else func.now() + retry_in,
    )


def _step(session: Session, operation_id: UUID, name: str, **values: Any) -> None:
    session.execute(update(Step).where(Step.operation_id == operation_id, Step.name == name).values(**values))


def finish_operation(session: Session, operation_id: UUID, state: str, **values: Any) -> None:
    """An operation has come to its end."""
    session.execute(
        update(Operation)
        .where(Operation.id == operation_id, Operation.state.in_(("pending", "running")))
        .values(state=state, finished_at=func.now(), **values)
    )
