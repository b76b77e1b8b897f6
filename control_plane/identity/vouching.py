"""Sessions of staff that the provider's own OpenID Connect vouches for: for a while, then it is asked again.

After half of that while the next page goes by the provider, after all of it the session is over, whatever happens
there: so nobody keeps for long what he has lost there, and a provider that is away for a moment disturbs nobody.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from control_plane import audit
from control_plane.identity import attempts
from control_plane.identity.models import Staff, StaffLink, StaffSession
from control_plane.identity.sessions import ABSOLUTE, SignedIn, authenticate
from kit.credentials import token_hash
from kit.db import vault_of
from kit.errors import Refusal, Unavailable
from kit.openid import LogoutToken

# Whoever has been sent to the provider is let on for so long, should nothing come of it.
PAUSE = timedelta(minutes=5)
# It travels in an address, and many a server refuses a longer one.
LONGEST_HINT = 4000


@dataclass(frozen=True)
class Voucher:
    """The provider's word for a session: how long it holds, the session's name there, and what ends it there."""

    minutes: int
    sid: str | None
    id_token: str = field(repr=False)

    @property
    def life(self) -> timedelta:
        """How long it holds."""
        return timedelta(minutes=self.minutes)


@dataclass(frozen=True)
class Left:
    """A session that was vouched for and is over here. Without an ID token the provider asks whom it shall sign out."""

    id_token: str | None = field(repr=False)


def vouch(session: Session, staff: Staff, token: str, voucher: Voucher, *, until: datetime | None = None) -> bool:
    """Let the session of this token stand by the provider's word, until `until` at the most; False if it is over."""
    now = datetime.now(UTC)
    over = now + voucher.life
    told = update(StaffSession).where(
        StaffSession.token_hash == token_hash(token), StaffSession.staff_id == staff.id, StaffSession.expires_at > now
    )
    fits = 0 < len(voucher.id_token) <= LONGEST_HINT
    kept = vault_of(session).seal(voucher.id_token, _purpose(staff.id)) if fits else None
    values = {"sid": voucher.sid, "id_token_sealed": kept, "ask_at": now + voucher.life / 2}
    changed = told.values(expires_at=min(over, until or over), seen_at=now, **values)
    return session.execute(changed.returning(StaffSession.token_hash)).one_or_none() is not None


def _purpose(staff_id: UUID) -> str:
    return f"staff-id-token:{staff_id}"


def renew(session: Session, staff: Staff, token: str | None, voucher: Voucher) -> bool:
    """Whether the session of this token goes on: the same person's, vouched for, and not as old as a session gets.

    It keeps its token, so that forms which are open in other tabs can still be sent.
    """
    signed = authenticate(session, token)
    if token is None or signed is None or not signed.vouched or signed.staff.id != staff.id:
        return False
    until = signed.session.created_at + ABSOLUTE
    if until < datetime.now(UTC) + voucher.life:
        return False
    return vouch(session, staff, token, voucher, until=until)


def is_due(signed: SignedIn) -> bool:
    """Whether the provider is to be asked again."""
    at = signed.session.ask_at
    return at is not None and at <= datetime.now(UTC)


def ask_again(session: Session, token: str | None) -> SignedIn | None:
    """Who is sent to the provider again; None without a session that is vouched for.

    Until an answer comes he is let on for a moment: a provider that does not answer must not hold him fast.
    """
    signed = authenticate(session, token)
    if signed is None or not signed.vouched:
        return None
    later = update(StaffSession).where(StaffSession.token_hash == signed.session.token_hash)
    session.execute(later.values(ask_at=datetime.now(UTC) + PAUSE), execution_options={"synchronize_session": False})
    return signed


def leave(session: Session, token: str) -> Left | None:
    """Sign out: this token is nobody's from now on. Says whether the provider has a session to end as well."""
    gone = delete(StaffSession).where(StaffSession.token_hash == token_hash(token))
    row = session.execute(
        gone.returning(StaffSession.staff_id, StaffSession.ask_at, StaffSession.id_token_sealed)
    ).one_or_none()
    if row is None or row.ask_at is None:
        return None
    try:
        kept = row.id_token_sealed and vault_of(session).open(row.id_token_sealed, _purpose(row.staff_id))
    except (Unavailable, ValueError):
        kept = None
    return Left(kept or None)


def end_by_provider(session: Session, issuer: str, told: LogoutToken) -> int:
    """The provider has ended a session, or all of a person; gives how many ended here.

    Sessions of the person to which the provider gave no name end with any.
    """
    if not attempts.use_once(session, "staff-logout", f"{issuer}\0{told.id}", told.expires_at):
        raise Refusal("logout_replayed", "This logout token has been used.")
    named = StaffSession.sid == told.sid
    if told.subject is None:
        whose = select(StaffLink.staff_id).where(StaffLink.issuer == issuer)
    else:
        whose = select(StaffLink.staff_id).where(StaffLink.issuer == issuer, StaffLink.subject == told.subject)
        named |= StaffSession.sid.is_(None)
    ended = delete(StaffSession).where(StaffSession.ask_at.is_not(None), StaffSession.staff_id.in_(whose))
    if told.sid is not None:
        ended = ended.where(named)
    rows = session.execute(ended.returning(StaffSession.staff_id)).all()
    for staff_id in {row.staff_id for row in rows}:
        data = {"staff_id": str(staff_id), "sessions": sum(row.staff_id == staff_id for row in rows)}
        audit.record(session, "staff.ended_by_provider", actor=audit.SYSTEM, data=data)
    return len(rows)
