"""Saying what is wanted, and reading how far it has come. The loop does the rest."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from control_plane import audit, placement
from control_plane.audit import Actor
from control_plane.catalogue import Requirements
from control_plane.provisioning.models import Operation, Provisioning, Step
from control_plane.provisioning.order import Desired, Kind, Order, as_json, from_json
from control_plane.provisioning.registry import step_names
from kit.celery import ring
from kit.db import after_commit
from kit.errors import Refusal, not_found
from kit.ids import new_id
from kit.pages import Page, decode_cursor, encode_cursor, page_size

UNFINISHED = ("pending", "running")
CANCELLED, ROLLED_BACK = "cancelled", "rolled_back"


def want(  # noqa: PLR0917 - a wish has these parts
    session: Session, organisation_id: UUID, desired: Desired, order: Order, kind: Kind, actor: Actor
) -> Operation:
    """Write down what the organisation should be, as a new generation; the loop is rung once this has committed.

    An unfinished operation of the organisation is superseded: the loop goes for the newest wish only.
    """
    operation_id = new_id()
    wish = {
        "desired": desired,
        "order": as_json(order),
        "operation_id": operation_id,
        "wake_at": func.now(),
        "attempts": 0,
    }
    row = upsert(Provisioning).values(organisation_id=organisation_id, generation=1, **wish)
    newer = {**wish, "generation": Provisioning.generation + 1}
    written = row.on_conflict_do_update(index_elements=["organisation_id"], set_=newer)
    generation: int = session.execute(written.returning(Provisioning.generation)).scalar_one()
    if generation > 1:
        _supersede(session, organisation_id)
    operation = Operation(
        id=operation_id,
        organisation_id=organisation_id,
        kind=kind,
        generation=generation,
        state="pending",
        requested_by=audit_plain(actor),
        created_at=datetime.now(UTC),
        retryable=True,
    )
    session.add(operation)
    session.flush()
    add_steps(session, operation_id, step_names(desired, first=kind == "create"))
    after_commit(session, lambda: ring(organisation_id))
    return operation


def audit_plain(actor: Actor) -> dict[str, Any]:
    """The actor as an operation keeps it."""
    kept: dict[str, Any] = msgspec.to_builtins(actor.as_json())
    return kept


def _supersede(session: Session, organisation_id: UUID) -> None:
    session.execute(
        update(Operation)
        .where(Operation.organisation_id == organisation_id, Operation.state.in_(UNFINISHED))
        .values(state="superseded", finished_at=func.now())
    )


def add_steps(session: Session, operation_id: UUID, names: list[str], first_ordinal: int = 1) -> None:
    """Lines of the ledger, waiting; a line that exists is kept."""
    lines = [
        {
            "operation_id": operation_id,
            "name": name,
            "ordinal": ordinal,
            "state": "waiting",
            "attempts": 0,
            "changed": False,
        }
        for ordinal, name in enumerate(names, first_ordinal)
    ]
    if lines:
        session.execute(upsert(Step).values(lines).on_conflict_do_nothing())


def operation(session: Session, operation_id: UUID) -> Operation:
    """One operation, as it stands; a foreign or unknown id is refused as not found."""
    found = session.get(Operation, operation_id, populate_existing=True)
    if found is None:
        raise not_found("operation")
    return found


def operations(
    session: Session,
    organisation_id: UUID | None = None,
    state: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Operation]:
    """Operations, newest first."""
    query = select(Operation).order_by(Operation.id.desc()).limit(page_size(limit) + 1)
    if organisation_id is not None:
        query = query.where(Operation.organisation_id == organisation_id)
    if state is not None:
        query = query.where(Operation.state == state)
    if cursor is not None:
        query = query.where(Operation.id < decode_cursor(cursor, UUID)[0])
    found = list(session.scalars(query.execution_options(populate_existing=True)))
    items = found[:limit]
    return Page(items, encode_cursor(items[-1].id) if len(found) > limit else None)


def steps(session: Session, operation_id: UUID) -> list[Step]:
    """The ledger of an operation, in the order of its steps."""
    query = select(Step).where(Step.operation_id == operation_id).order_by(Step.ordinal)
    return list(session.scalars(query.execution_options(populate_existing=True)))


@dataclass(frozen=True)
class Progress:
    """How many steps are done, of how many."""

    done: int
    total: int

    @property
    def percent(self) -> int:
        """0 to 100; 100 only when all is done."""
        return 100 * self.done // self.total if self.total else 100


def progress(session: Session, operation: Operation) -> Progress:
    """How far an operation has come."""
    lines = steps(session, operation.id)
    if operation.state == "succeeded":
        return Progress(len(lines), len(lines))
    return Progress(sum(line.state == "done" for line in lines), len(lines))


def current_operation(session: Session, organisation_id: UUID) -> Operation | None:
    """The newest operation that somebody asked for."""
    query = (
        select(Operation)
        .join(Provisioning, Provisioning.operation_id == Operation.id)
        .where(Provisioning.organisation_id == organisation_id)
    )
    return session.scalar(query.execution_options(populate_existing=True))


def lock(session: Session, organisation_id: UUID) -> None:
    """Take the loop's row before any row of one's own: the loop takes them in this order too, so none deadlocks."""
    session.execute(select(Provisioning.fence).where(Provisioning.organisation_id == organisation_id).with_for_update())


def locked(session: Session, organisation_id: UUID) -> Provisioning:
    """The loop's row of an organisation, locked; refused as not found if there is none."""
    query = select(Provisioning).where(Provisioning.organisation_id == organisation_id).with_for_update()
    found = session.scalar(query.execution_options(populate_existing=True))
    if found is None:
        raise not_found("organisation")
    return found


