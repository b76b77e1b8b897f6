"""Suspension and read-only: holds that are placed and lifted, each kind on its own."""

from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from control_plane import audit
from control_plane.audit import Actor
from control_plane.organisations.models import Hold, Organisation
from control_plane.organisations.service import converge, holds, locked
from control_plane.provisioning import Kind, Operation
from kit.errors import Refusal
from kit.ids import new_id

HoldKind = Literal["contract", "billing", "technical"]
KINDS = ("contract", "billing", "technical")
RUNNING = ("live", "read_only", "suspended")


def suspend(
    session: Session,
    organisation_id: UUID,
    *,
    reason: str,
    actor: Actor,
    kind: HoldKind = "technical",
    revision: int | None = None,
) -> Operation:
    """Close the workspace to everybody until this kind of hold is lifted. Nothing is lost."""
    row = _running(session, organisation_id, revision)
    return place_hold(session, row, "suspended", kind, reason, actor)


def read_only(
    session: Session,
    organisation_id: UUID,
    *,
    reason: str,
    actor: Actor,
    kind: HoldKind = "technical",
    revision: int | None = None,
) -> Operation:
    """Let everybody read and nobody write until this kind of hold is lifted."""
    row = _running(session, organisation_id, revision)
    return place_hold(session, row, "read_only", kind, reason, actor)


def _running(session: Session, organisation_id: UUID, revision: int | None) -> Organisation:
    row = locked(session, organisation_id, revision)
    if row.state not in RUNNING or row.closing_at is not None:
        message = "This can only be done while the organisation is live, read-only or suspended."
        raise Refusal("wrong_state", message, status=409, state=row.state)
    return row


def check_reason(reason: str) -> str:
    """A reason of 3 to 500 characters: the next person must understand it."""
    tidy = " ".join(reason.split())
    if not 3 <= len(tidy) <= 500:
        raise Refusal("bad_reason", "Give a reason of 3 to 500 characters.", field="reason")
    return tidy


def _check_kind(kind: str) -> str:
    if kind not in KINDS:
        raise Refusal("bad_kind", "A hold is contract, billing or technical.", field="kind")
    return kind


def place_hold(  # noqa: PLR0917 - all of a hold
    session: Session, row: Organisation, effect: Literal["read_only", "suspended"], kind: str, reason: str, actor: Actor
) -> Operation:
    """Place a hold; one of the same kind that stands already is replaced, unless it says the same effect."""
    tidy, kind = check_reason(reason), _check_kind(kind)
    standing = next((one for one in holds(session, row.id, standing_only=True) if one.kind == kind), None)
    if standing and standing.effect == effect:
        raise Refusal("already_held", "This hold stands already.", status=409, kind=kind, effect=effect)
    if standing:
        _lift(standing, actor)
        session.flush()
    hold = Hold(
        id=new_id(),
        organisation_id=row.id,
        kind=kind,
        effect=effect,
        reason=tidy,
        placed_by=actor.name,
        placed_at=datetime.now(UTC),
    )
    session.add(hold)
    data = {"kind": kind, "effect": effect, "reason": tidy}
    audit.record(session, "organisation.hold_placed", actor=actor, organisation_id=row.id, data=data)
    operation_kind: Kind = "suspend" if effect == "suspended" else "read_only"
    return converge(session, row, operation_kind, actor)


def _lift(hold: Hold, actor: Actor) -> None:
    hold.lifted_by, hold.lifted_at = actor.name, datetime.now(UTC)


def resume(
    session: Session,
    organisation_id: UUID,
    *,
    actor: Actor,
    kind: HoldKind = "technical",
    revision: int | None = None,
) -> Operation:
    """Lift one kind of hold; others keep what they hold. Lifting a contract hold after a trial means: they stay."""
    row = locked(session, organisation_id, revision)
    if row.state not in (*RUNNING, "closing"):
        message = "There is nothing to resume in this state."
        raise Refusal("wrong_state", message, status=409, state=row.state)
    standing = next((one for one in holds(session, row.id, standing_only=True) if one.kind == _check_kind(kind)), None)
    if standing is None:
        raise Refusal("no_such_hold", "No {kind} hold stands.", field="kind", status=409, kind=kind)
    _lift(standing, actor)
    data = {"kind": kind, "effect": standing.effect}
    if kind == "contract" and row.trial_ends_at and row.trial_ends_at <= datetime.now(UTC):
        # Else the next look at ended trials would place the hold again.
        data["trial_ended"] = row.trial_ends_at.isoformat()
        row.trial_ends_at = None
    audit.record(session, "organisation.hold_lifted", actor=actor, organisation_id=row.id, data=data)
    return converge(session, row, "resume", actor)
