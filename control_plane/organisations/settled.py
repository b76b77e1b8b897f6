"""What the loop has made true becomes the organisation's state, in one transaction with its event and its mail."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from control_plane import audit
from control_plane.audit import SYSTEM
from control_plane.organisations import addresses
from control_plane.organisations.models import Organisation
from control_plane.organisations.service import search_text, touch
from control_plane.provisioning import Outcome, enqueue_mail, forget_mails


def settled(session: Session, outcome: Outcome) -> None:
    """Called by the loop; see `Outcome` for what can have happened."""
    row = session.get(Organisation, outcome.organisation_id, with_for_update=True, populate_existing=True)
    if row is None:
        return
    handlers = {
        "started": _started,
        "settled": _became_true,
        "failed": _could_not,
        "rolled_back": _rolled_back,
        "cancelled": _cancelled,
        "mended": _mended,
    }
    handlers[outcome.result](session, row, outcome)
    session.flush()


def _enter(session: Session, row: Organisation, state: str, outcome: Outcome, **data: object) -> None:
    if row.state == state:
        return
    before, row.state = row.state, state
    touch(row)
    session.flush()
    facts = {"before": before, "after": state, "operation": outcome.operation_id, **data}
    audit.record(session, f"organisation.{state}", actor=SYSTEM, organisation_id=row.id, data=facts)


def _started(session: Session, row: Organisation, outcome: Outcome) -> None:
    if row.state in {"ordered", "failed"}:
        row.failure = None
        _enter(session, row, "provisioning", outcome)


def _became_true(session: Session, row: Organisation, outcome: Outcome) -> None:
    if outcome.desired == "absent":
        _erased(session, row, outcome)
        return
    assert outcome.shows is not None
    first = row.live_at is None
    if first:
        row.live_at = datetime.now(UTC)
    _enter(session, row, outcome.shows, outcome)
    if first:
        payload = {
            "to": row.admin_email,
            "name": row.admin_name,
            "locale": row.locale,
            "organisation": row.name,
            "address": row.address,
        }
        enqueue_mail(session, f"ready:{row.id}", row.id, "ready", payload)


def _erased(session: Session, row: Organisation, outcome: Outcome) -> None:
    if row.state not in {"closing", "failed", "ordered", "provisioning"}:
        _enter(session, row, "closing", outcome)
    _enter(session, row, "erased", outcome)
    row.erased_at = datetime.now(UTC)
    addresses.free_address(session, row.id, used=row.live_at is not None)
    forget_mails(session, row.id)
    # The hash of the mailbox stays, so that a trial is given once; who it was does not.
    row.admin_email, row.admin_name = "", ""
    row.search_text = search_text(row)


def _could_not(session: Session, row: Organisation, outcome: Outcome) -> None:
    facts = {"operation": outcome.operation_id, "kind": outcome.kind, "code": outcome.error_code}
    audit.record(session, "operation.failed", actor=SYSTEM, organisation_id=row.id, data=facts)


def _rolled_back(session: Session, row: Organisation, outcome: Outcome) -> None:
    row.failure = outcome.error
    _enter(session, row, "failed", outcome, code=outcome.error_code, reason=outcome.error)


def _cancelled(session: Session, row: Organisation, outcome: Outcome) -> None:
    _erased(session, row, outcome)


def _mended(session: Session, row: Organisation, outcome: Outcome) -> None:
    facts = {"operation": outcome.operation_id, "steps": list(outcome.steps)}
    audit.record(session, "organisation.mended", actor=SYSTEM, organisation_id=row.id, data=facts)
