"""Mail domains of organisations: claimed, proven by DNS, looked at again each day, and lost when the proof stays away.

Only the exact name is proven. Several organisations may claim one; the first that proves it has it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from control_plane import provisioning
from control_plane.audit import Actor
from control_plane.identity import changing
from control_plane.identity.mail_domains import check_domain_name, domain_of
from control_plane.identity.organisation_models import PROVEN, Connection, Domain
from control_plane.identity.proving import Answer, ask_all, record_name, record_value, verdict
from control_plane.organisations import Organisation
from kit.credentials import new_token
from kit.errors import Refusal, not_found
from kit.ids import new_id
from kit.settings import ControlPlaneSettings

State = Literal["pending", "proven", "failing", "lost"]

MOST = 50
DAILY = timedelta(hours=24)
# While it is not proven, or nobody could tell, one looks more often.
SOON = timedelta(hours=1)
GRACE = timedelta(days=7)
# A claim that nobody proves is not looked at for ever.
PATIENCE = timedelta(days=30)


@dataclass(frozen=True)
class DomainView:
    """A claimed domain, and the record that proves it. `answers` are what each name server said last.

    Proven and failing ones count; a failing one stops counting at `lost_after`. `capture`: who signs up with a mailbox
    there is led to this organisation.
    """

    id: UUID
    organisation_id: UUID
    name: str
    state: State
    record_name: str
    record_value: str
    capture: bool
    answers: tuple[Answer, ...]
    created_at: datetime
    checked_at: datetime | None
    proven_at: datetime | None
    failing_since: datetime | None
    lost_after: datetime | None

    @property
    def proven(self) -> bool:
        """Whether it counts."""
        return self.state in PROVEN


def _view(row: Domain) -> DomainView:
    return DomainView(
        id=row.id,
        organisation_id=row.organisation_id,
        name=row.name,
        state=row.state,  # type: ignore[arg-type]
        record_name=record_name(row.name),
        record_value=record_value(row.token),
        capture=row.capture,
        answers=tuple(Answer.from_json(one) for one in row.answers),
        created_at=row.created_at,
        checked_at=row.checked_at,
        proven_at=row.proven_at,
        failing_since=row.failing_since,
        lost_after=row.failing_since + GRACE if row.failing_since and row.state == "failing" else None,
    )


def domains(session: Session, organisation_id: UUID) -> list[DomainView]:
    """The organisation's domains, by name."""
    query = select(Domain).where(Domain.organisation_id == organisation_id).order_by(Domain.name)
    return [_view(row) for row in session.scalars(query.execution_options(populate_existing=True))]


def _row(session: Session, organisation_id: UUID, of: UUID | str) -> Domain:
    query = select(Domain).where(Domain.organisation_id == organisation_id)
    query = query.where(Domain.id == of if isinstance(of, UUID) else Domain.name == str(of).strip().lower())
    found = session.scalar(query.execution_options(populate_existing=True))
    if found is None:
        raise not_found("domain")
    return found


def domain(session: Session, organisation_id: UUID, of: UUID | str) -> DomainView:
    """One of its domains, by id or name."""
    return _view(_row(session, organisation_id, of))


def claim_domain(session: Session, organisation_id: UUID, name: str, *, actor: Actor) -> DomainView:
    """Say that a domain is the organisation's; the answer tells the record that proves it. Twice is as good as once."""
    changing.begin(session, organisation_id)
    tidy = check_domain_name(name)
    known = {one.name: one for one in domains(session, organisation_id)}
    if tidy in known:
        return known[tidy]
    if len(known) >= MOST:
        message = "An organisation claims {most} domains at most. Remove one that you do not need."
        raise Refusal("domains_many", message, field="name", status=409, most=MOST)
    now = datetime.now(UTC)
    row = Domain(
        id=new_id(),
        organisation_id=organisation_id,
        name=tidy,
        token=new_token(),
        state="pending",
        capture=True,
        answers=[],
        created_at=now,
        check_at=now + SOON,
    )
    session.add(row)
    session.flush()
    changing.note(session, "domain.claimed", organisation_id, actor, domain=tidy)
    return _view(row)


def check_domain(
    session: Session, settings: ControlPlaneSettings, organisation_id: UUID, of: UUID | str, *, actor: Actor
) -> DomainView:
    """Look for the proof now; the answer tells what each name server saw."""
    seen = _row(session, organisation_id, of)
    answers = ask_all(settings.dns_resolvers, seen.name, seen.token)
    changing.begin(session, organisation_id)
    return _view(apply(session, _row(session, organisation_id, seen.id), answers, actor))


