"""How an operation begins, ends, waits, gives up; and how a look for drift ends. All inside the loop's transactions."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import update
from sqlalchemy.orm import Session

from control_plane import placement
from control_plane.audit import SYSTEM
from control_plane.provisioning import ledger
from control_plane.provisioning.ledger import Wish
from control_plane.provisioning.models import Operation, Provisioning
from control_plane.provisioning.order import Desired, Shown
from control_plane.provisioning.outcome import Outcome, Result
from control_plane.provisioning.pace import Trouble, Ways
from control_plane.provisioning.service import CANCELLED, add_steps, begin_undo
from kit.celery import ring
from kit.db import after_commit
from kit.ids import new_id


def begin(session: Session, wish: Wish, kind: str, ways: Ways) -> None:
    """An operation begins to run; the room above hears of a creation."""
    if kind == "create" and wish.desired != "absent":
        ways.on_settled(session, _outcome(wish, "started", kind))


def _outcome(
    wish: Wish, result: Result, kind: str, operation: Operation | None = None, steps: tuple[str, ...] = ()
) -> Outcome:
    assert wish.operation_id is not None
    desired: Desired = wish.desired  # type: ignore[assignment]
    shows: Shown | None = None if desired == "absent" else wish.order["shows"]
    return Outcome(
        organisation_id=wish.organisation_id,
        operation_id=operation.id if operation else wish.operation_id,
        kind=kind,
        desired=desired,
        shows=shows,
        result=result,
        error_code=operation.error_code if operation else None,
        error=operation.error if operation else None,
        steps=steps,
    )


def settle(session: Session, wish: Wish, ways: Ways) -> None:
    """What was wanted is true: say so in the ledger, and to the room above."""
    assert wish.operation_id is not None
    operation = session.get_one(Operation, wish.operation_id, populate_existing=True)
    undone = operation.kind == "create" and wish.desired == "absent"
    result: Result = "settled"
    if undone:
        result = "cancelled" if operation.error_code == CANCELLED else "rolled_back"
    state = {"settled": "succeeded", "cancelled": "cancelled", "rolled_back": "failed"}[result]
    ledger.finish_operation(session, operation.id, state)
    again = ways.pace.recheck_in() if wish.desired == "absent" else ways.pace.check_in()
    now = datetime.now(UTC)
    ledger.let_go(session, wish, again, settled_generation=wish.generation, attempts=0, checked_at=now)
    ways.on_settled(session, _outcome(wish, result, operation.kind, operation))


def checked(session: Session, wish: Wish, changed: tuple[str, ...], ways: Ways) -> None:
    """A look for drift has ended. It leaves a trace only if something had to be mended."""
    if changed:
        operation = _verification(session, wish, "succeeded")
        add_steps(session, operation.id, list(changed))
        for name in changed:
            ledger.finish_step(session, operation.id, name, (0.0, True))
        ways.on_settled(session, _outcome(wish, "mended", "verify", operation, changed))
    if wish.desired != "absent":
        again: timedelta | None = ways.pace.check_in()
    elif changed:
        again = ways.pace.recheck_in()
    else:
        # Nothing came back after every older lease had ended: now the place is free, and the order's names go.
        again = None
        placement.release(session, wish.organisation_id)
        _forget_people(session, wish)
    ledger.let_go(session, wish, again, attempts=0, checked_at=datetime.now(UTC))


def _forget_people(session: Session, wish: Wish) -> None:
    operation = session.get_one(Operation, wish.operation_id)
    if operation.kind == "create" and operation.error_code != CANCELLED:
        # A creation that failed may be tried again, and needs its order.
        return
    owner = {**wish.order["owner"], "email": "", "name": ""}
    session.execute(
        update(Provisioning)
        .where(Provisioning.organisation_id == wish.organisation_id)
        .values(order={**wish.order, "owner": owner})
    )


def _verification(session: Session, wish: Wish, state: str, **values: str) -> Operation:
    now = datetime.now(UTC)
    operation = Operation(
        id=new_id(),
        organisation_id=wish.organisation_id,
        kind="verify",
        generation=wish.generation,
        state=state,
        requested_by=SYSTEM.as_json(),
        created_at=now,
        started_at=now,
        finished_at=now,
        retryable=True,
        **values,
    )
    session.add(operation)
    session.flush()
    return operation


def trouble(session: Session, wish: Wish, name: str, why: Trouble, ways: Ways) -> bool:
    """A step went wrong (`wish.attempts` counts it): wait, or give up. True when the wish was turned round."""
    assert wish.operation_id is not None
    operation = session.get_one(Operation, wish.operation_id, populate_existing=True)
    exhausted = why.final or wish.attempts >= ways.pace.attempts
    if not exhausted or wish.desired == "absent":
        # A removal is never given up: what is left would be nobody's.
        wait = ways.pace.retry_in(wish.attempts)
        ledger.fail_step(session, operation.id, name, why, wait)
        ledger.let_go(session, wish, wait)
        return False
    ledger.fail_step(session, operation.id, name, why, None)
    if operation.kind == "create":
        _turn_round(session, wish, operation, why)
        return True
    _give_up_change(session, wish, operation, why, ways)
    return False


def _turn_round(session: Session, wish: Wish, operation: Operation, why: Trouble) -> None:
    """From now on the wish is that nothing of the creation exists."""
    operation.error_code, operation.error, operation.retryable = why.code, why.words, not why.final
    begin_undo(session, operation.id)
    session.flush()
    session.execute(
        update(Provisioning).where(Provisioning.organisation_id == wish.organisation_id).values(desired="absent")
    )


def _give_up_change(session: Session, wish: Wish, operation: Operation, why: Trouble, ways: Ways) -> None:
    """The organisation stays as it is; a while later it is tried once more, quietly."""
    values = {"error_code": why.code, "error": why.words, "retryable": not why.final}
    ledger.finish_operation(session, operation.id, "failed", **values)
    ledger.let_go(session, wish, ways.pace.quietly_in(), attempts=0)
    session.refresh(operation)
    ways.on_settled(session, _outcome(wish, "failed", operation.kind, operation))


def go_on(session: Session, wish: Wish, name: str | None, why: Trouble) -> None:
    """A step has done a part and goes on at once. Its line in the ledger, if it has one, tells how far it is."""
    if name is not None:
        assert wish.operation_id is not None
        ledger.pause_step(session, wish.operation_id, name, why)
    ledger.let_go(session, wish, timedelta(0))
    after_commit(session, lambda: ring(wish.organisation_id))


def check_troubled(session: Session, wish: Wish, name: str, why: Trouble, ways: Ways) -> None:
    """A look for drift could not finish: try again soon, then leave a trace and wait for the next one."""
    if wish.attempts < ways.pace.attempts:
        ledger.let_go(session, wish, ways.pace.retry_in(wish.attempts))
        return
    operation = _verification(session, wish, "failed", error_code=why.code, error=why.words)
    add_steps(session, operation.id, [name])
    ledger.fail_step(session, operation.id, name, why, None)
    again = ways.pace.recheck_in() if wish.desired == "absent" else ways.pace.check_in()
    ledger.let_go(session, wish, again, attempts=0)
