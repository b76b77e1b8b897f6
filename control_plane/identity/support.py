"""Support access: staff ask with a reason, an administrator of the organisation accepts, and either side ends it.

Nothing opens before the consent. Living consents travel in the tenant record; the workspace asks them at each request.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from control_plane import provisioning
from control_plane.audit import SYSTEM, Actor
from control_plane.identity import changing, support_mails
from control_plane.identity.models import Staff
from control_plane.identity.organisation_models import SupportAccess
from control_plane.identity.roles import Permission, allows
from control_plane.identity.staff import find_staff
from kit.errors import Refusal, not_found
from kit.ids import new_id

LEAST_HOURS, MOST_HOURS = 3, 168
LONGEST_REASON = 500
# Nobody consents by mistake to what was asked long ago.
WAITS = timedelta(days=7)


@dataclass(frozen=True)
class SupportView:
    """One request, and what became of it."""

    id: UUID
    organisation_id: UUID
    staff_id: UUID
    staff_name: str
    reason: str
    read_only: bool
    hours: int
    asked_at: datetime
    accepted_at: datetime | None
    administrator_name: str | None
    until: datetime | None
    ended_at: datetime | None
    ended_by: str | None

    @property
    def waits(self) -> bool:
        """Nobody has answered yet, and somebody still may."""
        answered = self.accepted_at is not None or self.ended_at is not None
        return not answered and self.asked_at > datetime.now(UTC) - WAITS

    @property
    def state(self) -> str:
        """Its standing in one word."""
        if self.open or self.waits:
            return "open" if self.open else "waiting"
        if self.accepted_at is not None:
            return "ended"
        return "refused" if self.ended_at is not None and self.ended_by != SYSTEM.name else "unanswered"

    @property
    def open(self) -> bool:
        """The workspace lets this person in now."""
        return self.until is not None and self.ended_at is None and self.until > datetime.now(UTC)


def _view(row: SupportAccess) -> SupportView:
    return SupportView(**{name: getattr(row, name) for name in SupportView.__dataclass_fields__})


def support_accesses(session: Session, organisation_id: UUID) -> list[SupportView]:
    """What was asked of this organisation, the latest first."""
    query = select(SupportAccess).where(SupportAccess.organisation_id == organisation_id)
    ordered = query.order_by(SupportAccess.id.desc()).limit(100).execution_options(populate_existing=True)
    return [_view(row) for row in session.scalars(ordered)]


def support_access(session: Session, organisation_id: UUID, access_id: UUID) -> SupportView:
    """One of them."""
    row = session.get(SupportAccess, access_id, populate_existing=True)
    if row is None or row.organisation_id != organisation_id:
        raise not_found("support access")
    return _view(row)


def supporter(session: Session, email: str) -> Staff:
    """Somebody of the staff who may come in where he is let in."""
    found = find_staff(session, email)
    if found is None or found.disabled_at is not None or not allows(found.role, Permission.SUPPORT):
        message = "Nobody of the staff who may be let in has the address {email}."
        raise Refusal("staff_unknown", message, field="staff", email=email)
    return found


def ask_support(
    session: Session, organisation_id: UUID, staff: Staff, *, reason: str, read_only: bool, hours: int, actor: Actor
) -> SupportView:
    """Ask to come in. It opens nothing yet; the organisation's administrators get a mail."""
    reason = " ".join(reason.split())
    _check(reason, hours)
    told = support_mails.readers(session, organisation_id)
    changing.begin(session, organisation_id)
    _require_none_waits(session, organisation_id, staff)
    row = SupportAccess(
        id=new_id(),
        organisation_id=organisation_id,
        staff_id=staff.id,
        staff_name=staff.name[:200],
        reason=reason,
        read_only=read_only,
        hours=hours,
        asked_at=datetime.now(UTC),
    )
    session.add(row)
    session.flush()
    support_mails.tell(session, "support_asked", row, told)
    _note(session, "support.asked", row, actor, reason=reason, hours=hours)
    return _view(row)