def apply(session: Session, row: Domain, answers: tuple[Answer, ...], actor: Actor) -> Domain:
    """What the name servers said becomes the domain's state; the organisation is locked."""
    now = datetime.now(UTC)
    stands = verdict(answers)
    row.answers, row.checked_at = [one.as_json() for one in answers], now
    if stands:
        _proven(session, row, now, actor)
    elif stands is False and row.state in PROVEN:
        _failing(session, row, now, actor)
    row.check_at = _next_look(row, now, stands)
    session.flush()
    return row


def _next_look(row: Domain, now: datetime, stands: bool | None) -> datetime | None:
    if row.state == "proven" and stands:
        return now + DAILY
    if row.state == "pending" and row.created_at + PATIENCE < now:
        return None
    return None if row.state == "lost" else now + SOON


def _proven(session: Session, row: Domain, now: datetime, actor: Actor) -> None:
    if row.state == "proven":
        return
    taken = select(Domain.id).where(Domain.name == row.name, Domain.state.in_(PROVEN), Domain.id != row.id)
    if session.scalar(taken) is not None:
        message = "Another organisation has proven {domain} already. If it is yours, write to us: we look into it."
        raise Refusal("domain_taken", message, field="name", status=409, domain=row.name)
    before, row.state, row.failing_since = row.state, "proven", None
    row.proven_at = row.proven_at if before == "failing" and row.proven_at else now
    session.flush()
    changing.note(session, "domain.proven", row.organisation_id, actor, domain=row.name, before=before)
    if before != "failing":
        changing.publish(session, row.organisation_id)


def _failing(session: Session, row: Domain, now: datetime, actor: Actor) -> None:
    if row.state == "proven":
        row.state, row.failing_since = "failing", now
        changing.note(session, "domain.failing", row.organisation_id, actor, domain=row.name)
        _warn(session, row, "domain_failing", now)
    elif row.failing_since is not None and row.failing_since + GRACE <= now:
        row.state = "lost"
        session.flush()
        changing.note(session, "domain.lost", row.organisation_id, actor, domain=row.name)
        changing.publish(session, row.organisation_id)
        _warn(session, row, "domain_lost", now)


def _warn(session: Session, row: Domain, kind: str, now: datetime) -> None:
    whose = session.get_one(Organisation, row.organisation_id)
    facts = {
        "to": whose.admin_email,
        "name": whose.admin_name,
        "locale": whose.locale,
        "organisation": whose.name,
        "domain": row.name,
        "record_name": record_name(row.name),
        "record_value": record_value(row.token),
        "until": ((row.failing_since or now) + GRACE).isoformat(),
    }
    provisioning.enqueue_mail(session, f"{kind}:{row.id}:{now.date()}", row.organisation_id, kind, facts)


def set_capture(
    session: Session,
    organisation_id: UUID,
    of: UUID | str,
    capture: bool,
    *,
    actor: Actor,
    seen: bool | None = None,
) -> DomainView:
    """Whether people who sign up with a mailbox there are led to this organisation.

    All else about a domain is a step that two may take, or a fact that DNS tells; of this one value, `seen` is what
    stood there for who asks. Whoever wants what another has set meanwhile has it; undoing it unseen is refused.
    """
    changing.begin(session, organisation_id)
    row = _row(session, organisation_id, of)
    if row.capture != capture:
        changing.check_revision(None if seen is None else int(seen), int(row.capture))
        row.capture = capture
        session.flush()
        changing.note(session, "domain.capture_set", organisation_id, actor, domain=row.name, capture=capture)
    return _view(row)


def remove_domain(session: Session, organisation_id: UUID, of: UUID | str, *, actor: Actor) -> None:
    """Give the domain up. Connections can make nobody in it any more; who has come in by them stays."""
    changing.begin(session, organisation_id)
    row = _row(session, organisation_id, of)
    enforced = select(Connection).where(Connection.organisation_id == organisation_id, Connection.stage == "enforced")
    if row.state in PROVEN and any(row.name in one.domains for one in session.scalars(enforced)):
        message = "Everybody at {domain} signs in by an enforced connection. Take the domain out of it first."
        raise Refusal("domain_enforced", message, status=409, domain=row.name)
    counted, name = row.state in PROVEN, row.name
    session.delete(row)
    session.flush()
    changing.note(session, "domain.removed", organisation_id, actor, domain=name, proven=counted)
    if counted:
        changing.publish(session, organisation_id)


def captured_by(session: Session, email: str) -> UUID | None:
    """The organisation to which somebody with this mailbox belongs, by a domain that it has proven; None if to none."""
    query = select(Domain.organisation_id).where(
        Domain.name == domain_of(email), Domain.state.in_(PROVEN), Domain.capture.is_(True)
    )
    return session.scalar(query)