def retry(session: Session, organisation_id: UUID, actor: Actor) -> Operation:
    """Try now instead of later; a creation that failed for good begins anew as a new operation."""
    row = locked(session, organisation_id)
    last = operation(session, row.operation_id) if row.operation_id else None
    if last is None or last.state in {"succeeded", "cancelled"}:
        raise Refusal("nothing_to_retry", "There is nothing to try again.", status=409)
    audit.record(
        session,
        "operation.retried",
        actor=actor,
        organisation_id=organisation_id,
        data={"operation": last.id, "kind": last.kind},
    )
    if last.state == "failed":
        return _again(session, row, last, actor)
    session.execute(
        update(Provisioning)
        .where(Provisioning.organisation_id == organisation_id)
        .values(wake_at=func.now(), attempts=0)
    )
    after_commit(session, lambda: ring(organisation_id))
    return last


def _again(session: Session, row: Provisioning, last: Operation, actor: Actor) -> Operation:
    order = from_json(row.order)
    desired: Desired = "live" if last.kind == "create" else row.desired  # type: ignore[assignment]
    if desired != "absent":
        requirements = msgspec.convert(order.requirements, Requirements)
        placement.place(session, row.organisation_id, requirements, order.cell, own_keys=order.own_keys)
    kind: Kind = last.kind  # type: ignore[assignment]
    return want(session, row.organisation_id, desired, order, kind, actor)


def cancel(session: Session, operation_id: UUID, actor: Actor) -> Operation:
    """Stop a creation before its route is published, and undo it. Later it must be closed like any other."""
    return _undo(session, operation_id, actor, CANCELLED, "Cancelled by {actor}.")


def roll_back(session: Session, operation_id: UUID, actor: Actor) -> Operation:
    """Give up a creation that cannot finish, and undo it; it can be tried again later."""
    return _undo(session, operation_id, actor, ROLLED_BACK, "Rolled back by {actor}.")


def _undo(session: Session, operation_id: UUID, actor: Actor, code: str, words: str) -> Operation:
    found = operation(session, operation_id)
    row = locked(session, found.organisation_id)
    found = operation(session, operation_id)
    if found.kind != "create":
        message = "Only a creation can be undone; ask for the opposite instead."
        raise Refusal("not_undoable", message, status=409)
    if not can_undo(session, row, found):
        raise Refusal("too_late", "This is past the point where it can be stopped.", status=409)
    session.execute(
        update(Provisioning)
        .where(Provisioning.organisation_id == row.organisation_id)
        .values(desired="absent", generation=Provisioning.generation + 1, wake_at=func.now(), attempts=0)
    )
    found.error_code, found.error = code, words.format(actor=actor.name)
    found.generation = row.generation + 1
    found.retryable = code == ROLLED_BACK
    begin_undo(session, found.id)
    session.flush()
    audit.record(
        session,
        f"operation.{code}",
        actor=actor,
        organisation_id=row.organisation_id,
        data={"operation": found.id},
    )
    after_commit(session, lambda: ring(row.organisation_id))
    return found


def can_undo(session: Session, row: Provisioning, found: Operation) -> bool:
    """Whether a creation is unfinished, not yet being undone, and its last step (the route) has not begun."""
    if row.operation_id != found.id or found.state not in UNFINISHED or found.error_code is not None:
        return False
    lines = steps(session, found.id)
    return bool(lines) and lines[-1].state in {"waiting", "retrying"}


def begin_undo(session: Session, operation_id: UUID) -> None:
    """Add the removing steps to a creation's ledger."""
    lines = steps(session, operation_id)
    add_steps(session, operation_id, step_names("absent", first=False), len(lines) + 1)
    session.execute(
        update(Step)
        .where(Step.operation_id == operation_id, Step.state.in_(("waiting", "running", "retrying")))
        .where(Step.ordinal <= len(lines))
        .values(state="failed", next_try_at=None)
    )


def republish(session: Session, organisation_id: UUID) -> None:
    """What a room above keeps of it has changed: its record is published anew, as a newer generation.

    It is no operation that somebody waits for. One that is under way begins anew, since it may be past its route.
    """
    row = locked(session, organisation_id)
    if row.desired == "absent":
        return
    last = operation(session, row.operation_id) if row.operation_id else None
    if last is not None and last.state in UNFINISHED:
        desired: Desired = row.desired  # type: ignore[assignment]
        kind: Kind = last.kind  # type: ignore[assignment]
        want(session, organisation_id, desired, from_json(row.order), kind, Actor(**last.requested_by))
        return
    newer = update(Provisioning).where(Provisioning.organisation_id == organisation_id)
    session.execute(newer.values(generation=Provisioning.generation + 1, wake_at=func.now(), attempts=0))
    after_commit(session, lambda: ring(organisation_id))


def recheck(session: Session, organisation_id: UUID) -> None:
    """Look for drift now instead of at the next scheduled check."""
    locked(session, organisation_id)
    session.execute(
        update(Provisioning).where(Provisioning.organisation_id == organisation_id).values(wake_at=func.now())
    )
    after_commit(session, lambda: ring(organisation_id))