def _check(reason: str, hours: int) -> None:
    if not reason or len(reason) > LONGEST_REASON:
        message = "Say in at most {most} characters why: an administrator of the organisation decides by it."
        raise Refusal("reason_missing", message, field="reason", most=LONGEST_REASON)
    if not LEAST_HOURS <= hours <= MOST_HOURS:
        message = "Choose something from {least} to {most}."
        raise Refusal("out_of_bounds", message, field="hours", least=LEAST_HOURS, most=MOST_HOURS)


def _require_none_waits(session: Session, organisation_id: UUID, staff: Staff) -> None:
    """One request at a time: administrators are not to be worn down by mails."""
    mine = (one for one in support_accesses(session, organisation_id) if one.staff_id == staff.id)
    if any(one.waits for one in mine):
        message = "A request of yours waits there already. End it first, or wait for the answer."
        raise Refusal("support_waits", message, field="reason", status=409)


def accept_support(
    session: Session, organisation_id: UUID, access_id: UUID, administrator_id: UUID, *, actor: Actor
) -> SupportView:
    """An administrator lets them in, from now on. Doing it twice changes nothing."""
    changing.begin(session, organisation_id)
    row = _one(session, organisation_id, access_id)
    if row.ended_at is not None or not (_view(row).waits or row.accepted_at):
        raise Refusal("support_ended", "This request has ended: it cannot be accepted any more.", status=409)
    if row.accepted_at is None:
        now = datetime.now(UTC)
        row.accepted_at, row.until = now, now + timedelta(hours=row.hours)
        row.administrator_id, row.administrator_name = administrator_id, actor.name[:200]
        changing.publish(session, organisation_id)
        _note(session, "support.accepted", row, actor, until=row.until)
    return _view(row)


def end_support(session: Session, organisation_id: UUID, access_id: UUID, *, actor: Actor) -> SupportView:
    """It opens nothing any more, by either side: refused, taken back, or given up. Twice changes nothing.

    Where no administrator ended what one had accepted, they get a mail.
    """
    told = [] if actor.kind == "member" else support_mails.readers(session, organisation_id)
    provisioning.lock(session, organisation_id)
    row = _one(session, organisation_id, access_id)
    if row.ended_at is None:
        row.ended_at, row.ended_by = datetime.now(UTC), actor.name[:200]
        if row.accepted_at is not None:
            changing.publish(session, organisation_id)
            support_mails.tell(session, "support_ended", row, told)
        _note(session, "support.ended" if row.accepted_at else "support.refused", row, actor)
    return _view(row)


def enter_support(
    session: Session, organisation_id: UUID, access_id: UUID, staff: Staff, *, actor: Actor
) -> SupportView:
    """Whoever asked is about to go in; refused without a living consent. The ticket is the caller's."""
    row = _one(session, organisation_id, access_id)
    view = _view(row)
    if row.staff_id != staff.id or not allows(staff.role, Permission.SUPPORT):
        raise Refusal(
            "support_not_yours", "Only who asked for this access enters by it. Ask for one of your own.", status=403
        )
    if not view.open:
        message = "Nothing opens: the organisation has not accepted, has taken it back, or the time has passed."
        raise Refusal("support_closed", message, status=409)
    _note(session, "support.entered", row, actor)
    return view


def _one(session: Session, organisation_id: UUID, access_id: UUID) -> SupportAccess:
    row = session.get(SupportAccess, access_id, with_for_update=True, populate_existing=True)
    if row is None or row.organisation_id != organisation_id:
        raise not_found("support access")
    return row


def _note(session: Session, verb: str, row: SupportAccess, actor: Actor, **more: object) -> None:
    """Both identities stand in each entry: the staff's, and the administrator's once he has agreed."""
    facts = {
        "support_id": row.id,
        "staff": row.staff_name,
        "administrator": row.administrator_name,
        "read_only": row.read_only,
        **more,
    }
    changing.note(session, verb, row.organisation_id, actor, **facts)
