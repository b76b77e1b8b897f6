"""Signing in: a password and then a second factor, or a passkey alone (the device has verified its person).

Every function answers with `Opened`, or with a Refusal as a value: a refused try has been counted, and the count must
be committed.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from control_plane import audit
from control_plane.identity import attempts
from control_plane.identity.attempts import CLIENT_TRIES
from control_plane.identity.emergencies import company_only
from control_plane.identity.models import Staff, StaffCeremony, StaffPasskey
from control_plane.identity.sessions import FULL, PASSWORD, Client, SignedIn, open_session
from control_plane.identity.staff import actor_of, find_staff, improve_hash, totp_purpose
from kit.credentials import (
    Ceremony,
    authentication_options,
    credential_id_of,
    matching_step,
    new_token,
    token_hash,
    verify_authentication,
    verify_password,
)
from kit.db import vault_of
from kit.errors import Refusal

CEREMONY = timedelta(minutes=5)


@dataclass(frozen=True)
class Opened:
    """A session has been opened; `token` goes into the cookie."""

    token: str
    staff: Staff
    stage: str


def sign_in_by_password(
    session: Session,
    email: str,
    password: str,
    client: Client,
    *,
    issuer: str | None = None,
    replaces: str | None = None,
) -> Opened | Refusal:
    """The first stage: the session that it opens can only show a second factor, or set one up.

    `issuer` is the provider's own OpenID Connect, where there is one: whom that knows comes in by it.
    """
    now = datetime.now(UTC)
    email = email.strip().lower()[:254]
    place = attempts.count(session, "client", client.ip, allowed=CLIENT_TRIES, now=now)
    tries = attempts.count(session, "staff", email, now=now)
    staff = find_staff(session, email)
    for counted in (place, tries):
        if counted.paused:
            return attempts.paused(counted, now)
    usable = staff is not None and staff.disabled_at is None
    # Verified even for nobody, so that the time of the answer tells nothing.
    if not verify_password(staff.password if staff and usable else None, password) or staff is None:
        _note_failure(session, staff, client, "password", tries.left)
        message = "Wrong e-mail or password. Tries left before a pause of {minutes} minutes: {left}."
        last = "Wrong e-mail or password. Sign-in is now paused for {minutes} minutes."
        return Refusal("sign_in_refused", message if tries.left else last, field="password", **tries.told)
    attempts.forget(session, "staff", email)
    improve_hash(staff, password)
    if elsewhere := company_only(session, staff, issuer):
        _note_company_only(session, staff, client, "password")
        return elsewhere
    return Opened(open_session(session, staff, PASSWORD, client, replaces=replaces), staff, PASSWORD)


def sign_in_by_code(session: Session, signed: SignedIn, code: str, client: Client, *, token: str) -> Opened | Refusal:
    """The second stage by a one-time code: a new session takes the place of the first stage's. A code works once."""
    now = datetime.now(UTC)
    tries = attempts.count(session, "code", str(signed.staff.id), now=now)
    if tries.paused:
        return attempts.paused(tries, now)
    # The row is locked: the same code sent twice at once is accepted once.
    staff = session.get_one(Staff, signed.staff.id, with_for_update=True, populate_existing=True)
    if not use_code(session, staff, code):
        _note_failure(session, staff, client, "code", tries.left)
        message = "This code is wrong or has been used. Tries left before a pause of {minutes} minutes: {left}."
        last = "This code is wrong or has been used. Sign-in is now paused for {minutes} minutes."
        return Refusal("code_refused", message if tries.left else last, field="code", **tries.told)
    attempts.forget(session, "code", str(staff.id))
    return complete(session, staff, client, "code", replaces=token)


def prove_password(session: Session, staff: Staff, password: str) -> Refusal | None:
    """Whether a signed-in person knows their password, before it is changed; tries are counted here too."""
    now = datetime.now(UTC)
    tries = attempts.count(session, "password", str(staff.id), now=now)
    if tries.paused:
        return attempts.paused(tries, now)
    if not verify_password(staff.password, password):
        return Refusal("password_wrong", "This is not your present password.", field="password")
    attempts.forget(session, "password", str(staff.id))
    return None


