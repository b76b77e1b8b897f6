"""Finding tampering: edits, deletions, reorders, cut tails, forged events."""

import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select, union
from sqlalchemy.orm import Session

from control_plane.audit.chain import START, chain_name, event_digest, head_fits
from control_plane.audit.models import AuditChain, AuditEvent

BATCH = 1000


@dataclass(frozen=True)
class Finding:
    """What is wrong: `missing`, `edited`, `foreign_head`, `cut` or `absent`, at which number of which chain."""

    chain: str
    seq: int
    problem: str

    def __str__(self) -> str:
        return f"{self.chain} at {self.seq}: {self.problem}"


@dataclass
class Report:
    """What a verification read, and what it found."""

    chains: int = 0
    events: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing was found."""
        return not self.findings


def verify(
    session: Session, key: bytes, organisation_id: UUID | None = None, *, expected: Iterable[UUID] = ()
) -> Report:
    """Re-compute one chain, or all of them. Organisations in `expected` must have a chain: none can vanish whole."""
    report = Report()
    chains = [chain_name(organisation_id)] if organisation_id else _chains(session)
    must = {chain_name(one) for one in expected} | ({chain_name(organisation_id)} if organisation_id else set())
    for chain in [*chains, *sorted(must.difference(chains))]:
        _verify_chain(session, key, chain, report, must_exist=chain in must)
    return report


def _chains(session: Session) -> list[str]:
    return sorted(session.scalars(union(select(AuditChain.chain), select(AuditEvent.chain))))


def _verify_chain(session: Session, key: bytes, chain: str, report: Report, *, must_exist: bool) -> None:
    # The head is read first and locked: an event written meanwhile would look like a forged one.
    head = session.get(AuditChain, chain, populate_existing=True, with_for_update={"read": True})
    before, expected_seq = START, 1
    for event in _events(session, chain):
        report.events += 1
        if event.seq != expected_seq:
            report.findings.append(Finding(chain, expected_seq, "missing"))
        if not hmac.compare_digest(event.digest, event_digest(key, event, before)):
            report.findings.append(Finding(chain, event.seq, "edited"))
        before, expected_seq = event.digest, event.seq + 1
    report.chains += 1
    _verify_head(key, chain, head, (expected_seq - 1, before), report, must_exist=must_exist)


def _verify_head(
    key: bytes, chain: str, head: AuditChain | None, end: tuple[int, bytes], report: Report, *, must_exist: bool
) -> None:
    last_seq, last_digest = end
    if head is None:
        if must_exist or last_seq:
            report.findings.append(Finding(chain, last_seq, "absent"))
    elif head.seq != last_seq:
        report.findings.append(Finding(chain, last_seq, "cut"))
    elif not head_fits(key, head, last_digest):
        report.findings.append(Finding(chain, last_seq, "foreign_head"))


def _events(session: Session, chain: str) -> Iterator[AuditEvent]:
    query = select(AuditEvent).where(AuditEvent.chain == chain).order_by(AuditEvent.seq)
    result = session.scalars(query.execution_options(yield_per=BATCH, populate_existing=True))
    for part in result.partitions(BATCH):
        for event in part:
            session.expunge(event)
            yield event
