"""The provider's people: made, changed, disabled. They live apart from every customer's directory."""

import re
import secrets
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from control_plane import audit
from control_plane.audit import Actor
from control_plane.identity.models import Staff, StaffSession
from control_plane.identity.roles import Role
from kit.credentials import check_password, hash_password, needs_rehash
from kit.errors import Refusal, Refusals, not_found
from kit.ids import new_id
from kit.vault import Vault

EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,180}")


def actor_of(staff: Staff, request_id: str | None = None) -> Actor:
    """A member of staff as the cause of an event."""
    return Actor("staff", str(staff.id), staff.name, request_id)


def totp_purpose(staff_id: UUID) -> str:
    """Binds a sealed one-time-code secret to its person."""
    return f"staff-totp:{staff_id}"


def create_staff(  # noqa: PLR0917 - who and what, in the order people say it
    session: Session,
    vault: Vault,
    email: str,
    name: str,
    role: str,
    password: str | None,
    *,
    actor: Actor = audit.SYSTEM,
    locale: str = "fr",
    totp_secret: str | None = None,
) -> Staff:
    """A new member of staff. Without `totp_secret` the first sign-in asks for a second factor before anything else.

    Without a password they come in by the provider's OpenID Connect, or by a passkey that they add then.
    """
    email = email.strip().lower()
    name = name.strip()
    _check(session, email, name, role, password)
    hashed = None if password is None else hash_password(password)
    staff = Staff(id=new_id(), email=email, name=name, role=role, locale=locale, password=hashed)
    if totp_secret:
        staff.totp_sealed = vault.seal(totp_secret, totp_purpose(staff.id))
    session.add(staff)
    session.flush()
    audit.record(session, "staff.created", actor=actor, data={"staff_id": str(staff.id), "email": email, "role": role})
    return staff


def _check(session: Session, email: str, name: str, role: str, password: str | None) -> None:
    wrong: list[Refusal] = []
    if not EMAIL.fullmatch(email) or len(email) > 254:
        wrong.append(Refusal("email_invalid", "This is not an e-mail address.", field="email"))
    elif find_staff(session, email):
        wrong.append(Refusal("email_taken", "Somebody of the staff already has this e-mail.", field="email"))
    if not 1 <= len(name) <= 120:
        wrong.append(Refusal("name_length", "A name has 1 to 120 characters.", field="name"))
    if role not in set(Role):
        roles = ", ".join(Role)
        wrong.append(Refusal("role_unknown", "A role is one of {roles}.", field="role", roles=roles))
    try:
        if password is not None:
            check_password(password, email=email, name=name)
    except Refusal as refusal:
        wrong.append(refusal)
    if wrong:
        raise Refusals(wrong)


def draw_password() -> str:
    """A password that nobody has to think of: 120 random bits, for somebody's next sign-in."""
    while True:
        drawn = "-".join(secrets.token_urlsafe(5) for _ in range(3))
        try:
            check_password(drawn)
        except Refusal:
            continue
        return drawn


def find_staff(session: Session, email: str) -> Staff | None:
    """A member of staff by e-mail, disabled ones included."""
    return session.scalar(select(Staff).where(Staff.email == email.strip().lower()))


def staff_members(session: Session) -> list[Staff]:
    """All of them, by name."""
    return list(session.scalars(select(Staff).order_by(Staff.name, Staff.id)))


def locked_staff(session: Session, staff_id: UUID) -> Staff:
    """A member of staff, held until the transaction's end."""
    found = session.get(Staff, staff_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise not_found("staff")
    return found


def change_password(
    session: Session, staff_id: UUID, password: str, *, actor: Actor, keep: bytes | None = None
) -> None:
    """A new password; every session but `keep` (a token's hash) ends. The caller has checked the old one."""
    staff = locked_staff(session, staff_id)
    check_password(password, email=staff.email, name=staff.name, field="new_password")
    staff.password = hash_password(password)
    end_sessions(session, staff_id, keep=keep)
    audit.record(session, "staff.password_changed", actor=actor, data={"staff_id": str(staff_id)})


def improve_hash(staff: Staff, password: str) -> None:
    """Hash anew when the cost has risen; the caller has just checked `password`."""
    if staff.password and needs_rehash(staff.password):
        staff.password = hash_password(password)


def end_sessions(session: Session, staff_id: UUID, *, keep: bytes | None = None) -> int:
    """End this person's sessions, all or all but one; gives how many."""
    ended = delete(StaffSession).where(StaffSession.staff_id == staff_id)
    if keep is not None:
        ended = ended.where(StaffSession.token_hash != keep)
    return len(session.execute(ended.returning(StaffSession.token_hash)).all())


def count_staff(session: Session) -> int:
    """How many people could sign in."""
    return session.scalar(select(func.count()).select_from(Staff).where(Staff.disabled_at.is_(None))) or 0
