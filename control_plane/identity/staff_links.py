"""Staff by the provider's own OpenID Connect: sign-ins under way, and which member of staff an answer speaks of.

A person is known by issuer and subject. An e-mail that the issuer has verified links a person once, to an account that
nobody is linked to; after that it says nothing any more. Refusals are answers here too: what was counted is committed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from control_plane import audit
from control_plane.identity import attempts
from control_plane.identity.attempts import CLIENT_TRIES
from control_plane.identity.leaving import change_role, end_all
from control_plane.identity.models import Staff, StaffFlow, StaffLink
from control_plane.identity.sessions import FULL, Client
from control_plane.identity.signing_in import Opened, complete
from control_plane.identity.staff import EMAIL, actor_of, create_staff, find_staff
from control_plane.identity.vouching import Voucher, renew, vouch
from kit.credentials import new_token, token_hash
from kit.db import vault_of
from kit.errors import Refusal
from kit.openid import Begun, Claims
from kit.settings import StaffOidc

LIFE = timedelta(minutes=10)
LONGEST_PATH = 2000
# Any number that nobody else locks: arrivals of staff are few, and wait for each other.
ARRIVALS = 7_401_155
WAY = "oidc"
ROLE_GONE = "staff_role_gone"


@dataclass(frozen=True)
class Flow:
    """A sign-in that comes to its end, and where its person was going."""

    begun: Begun
    next_path: str


@dataclass(frozen=True)
class Told:
    """What the provider's answer says of a person. Without a verified e-mail, `email` is empty.

    `gives_roles`: claims are read for a role at all; `role` is None where none of them gives one.
    """

    issuer: str
    subject: str
    email: str
    name: str
    role: str | None
    gives_roles: bool


def linked_staff(session: Session) -> set[UUID]:
    """Who of the staff comes in by the provider's own sign-in."""
    return set(session.scalars(select(StaffLink.staff_id)))


def begin_flow(session: Session, begun: Begun, next_path: str, client: Client) -> str | Refusal:
    """Keep a sign-in that begins; gives the secret for its browser's cookie."""
    now = datetime.now(UTC)
    place = attempts.count(session, WAY, client.ip, allowed=CLIENT_TRIES, now=now)
    if place.paused:
        return attempts.paused(place, now)
    session.execute(delete(StaffFlow).where(StaffFlow.expires_at < now))
    secret, state = new_token(), token_hash(begun.state)
    session.add(
        StaffFlow(
            state_hash=state,
            browser_hash=token_hash(secret),
            kept=vault_of(session).seal(json.dumps(begun.kept()), _purpose(state)),
            next_path=next_path if len(next_path) <= LONGEST_PATH else "/",
            expires_at=now + LIFE,
        )
    )
    return secret


def _purpose(state: bytes) -> str:
    return f"staff-flow:{state.hex()}"


def take_flow(session: Session, state: str | None, secret: str | None) -> Flow | Refusal:
    """The sign-in of this state, once, for the browser that began it; another browser does not use it up either."""
    hashed = token_hash(state or "")
    mine = (StaffFlow.state_hash == hashed) & (StaffFlow.browser_hash == token_hash(secret or ""))
    taken = delete(StaffFlow).where(mine).returning(StaffFlow.kept, StaffFlow.next_path, StaffFlow.expires_at)
    row = session.execute(taken).one_or_none()
    if row is None or row.expires_at <= datetime.now(UTC):
        return Refusal("sign_in_late", "This took too long, or was begun elsewhere. Try again.")
    return Flow(Begun.of(json.loads(vault_of(session).open(row.kept, _purpose(hashed)))), row.next_path)


def sign_in_by_claims(
    session: Session, oidc: StaffOidc, claims: Claims, client: Client, *, replaces: str | None = None
) -> Opened | Refusal:
    """Both stages at once: how many factors it takes, the provider's own sign-in decides.

    Where it was only asked again, the session that `replaces` names goes on.
    """
    session.execute(select(func.pg_advisory_xact_lock(ARRIVALS)))
    told = _told(oidc, claims)
    try:
        with session.begin_nested():
            staff = _arrived(session, told)
    except Refusal as refusal:
        _note_refusal(session, told, client, refusal)
        return refusal
    voucher = Voucher(oidc.minutes, claims.sid, claims.id_token)
    if replaces and renew(session, staff, replaces, voucher):
        return Opened(replaces, staff, FULL)
    opened = complete(session, staff, client, WAY, replaces=replaces)
    vouch(session, staff, opened.token, voucher)
    return opened


