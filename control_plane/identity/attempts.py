"""How often one may guess. A try is counted before its answer is known, so guesses sent side by side gain nothing.

Counts are kept by e-mail, known or not (a pause tells nothing about who exists), and by the client's address. A count
is part of its request's transaction: a refused sign-in is an answer, not an exception, or its count would be undone.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import case, delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from control_plane.identity.models import StaffAttempt
from kit.errors import Refusal

PAUSE = timedelta(minutes=10)
TRIES = 5
CLIENT_TRIES = 50


@dataclass(frozen=True)
class Tries:
    """Where the count stands, this try included."""

    count: int
    allowed: int
    until: datetime

    @property
    def paused(self) -> bool:
        """Too many: this try is not even looked at."""
        return self.count > self.allowed

    @property
    def left(self) -> int:
        """How many more may follow."""
        return max(0, self.allowed - self.count)

    @property
    def told(self) -> dict[str, int]:
        """What a refusal's words have places for."""
        return {"left": self.left, "minutes": int(PAUSE.total_seconds() // 60)}


def _key(what: str, who: str) -> bytes:
    return hashlib.sha256(f"{what}\0{who}".encode("utf-8", "surrogatepass")).digest()


def count(session: Session, what: str, who: str, *, allowed: int = TRIES, now: datetime | None = None) -> Tries:
    """Count one more try. Tries beyond the allowed ones do not prolong the pause: nobody can be shut out for ever."""
    now = now or datetime.now(UTC)
    session.execute(delete(StaffAttempt).where(StaffAttempt.until < now - timedelta(hours=1)))
    fresh = insert(StaffAttempt).values(key=_key(what, who), count=1, until=now + PAUSE)
    over = StaffAttempt.until <= now
    counted = fresh.on_conflict_do_update(
        index_elements=[StaffAttempt.key],
        set_={
            "count": case((over, 1), else_=StaffAttempt.count + 1),
            "until": case((over | (StaffAttempt.count < allowed), now + PAUSE), else_=StaffAttempt.until),
        },
    ).returning(StaffAttempt.count, StaffAttempt.until)
    total, until = session.execute(counted).one()
    return Tries(total, allowed, until)


def use_once(session: Session, what: str, who: str, until: datetime) -> bool:
    """Whether this is the first time, for what is good for one use up to then."""
    used = insert(StaffAttempt).values(key=_key(what, who), count=1, until=until).on_conflict_do_nothing()
    return session.execute(used.returning(StaffAttempt.key)).one_or_none() is not None


def forget(session: Session, what: str, who: str) -> None:
    """It went well: the count starts anew."""
    session.execute(delete(StaffAttempt).where(StaffAttempt.key == _key(what, who)))


def paused(tries: Tries, now: datetime) -> Refusal:
    """The answer to a try during the pause."""
    minutes = max(1, -(-int((tries.until - now).total_seconds()) // 60))
    return Refusal(
        "sign_in_paused",
        "Too many tries. Sign-in is paused for {minutes} more minutes; a passkey still works.",
        status=429,
        minutes=minutes,
        retry_after=minutes * 60,
    )
