"""Staff who leave, change their work or lose a device: what they have open ends, in the portal and in workspaces."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from control_plane import audit
from control_plane.audit import Actor
from control_plane.identity.models import Staff, StaffLink, StaffPasskey
from control_plane.identity.organisation_models import SupportAccess
from control_plane.identity.roles import Permission, Role, allows
from control_plane.identity.staff import end_sessions, locked_staff
from control_plane.identity.support import end_support
from control_plane.identity.token_owners import tokens_of
from kit.credentials import check_password, hash_password
from kit.errors import Refusal


def end_all(session: Session, staff_id: UUID, *, actor: Actor) -> None:
    """Every session of the portal, and every access to a workspace."""
    end_sessions(session, staff_id)
    end_supports(session, staff_id, actor=actor)


def end_supports(session: Session, staff_id: UUID, *, actor: Actor) -> None:
    """Every access to a workspace that was asked for or stands; the workspaces know within a second or so."""
    mine = (SupportAccess.staff_id == staff_id) & SupportAccess.ended_at.is_(None)
    found = select(SupportAccess.organisation_id, SupportAccess.id).where(mine)
    # In one order, as each takes its organisation's lock.
    for organisation_id, access_id in session.execute(found.order_by(SupportAccess.organisation_id)).all():
        end_support(session, organisation_id, access_id, actor=actor)


def reset_staff(session: Session, staff_id: UUID, password: str | None, *, actor: Actor) -> Staff:
    """Somebody lost their device: a new password or none, no second factor, nothing open. The next sign-in enrols anew.

    Who they are at the provider's OpenID Connect is forgotten too: the next sign-in there links them anew.
    """
    staff = locked_staff(session, staff_id)
    if password is not None:
        check_password(password, email=staff.email, name=staff.name)
    staff.password = None if password is None else hash_password(password)
    staff.totp_sealed, staff.emergency = None, False
    session.execute(delete(StaffPasskey).where(StaffPasskey.staff_id == staff_id))
    session.execute(delete(StaffLink).where(StaffLink.staff_id == staff_id))
    end_all(session, staff_id, actor=actor)
    audit.record(session, "staff.reset", actor=actor, data={"staff_id": str(staff_id)})
    return staff


def disable_staff(session: Session, staff_id: UUID, *, actor: Actor) -> Staff:
    """Nobody signs in by this account any more; what it has open ends now, and the tokens it answers for stop."""
    staff = locked_staff(session, staff_id)
    staff.disabled_at, staff.emergency = datetime.now(UTC), False
    end_all(session, staff_id, actor=actor)
    stopped = [one.prefix for one in tokens_of(session, staff_id)]
    data = {"staff_id": str(staff_id), **({"tokens_stopped": stopped} if stopped else {})}
    audit.record(session, "staff.disabled", actor=actor, data=data)
    return staff


def change_role(session: Session, staff_id: UUID, role: str, *, actor: Actor) -> Staff:
    """Another role; sessions end, so that no session carries rights of before."""
    if role not in set(Role):
        raise Refusal("role_unknown", "A role is one of {roles}.", field="role", roles=", ".join(Role))
    staff = locked_staff(session, staff_id)
    before, staff.role = staff.role, role
    end_sessions(session, staff_id)
    if not allows(role, Permission.SUPPORT):
        end_supports(session, staff_id, actor=actor)
    audit.record(
        session, "staff.role_changed", actor=actor, data={"staff_id": str(staff_id), "before": before, "after": role}
    )
    return staff
