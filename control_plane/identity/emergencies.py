"""Ways in beside the provider's own sign-in. Whom it knows comes in by it, or it could never keep anybody out.

It may be away, or answer wrongly to all: for that day some are marked as emergency accounts, which their own passkey or
password lets in whatever it says. Nobody marks himself.
"""

from uuid import UUID

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from control_plane import audit
from control_plane.audit import Actor
from control_plane.identity.models import Staff, StaffLink, StaffPasskey, StaffSession
from control_plane.identity.roles import Role
from control_plane.identity.staff import locked_staff
from kit.errors import Refusal

# So many operators get in while the provider is away, or the portal asks for them.
LEAST_EMERGENCY = 2


def company_only(session: Session, staff: Staff, issuer: str | None) -> Refusal | None:
    """What is said to whoever comes by a way of his own though the provider at `issuer` knows him; None else."""
    known = select(StaffLink.staff_id).where(StaffLink.staff_id == staff.id, StaffLink.issuer == issuer)
    if issuer is None or staff.emergency or session.scalar(known) is None:
        return None
    return Refusal(
        "company_only",
        "You come in by the company's sign-in. While it is away, only emergency accounts get in without it: ask an"
        " operator.",
        field="company",
    )


def set_emergency(session: Session, staff_id: UUID, *, wanted: bool, actor: Actor) -> Staff:
    """Mark an emergency account, or take the mark away: then what it has open without the provider's word ends."""
    staff = locked_staff(session, staff_id)
    if wanted and staff.disabled_at is not None:
        raise Refusal("staff_is_disabled", "This account is disabled.", status=409)
    if staff.emergency != wanted:
        staff.emergency = wanted
        if not wanted:
            session.execute(
                delete(StaffSession).where(StaffSession.staff_id == staff_id, StaffSession.ask_at.is_(None))
            )
        verb = "staff.emergency_given" if wanted else "staff.emergency_taken"
        audit.record(session, verb, actor=actor, data={"staff_id": str(staff_id)})
    return staff


def ready_without(session: Session, issuer: str) -> list[Staff]:
    """The operators whom a passkey would let in while the provider at `issuer` is away."""
    linked = select(StaffLink.staff_id).where(StaffLink.issuer == issuer)
    query = select(Staff).where(
        Staff.role == Role.OPERATOR,
        Staff.disabled_at.is_(None),
        or_(Staff.emergency, Staff.id.not_in(linked)),
        Staff.id.in_(select(StaffPasskey.staff_id)),
    )
    return list(session.scalars(query))
