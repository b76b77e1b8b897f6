"""Sessions of staff. A session begins at sign-in with an id of our own making; another begins at each stage."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from control_plane import audit
from control_plane.identity.models import Staff, StaffSession
from control_plane.identity.staff import actor_of
from kit.credentials import new_token, token_hash
from kit.errors import not_found

IDLE = timedelta(minutes=60)
ABSOLUTE = timedelta(hours=12)
HALF_WAY = timedelta(minutes=10)
FULL = "full"
PASSWORD = "password"  # noqa: S105 - the name of a stage


@dataclass(frozen=True)
class Client:
    """Where a request comes from, for the list of sessions."""

    ip: str = ""
    user_agent: str = ""


@dataclass(frozen=True)
class SignedIn:
    """Who asks, by which session. At stage `password` only the second factor may follow."""

    staff: Staff
    session: StaffSession

    @property
    def full(self) -> bool:
        """Both factors have been shown."""
        return self.session.stage == FULL

    @property
    def vouched(self) -> bool:
        """The session stands by the word of the provider's OpenID Connect, see `vouching`."""
        return self.full and self.session.ask_at is not None


def open_session(session: Session, staff: Staff, stage: str, client: Client, *, replaces: str | None = None) -> str:
    """A fresh session; gives the token for the cookie. The one it replaces ends, whoever had it."""
    token = new_token()
    now = datetime.now(UTC)
    if replaces:
        end_session(session, replaces)
    session.execute(delete(StaffSession).where(StaffSession.expires_at < now))
    session.add(
        StaffSession(
            token_hash=token_hash(token),
            staff_id=staff.id,
            stage=stage,
            user_agent=client.user_agent[:300].replace("\x00", ""),
            ip=client.ip[:45],
            created_at=now,
            seen_at=now,
            expires_at=now + (ABSOLUTE if stage == FULL else HALF_WAY),
        )
    )
    session.flush()
    return token


def authenticate(session: Session, token: str | None, *, now: datetime | None = None) -> SignedIn | None:
    """Who has this token, now: asked of the database at each request, so that a revoked session ends at once.

    An unknown token is nobody; it is never taken up as a session's id.
    """
    if not token:
        return None
    now = now or datetime.now(UTC)
    row = session.execute(
        select(StaffSession, Staff)
        .join(Staff, Staff.id == StaffSession.staff_id)
        .where(
            StaffSession.token_hash == token_hash(token),
            StaffSession.expires_at > now,
            StaffSession.seen_at > now - IDLE,
            Staff.disabled_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        return None
    found, staff = row
    if found.seen_at < now - timedelta(minutes=1):
        # By itself, not by the unit of work: a page must not fail because two of its requests touch one row.
        touch = update(StaffSession).where(StaffSession.token_hash == found.token_hash).values(seen_at=now)
        session.execute(touch, execution_options={"synchronize_session": False})
    return SignedIn(staff, found)


def sessions(session: Session, staff: Staff) -> list[StaffSession]:
    """This person's open sessions, the latest first."""
    now = datetime.now(UTC)
    return list(
        session.scalars(
            select(StaffSession)
            .where(
                StaffSession.staff_id == staff.id,
                StaffSession.stage == FULL,
                StaffSession.expires_at > now,
                StaffSession.seen_at > now - IDLE,
            )
            .order_by(StaffSession.seen_at.desc())
        )
    )


def end_session(session: Session, token: str) -> None:
    """Sign out: this token is nobody's from now on."""
    session.execute(delete(StaffSession).where(StaffSession.token_hash == token_hash(token)))


def revoke_session(session: Session, staff: Staff, public_id: str, *, request_id: str | None = None) -> None:
    """End one of one's own sessions, named by `public_id` of the list."""
    for found in sessions(session, staff):
        if public_id_of(found) == public_id:
            session.delete(found)
            data = {"staff_id": str(staff.id), "ip": found.ip}
            audit.record(session, "staff.session_revoked", actor=actor_of(staff, request_id), data=data)
            return
    raise not_found("session")


def public_id_of(found: StaffSession) -> str:
    """What names a session on a page: a part of the hash, which opens nothing."""
    return found.token_hash.hex()[:24]
