"""Trials: one for each mailbox and SIRET, reminders before their end, read-only or another offer after it."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from control_plane import audit, catalogue
from control_plane.audit import SYSTEM, Actor
from control_plane.organisations import dates
from control_plane.organisations.holds import RUNNING, check_reason, place_hold, resume
from control_plane.organisations.lifecycle import change_offer
from control_plane.organisations.models import Hold, Organisation
from control_plane.organisations.service import converge, holds, locked
from control_plane.provisioning import Operation, enqueue_mail
from kit.errors import Refusal

REMINDERS = (30, 14, 7, 1)
LONGEST_TRIAL = timedelta(days=2 * 366)
ENDED = "The trial has ended."


def extend_trial(
    session: Session,
    organisation_id: UUID,
    *,
    until: date | datetime,
    reason: str,
    actor: Actor,
    revision: int | None = None,
) -> Operation:
    """Let a trial end later, at the end of a day in Paris; one that had ended loses its hold. Reminders move."""
    row = locked(session, organisation_id, revision)
    if row.state not in RUNNING or row.closing_at is not None:
        message = "This can only be done while the organisation is live, read-only or suspended."
        raise Refusal("wrong_state", message, status=409, state=row.state)
    end = _end(until)
    now = datetime.now(UTC)
    if row.trial_ends_at is None:
        raise Refusal("no_trial", "It has no trial that could be extended.", status=409)
    if not now < end <= now + LONGEST_TRIAL or end <= row.trial_ends_at:
        message = "The new end must lie after the present one, and within two years."
        raise Refusal("bad_date", message, field="until")
    data = {"before": row.trial_ends_at.isoformat(), "after": end.isoformat(), "reason": check_reason(reason)}
    row.trial_ends_at = end
    audit.record(session, "organisation.trial_extended", actor=actor, organisation_id=row.id, data=data)
    if any(hold.kind == "contract" and hold.reason == ENDED for hold in holds(session, row.id, standing_only=True)):
        session.flush()
        return resume(session, row.id, actor=actor, kind="contract")
    return converge(session, row, "change", actor)


def _end(until: date | datetime) -> datetime:
    return dates.end_of_day(until.astimezone(dates.PARIS).date() if isinstance(until, datetime) else until)


def end_trials(session: Session, limit: int = 100) -> int:
    """Bring what follows to trials that are over: read-only by a contract hold, or another offer. Says how many."""
    standing = select(Hold.organisation_id).where(Hold.kind == "contract", Hold.lifted_at.is_(None))
    query = (
        select(Organisation.id)
        .where(
            Organisation.trial_ends_at <= datetime.now(UTC),
            Organisation.state.in_(RUNNING),
            Organisation.closing_at.is_(None),
            Organisation.id.not_in(standing),
        )
        .order_by(Organisation.trial_ends_at)
        .limit(limit)
    )
    return sum(_end_trial(session, organisation_id) for organisation_id in list(session.scalars(query)))


def _end_trial(session: Session, organisation_id: UUID) -> bool:
    row = locked(session, organisation_id)
    held = any(hold.kind == "contract" for hold in holds(session, row.id, standing_only=True))
    if held or row.trial_ends_at is None or row.trial_ends_at > datetime.now(UTC) or row.closing_at is not None:
        # Another sweep was quicker, or a person.
        return False
    terms = catalogue.version(session, row.offer_code, row.offer_version).terms
    if terms.follows not in {"read_only", row.offer_code}:
        row.trial_ends_at = None
        change_offer(session, row.id, offer=terms.follows, actor=SYSTEM)
        return True
    place_hold(session, row, "read_only", "contract", ENDED, SYSTEM)
    assert row.trial_ends_at is not None
    key = f"trial-ended:{row.id}:{row.trial_ends_at.date()}"
    enqueue_mail(session, key, row.id, "trial_ended", _payload(row, 0))
    return True


def remind_trials(session: Session, limit: int = 200) -> int:
    """Write the reminders that are due, each once for each end date; says how many. A late look sends only the next."""
    now = datetime.now(UTC)
    query = (
        select(Organisation)
        .where(
            Organisation.trial_ends_at.between(now, now + timedelta(days=REMINDERS[0])),
            Organisation.state == "live",
            Organisation.closing_at.is_(None),
        )
        .order_by(Organisation.trial_ends_at)
        .execution_options(yield_per=500)
    )
    written = 0
    for row in session.scalars(query):
        days = _reminder_due(row, now)
        if days and _remind(session, row, days):
            written += 1
            if written >= limit:
                break
    return written


def _reminder_due(row: Organisation, now: datetime) -> int | None:
    """The reminder of the window that we are in; none for a trial that had just begun then."""
    assert row.trial_ends_at is not None
    left = row.trial_ends_at - now
    days = min((d for d in REMINDERS if left <= timedelta(days=d)), default=None)
    if days is None or row.live_at is None:
        return None
    too_fresh = row.trial_ends_at - timedelta(days=days) < row.live_at + timedelta(days=3)
    return None if too_fresh and days > 1 else days


def _remind(session: Session, row: Organisation, days: int) -> bool:
    assert row.trial_ends_at is not None
    key = f"trial:{row.id}:{row.trial_ends_at.date()}:{days}"
    return enqueue_mail(session, key, row.id, "trial_ending", _payload(row, days))


def _payload(row: Organisation, days: int) -> dict[str, object]:
    return {
        "to": row.admin_email,
        "name": row.admin_name,
        "locale": row.locale,
        "organisation": row.name,
        "address": row.address,
        "days": days,
        "trial_ends_at": row.trial_ends_at.isoformat() if row.trial_ends_at else None,
    }