def use_code(session: Session, staff: Staff, code: str) -> bool:
    """Whether the code is right; it is then used up. The caller holds the row's lock."""
    if staff.totp_sealed is None:
        return False
    secret = vault_of(session).open(staff.totp_sealed, totp_purpose(staff.id))
    step = matching_step(secret, code, after=staff.totp_step)
    if step is None:
        return False
    staff.totp_step = step
    return True


def begin_passkey(session: Session, *, rp_id: str) -> tuple[str, Ceremony]:
    """Options for any passkey of this host, and a token that binds the answer to the browser that asked."""
    now = datetime.now(UTC)
    session.execute(delete(StaffCeremony).where(StaffCeremony.expires_at < now))
    ceremony = authentication_options(rp_id=rp_id)
    token = new_token()
    session.add(StaffCeremony(token_hash=token_hash(token), challenge=ceremony.challenge, expires_at=now + CEREMONY))
    return token, ceremony


def sign_in_by_passkey(
    session: Session,
    answer: str,
    client: Client,
    *,
    ceremony: str | None,
    origin: str,
    rp_id: str,
    issuer: str | None = None,
    replaces: str | None = None,
) -> Opened | Refusal:
    """Both stages at once. The challenge is used up, whatever comes of it. `issuer` as for a password."""
    place = attempts.count(session, "client", client.ip, allowed=CLIENT_TRIES)
    if place.paused:
        return attempts.paused(place, datetime.now(UTC))
    challenge = _take_challenge(session, ceremony)
    if challenge is None:
        return Refusal("passkey_late", "This took too long, or was begun elsewhere. Try again.", field="passkey")
    try:
        passkey = _verified(session, answer, challenge, origin=origin, rp_id=rp_id)
    except Refusal as refusal:
        return refusal
    staff = session.get_one(Staff, passkey.staff_id)
    if staff.disabled_at is not None:
        return Refusal("passkey_refused", "This passkey was not accepted. Try again, or use another way.")
    if elsewhere := company_only(session, staff, issuer):
        _note_company_only(session, staff, client, "passkey")
        return elsewhere
    return complete(session, staff, client, "passkey", replaces=replaces)


def _take_challenge(session: Session, ceremony: str | None) -> bytes | None:
    if not ceremony:
        return None
    taken = delete(StaffCeremony).where(StaffCeremony.token_hash == token_hash(ceremony))
    row = session.execute(taken.returning(StaffCeremony.challenge, StaffCeremony.expires_at)).one_or_none()
    return row.challenge if row and row.expires_at > datetime.now(UTC) else None


def _verified(session: Session, answer: str, challenge: bytes, *, origin: str, rp_id: str) -> StaffPasskey:
    known = select(StaffPasskey).where(StaffPasskey.credential_id == credential_id_of(answer)).with_for_update()
    passkey = session.scalar(known)
    if passkey is None:
        raise Refusal("passkey_unknown", "This passkey is not known here. It may have been removed.", field="passkey")
    passkey.sign_count = verify_authentication(
        answer,
        challenge=challenge,
        origin=origin,
        rp_id=rp_id,
        public_key=passkey.public_key,
        sign_count=passkey.sign_count,
    )
    passkey.used_at = datetime.now(UTC)
    return passkey


def complete(session: Session, staff: Staff, client: Client, way: str, *, replaces: str | None) -> Opened:
    """Both factors have been shown: the full session, under a new id."""
    token = open_session(session, staff, FULL, client, replaces=replaces)
    audit.record(
        session,
        "staff.signed_in",
        actor=actor_of(staff),
        data={"staff_id": str(staff.id), "way": way, "ip": client.ip},
    )
    return Opened(token, staff, FULL)


def _note_company_only(session: Session, staff: Staff, client: Client, way: str) -> None:
    data = {"staff_id": str(staff.id), "way": way, "ip": client.ip, "reason": "company_only"}
    audit.record(session, "staff.sign_in_failed", actor=audit.SYSTEM, data=data)


def _note_failure(session: Session, staff: Staff | None, client: Client, way: str, left: int) -> None:
    # Guesses at nobody are not written: anybody could fill the record.
    if staff is not None:
        data: dict[str, str | int | UUID] = {"staff_id": str(staff.id), "way": way, "ip": client.ip, "left": left}
        audit.record(session, "staff.sign_in_failed", actor=audit.SYSTEM, data=data)