def _told(oidc: StaffOidc, claims: Claims) -> Told:
    values = claims.values
    email = _verified_email(values)
    name = values.get("name")
    named = isinstance(name, str) and name.isprintable() and 1 <= len(name.strip()) <= 120
    return Told(
        issuer=claims.issuer,
        subject=claims.subject,
        email=email,
        name=str(name).strip() if named else email.partition("@")[0],
        role=role_told(oidc, values),
        gives_roles=bool(oidc.roles),
    )


def role_told(oidc: StaffOidc, values: Mapping[str, Any]) -> str | None:
    """The role that the claims give: of the first pair in the setting that fits."""
    given = values.get(oidc.role_claim)
    held = [one for one in (given if isinstance(given, list) else [given]) if isinstance(one, str)]
    return next((role for claimed, role in oidc.roles if claimed in held), None)


def _verified_email(values: Mapping[str, Any]) -> str:
    """The e-mail, if the issuer says that it has verified it. Some say so as text."""
    email = values.get("email")
    if str(values.get("email_verified")).lower() != "true" or not isinstance(email, str):
        return ""
    # Letters that only look like others, or become them in lower case, name nobody here.
    return email.lower() if email.isascii() and email.isprintable() and EMAIL.fullmatch(email) else ""


def _arrived(session: Session, told: Told) -> Staff:
    """The member of staff that this is; linked or made if it may be, and with the role that the provider gives."""
    link = session.get(StaffLink, (told.issuer, told.subject), with_for_update=True, populate_existing=True)
    if link is None:
        link = _linked(session, told)
    staff = session.get_one(Staff, link.staff_id, with_for_update=True, populate_existing=True)
    if staff.disabled_at is not None:
        raise _disabled()
    _follow_role(session, link, staff, told)
    link.used_at, link.refused_at = datetime.now(UTC), None
    return staff


def _follow_role(session: Session, link: StaffLink, staff: Staff, told: Told) -> None:
    """Once the provider has given a role, it decides: who has lost it there has lost it here."""
    if told.role is None:
        if told.gives_roles and link.gives_role:
            message = "The company's sign-in gives you no role here any more. Ask its administrator."
            raise Refusal(ROLE_GONE, message)
        return
    link.gives_role = True
    if staff.role != told.role:
        change_role(session, staff.id, told.role, actor=audit.SYSTEM)


def _linked(session: Session, told: Told) -> StaffLink:
    """The first time: by a verified e-mail, to an account that nobody is linked to; with a role, to a new one."""
    if not told.email:
        message = "The company's sign-in says no verified e-mail of you. Ask its administrator to verify your address."
        raise Refusal("staff_email_unverified", message)
    staff = find_staff(session, told.email)
    if staff is None:
        if told.role is None:
            message = "Nobody of the staff has the address {email}. Ask an operator to add you, then sign in again."
            raise Refusal("staff_unknown", message, email=told.email)
        staff = create_staff(session, vault_of(session), told.email, told.name, told.role, None)
    if staff.disabled_at is not None:
        raise _disabled()
    if session.scalar(select(StaffLink).where(StaffLink.staff_id == staff.id)) is not None:
        message = (
            "The account of {email} belongs to another account of the company's sign-in. "
            "If that is right, ask an operator to reset your sign-in here."
        )
        raise Refusal("staff_linked_elsewhere", message, email=told.email)
    link = StaffLink(issuer=told.issuer, subject=told.subject, staff_id=staff.id, gives_role=False)
    session.add(link)
    session.flush()
    data = {"staff_id": str(staff.id), "issuer": told.issuer, "subject": told.subject}
    audit.record(session, "staff.linked", actor=actor_of(staff), data=data)
    return link


def _disabled() -> Refusal:
    return Refusal("staff_disabled", "Your account here is disabled. Ask an operator.")


def _note_refusal(session: Session, told: Told, client: Client, refusal: Refusal) -> None:
    """Unlike guesses at a password: only people of the provider come this far, so nobody else fills the record."""
    link = session.get(StaffLink, (told.issuer, told.subject))
    staff = find_staff(session, told.email) if link is None and told.email else None
    staff_id = link.staff_id if link else staff.id if staff else None
    if link and staff_id and refusal.code == ROLE_GONE:
        link.refused_at = datetime.now(UTC)
        end_all(session, staff_id, actor=audit.SYSTEM)
    data = {"way": WAY, "ip": client.ip, "reason": refusal.code, "issuer": told.issuer, "subject": told.subject}
    audit.record(
        session,
        "staff.sign_in_failed",
        actor=audit.SYSTEM,
        data=data | ({"staff_id": str(staff_id)} if staff_id else {}),
    )
