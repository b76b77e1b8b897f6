"""Writing and reading the record. An event is written in the transaction that makes the thing happen."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from control_plane.audit.actor import Actor
from control_plane.audit.chain import START, chain_name, event_digest, head_digest, plain
from control_plane.audit.keys import audit_key
from control_plane.audit.models import AuditChain, AuditEvent
from kit.ids import new_id
from kit.pages import Page, decode_cursor, encode_cursor, page_size


def record(
    session: Session,
    verb: str,
    *,
    actor: Actor,
    organisation_id: UUID | None = None,
    data: dict[str, Any] | None = None,
) -> AuditEvent:
    """Add an event to the organisation's chain (or the platform's); the head's row lock puts events in order.

    `verb` is `noun.verb` in the past (`organisation.suspended`); `data` holds what changed, never a secret.
    """
    key = audit_key(session)
    chain = chain_name(organisation_id)
    seq, before = _lock_head(session, chain)
    event = AuditEvent(
        id=new_id(),
        chain=chain,
        seq=seq + 1,
        at=datetime.now(UTC),
        organisation_id=organisation_id,
        actor=plain(actor.as_json()),
        verb=verb,
        data=plain(data or {}),
    )
    event.digest = event_digest(key, event, before)
    session.add(event)
    session.flush()
    head = head_digest(key, chain, event.seq, event.digest)
    session.execute(update(AuditChain).where(AuditChain.chain == chain).values(seq=event.seq, digest=head))
    return event


def _lock_head(session: Session, chain: str) -> tuple[int, bytes]:
    """The number and digest of the chain's last event, with its head locked until the transaction ends."""
    fresh = insert(AuditChain).values(chain=chain, seq=0, digest=START)
    head = fresh.on_conflict_do_update(index_elements=["chain"], set_={"seq": AuditChain.seq})
    seq: int = session.execute(head.returning(AuditChain.seq)).scalar_one()
    if seq == 0:
        return 0, START
    # A statement of its own: the one above may have waited, and its snapshot would miss the event it waited for.
    last = select(AuditEvent.digest).where(AuditEvent.chain == chain, AuditEvent.seq == seq)
    # A head whose event is gone has been tampered with; `verify` says so, the business goes on.
    return seq, session.execute(last).scalar_one_or_none() or START


@dataclass(frozen=True)
class Filter:
    """Which events: `actor` matches the actor's id or name, `verb` exactly or as a beginning that ends in a dot."""

    organisation_id: UUID | None = None
    verb: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    cursor: str | None = None
    limit: int = 50


def events(session: Session, filter: Filter | None = None) -> Page[AuditEvent]:  # noqa: A002 - the word of the room
    """Events, newest first."""
    wanted = filter or Filter()
    limit = page_size(wanted.limit)
    query = select(AuditEvent).order_by(AuditEvent.at.desc(), AuditEvent.id.desc()).limit(limit + 1)
    for condition in _conditions(wanted):
        query = query.where(condition)
    found = list(session.scalars(query))
    more = len(found) > limit
    items = found[:limit]
    return Page(items, encode_cursor(items[-1].at, items[-1].id) if more else None)


def _conditions(wanted: Filter) -> list[Any]:
    conditions: list[Any] = []
    if wanted.organisation_id:
        conditions.append(AuditEvent.chain == chain_name(wanted.organisation_id))
    if wanted.verb:
        conditions.append(
            AuditEvent.verb.startswith(wanted.verb, autoescape=True)
            if wanted.verb.endswith(".")
            else AuditEvent.verb == wanted.verb
        )
    if wanted.actor:
        named = AuditEvent.actor["name"].astext.icontains(wanted.actor, autoescape=True)
        conditions.append(or_(AuditEvent.actor["id"].astext == wanted.actor, named))
    if wanted.since:
        conditions.append(AuditEvent.at >= wanted.since)
    if wanted.until:
        conditions.append(AuditEvent.at < wanted.until)
    if wanted.cursor:
        at, event_id = decode_cursor(wanted.cursor, datetime, UUID)
        conditions.append(tuple_(AuditEvent.at, AuditEvent.id) < tuple_(at, event_id))
    return conditions
