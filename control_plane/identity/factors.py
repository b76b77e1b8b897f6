"""A person's own factors: one-time codes and passkeys, added and taken away. The last one cannot be taken away."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from control_plane import audit
from control_plane.identity.models import Staff, StaffPasskey, StaffSession
from control_plane.identity.sessions import SignedIn
from control_plane.identity.staff import actor_of, totp_purpose
from kit.credentials import (
    Ceremony,
    matching_step,
    new_secret,
    registration_options,
    verify_registration,
)
from kit.db import vault_of
from kit.errors import Refusal, not_found
from kit.ids import new_id

MOST_PASSKEYS = 20


def has_second_factor(session: Session, staff: Staff) -> bool:
    """Whether one-time codes or a passkey have been set up; without, the person must do so first."""
    return staff.totp_sealed is not None or _count(session, staff) > 0


def passkeys(session: Session, staff: Staff) -> list[StaffPasskey]:
    """This person's passkeys, the oldest first."""
    return list(
        session.scalars(select(StaffPasskey).where(StaffPasskey.staff_id == staff.id).order_by(StaffPasskey.id))
    )


def offer_codes(session: Session, staff: Staff) -> tuple[str, str]:
    """A secret for one-time codes, and the same sealed: the page sends it back with the first code."""
    secret = new_secret()
    return secret, vault_of(session).seal(secret, f"offered-{totp_purpose(staff.id)}")


def offered_secret(session: Session, staff: Staff, sealed: str) -> str:
    """The secret behind a sealed offer; one that was not made for this person is refused."""
    try:
        return vault_of(session).open(sealed, f"offered-{totp_purpose(staff.id)}")
    except Exception as error:
        raise Refusal(
            "stale_page", "This page is too old to be sent. Reload it and try again; nothing was done."
        ) from error


def _may_add(session: Session, signed: SignedIn) -> Staff:
    """The person, locked. Half signed in, one may set up the first factor only: else a password would be enough."""
    staff = session.get_one(Staff, signed.staff.id, with_for_update=True, populate_existing=True)
    if not signed.full and has_second_factor(session, staff):
        raise Refusal("sign_in_needed", "Please finish signing in first.", status=401)
    return staff


def set_up_codes(session: Session, signed: SignedIn, sealed: str, code: str, *, request_id: str | None = None) -> None:
    """One-time codes are on once the first code from the application is right; that code is used up."""
    staff = _may_add(session, signed)
    if staff.totp_sealed is not None:
        raise Refusal("codes_on", "One-time codes are already on. Take them away first to move them.", field="code")
    secret = offered_secret(session, staff, sealed)
    step = matching_step(secret, code, after=0)
    if step is None:
        raise Refusal(
            "code_wrong",
            "This code does not fit. Wait for the next one and check the clock of your device.",
            field="code",
        )
    staff.totp_sealed = vault_of(session).seal(secret, totp_purpose(staff.id))
    staff.totp_step = step
    audit.record(session, "staff.codes_set_up", actor=actor_of(staff, request_id), data={"staff_id": str(staff.id)})


def remove_codes(session: Session, staff_id: UUID, *, request_id: str | None = None) -> None:
    """Take one-time codes away; a passkey must stay."""
    staff = session.get_one(Staff, staff_id, with_for_update=True, populate_existing=True)
    if staff.totp_sealed is None:
        raise not_found("codes")
    if _count(session, staff) == 0:
        raise _last()
    staff.totp_sealed = None
    audit.record(session, "staff.codes_removed", actor=actor_of(staff, request_id), data={"staff_id": str(staff.id)})


def begin_new_passkey(session: Session, signed: SignedIn, *, rp_id: str) -> Ceremony:
    """Options for a new passkey; the challenge waits in the session, for one answer."""
    staff = _may_add(session, signed)
    known = [one.credential_id for one in passkeys(session, staff)]
    if len(known) >= MOST_PASSKEYS:
        raise Refusal("passkeys_many", "{most} passkeys are enough: remove one first.", most=MOST_PASSKEYS)
    ceremony = registration_options(
        rp_id=rp_id,
        rp_name="Parvis",
        user_id=staff.id.bytes,
        user_name=staff.email,
        display_name=staff.name,
        known=known,
    )
    signed.session.challenge = ceremony.challenge
    return ceremony


def add_passkey(
    session: Session,
    signed: SignedIn,
    answer: str,
    label: str,
    *,
    origin: str,
    rp_id: str,
    request_id: str | None = None,
) -> StaffPasskey:
    """Store the passkey that the browser made. The challenge is used up."""
    _may_add(session, signed)
    waiting = session.get(StaffSession, signed.session.token_hash, with_for_update=True, populate_existing=True)
    if waiting is None or waiting.challenge is None:
        raise Refusal("passkey_late", "This took too long, or was begun elsewhere. Try again.", field="passkey")
    challenge, waiting.challenge = waiting.challenge, None
    made = verify_registration(answer, challenge=challenge, origin=origin, rp_id=rp_id)
    if session.scalar(select(StaffPasskey).where(StaffPasskey.credential_id == made.credential_id)):
        raise Refusal("passkey_known", "This passkey is already registered.", field="passkey")
    passkey = StaffPasskey(
        id=new_id(),
        staff_id=signed.staff.id,
        credential_id=made.credential_id,
        public_key=made.public_key,
        sign_count=made.sign_count,
        label=label.strip()[:80].replace("\x00", "") or "–",
        created_at=datetime.now(UTC),
    )
    session.add(passkey)
    session.flush()
    data = {"staff_id": str(signed.staff.id), "label": passkey.label}
    audit.record(session, "staff.passkey_added", actor=actor_of(signed.staff, request_id), data=data)
    return passkey


def remove_passkey(session: Session, staff_id: UUID, passkey_id: UUID, *, request_id: str | None = None) -> None:
    """Take a passkey away; another factor must stay."""
    staff = session.get_one(Staff, staff_id, with_for_update=True, populate_existing=True)
    passkey = session.get(StaffPasskey, passkey_id)
    if passkey is None or passkey.staff_id != staff_id:
        raise not_found("passkey")
    if staff.totp_sealed is None and _count(session, staff) == 1:
        raise _last()
    session.delete(passkey)
    data = {"staff_id": str(staff_id), "label": passkey.label}
    audit.record(session, "staff.passkey_removed", actor=actor_of(staff, request_id), data=data)


def _count(session: Session, staff: Staff) -> int:
    counted = select(func.count()).select_from(StaffPasskey).where(StaffPasskey.staff_id == staff.id)
    return session.scalar(counted) or 0


def _last() -> Refusal:
    return Refusal(
        "last_factor", "This is your only second factor. Add another one first, then remove it.", field="factor"
    )
