"""Mails: written down in the transaction that causes them, sent afterwards, never twice.

Whether a mail has arrived cannot be asked afterwards. So the row is marked just before the point after which the
receiving server may have it: a sender that dies before the mark is repeated; one that dies after it is not, its mail is
parked for a person to look at.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from control_plane.provisioning.models import Outbox
from kit import logs
from kit.db import transaction
from kit.errors import Refusal, Unavailable, not_found
from kit.ids import new_id

ATTEMPTS = 5
LEASE = timedelta(seconds=60)
BACKOFF = (timedelta(seconds=2), timedelta(seconds=15), timedelta(minutes=1), timedelta(minutes=5))
SENDING = "sending"
UNCERTAIN = "It is not known whether this mail has arrived: its sender stopped at the very moment."

log = logs.get(__name__)


@dataclass(frozen=True)
class Mail:
    """One mail to send. `key` is unique for good: the Message-ID derives from it, so a receiver can tell a repeat."""

    id: UUID
    key: str
    organisation_id: UUID | None
    kind: str
    payload: dict[str, Any]


Deliver = Callable[[Mail, Callable[[], None]], None]
"""Sends one mail. It calls its second argument right before the first byte after which the receiver may have the mail.

`Refusal` parks the mail, `Unavailable` tries again later, anything else after the mark parks it as uncertain.
"""


def enqueue_mail(session: Session, key: str, organisation_id: UUID | None, kind: str, payload: dict[str, Any]) -> bool:
    """Write a mail down; it leaves after this transaction has committed. A key that was used before does nothing."""
    row = {
        "id": new_id(),
        "key": key,
        "organisation_id": organisation_id,
        "kind": kind,
        "payload": payload,
        "attempts": 0,
    }
    written = insert(Outbox).values(**row).on_conflict_do_nothing(index_elements=["key"]).returning(Outbox.id)
    return session.execute(written).scalar_one_or_none() is not None


def deliver_due(engine: Engine, deliver: Deliver, limit: int = 50) -> int:
    """Send what is due, each mail in transactions of its own; says how many were sent."""
    sent = 0
    for _ in range(limit):
        mail = _claim(engine)
        if mail is None:
            break
        sent += _deliver(engine, deliver, mail)
    return sent


def _due() -> Any:
    return (Outbox.sent_at.is_(None), Outbox.parked_at.is_(None), Outbox.due_at <= func.now())


def _claim(engine: Engine) -> Mail | None:
    with transaction(engine) as session:
        query = select(Outbox).where(*_due()).order_by(Outbox.due_at).limit(1).with_for_update(skip_locked=True)
        row = session.scalar(query)
        if row is None:
            return None
        if row.error == SENDING:
            row.parked_at, row.error = func.now(), UNCERTAIN
            log.warning("a mail is parked: it may have arrived", key=row.key, kind=row.kind)
            session.flush()
            return _none_here(session, engine)
        row.due_at = func.now() + LEASE
        row.attempts += 1
        return Mail(row.id, row.key, row.organisation_id, row.kind, dict(row.payload))


def _none_here(session: Session, engine: Engine) -> Mail | None:
    session.commit()
    return _claim(engine)


def _deliver(engine: Engine, deliver: Deliver, mail: Mail) -> bool:
    marked = False

    def mark() -> None:
        nonlocal marked
        _set(engine, mail.id, error=SENDING)
        marked = True

    try:
        deliver(mail, mark)
    except Refusal as refusal:
        _set(engine, mail.id, parked_at=func.now(), error=str(refusal))
    except Unavailable as trouble:
        _later(engine, mail, trouble.detail or trouble.code)
    except Exception as error:
        log.exception("a mail could not be sent", key=mail.key, kind=mail.kind)
        if marked:
            _set(engine, mail.id, parked_at=func.now(), error=UNCERTAIN)
        else:
            _later(engine, mail, f"{type(error).__name__}: {error}"[:500])
    else:
        _set(engine, mail.id, sent_at=func.now(), error=None)
        return True
    return False


def _later(engine: Engine, mail: Mail, why: str) -> None:
    with transaction(engine) as session:
        row = session.get_one(Outbox, mail.id, with_for_update=True)
        row.error = why[:500]
        if row.attempts >= ATTEMPTS:
            row.parked_at = func.now()
            log.error("a mail is parked after its last attempt", key=row.key, kind=row.kind, error=row.error)
        else:
            row.due_at = func.now() + BACKOFF[min(row.attempts, len(BACKOFF)) - 1]


def _set(engine: Engine, mail_id: UUID, **values: Any) -> None:
    with transaction(engine) as session:
        session.execute(update(Outbox).where(Outbox.id == mail_id).values(**values))


def parked_mails(session: Session, limit: int = 100) -> list[Outbox]:
    """Mails that wait for a person, newest first."""
    query = select(Outbox).where(Outbox.parked_at.is_not(None)).order_by(Outbox.parked_at.desc()).limit(limit)
    return list(session.scalars(query))


def resend(session: Session, mail_id: UUID) -> None:
    """Send a parked mail after all: somebody has looked at it."""
    row = session.get(Outbox, mail_id, with_for_update=True)
    if row is None or row.parked_at is None:
        raise not_found("mail")
    row.parked_at, row.error, row.attempts = None, None, 0
    row.due_at = func.now()


def forget_mails(session: Session, organisation_id: UUID) -> None:
    """Blank the mails of an organisation that is gone: they name people. Their keys stay, so none is sent."""
    session.execute(
        update(Outbox)
        .where(Outbox.organisation_id == organisation_id)
        .values(payload={}, sent_at=func.coalesce(Outbox.sent_at, func.now()))
    )
