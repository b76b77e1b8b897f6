"""The record shows every tampering, and says who did what."""

import copy
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from control_plane import audit
from control_plane.audit import SYSTEM, Actor, AuditChain, AuditEvent, Filter
from control_plane.audit.chain import chain_name, event_digest, head_digest
from kit.db import open_engine, transaction
from kit.errors import Refusal, Unavailable
from kit.ids import new_id
from kit.vault import Vault

ACME, OTHER = UUID(int=1), UUID(int=2)
JEANNE = Actor("staff", "7", "Jeanne Martin", "request-1")


def write(engine: Engine, count: int, organisation_id: UUID | None = ACME, verb: str = "organisation.renamed") -> None:
    with transaction(engine) as session:
        for number in range(count):
            data = {"before": f"n{number}", "after": None, "share": 0.1, "whole": 3.0, "list": [1, {"é": "ü"}]}
            audit.record(session, verb, actor=JEANNE, organisation_id=organisation_id, data=data)


def findings(engine: Engine, *expected: UUID) -> list[str]:
    with transaction(engine) as session:
        return [str(one) for one in audit.verify(session, audit.audit_key(session), expected=expected).findings]


def test_an_untouched_record_verifies(engine: Engine) -> None:
    write(engine, 5)
    write(engine, 3, None)
    with transaction(engine) as session:
        report = audit.verify(session, audit.audit_key(session))
    assert (report.ok, report.chains, report.events) == (True, 2, 8)


def test_an_event_of_a_transaction_that_rolled_back_was_never_there(engine: Engine) -> None:
    write(engine, 2)
    with pytest.raises(RuntimeError):
        _write_and_fail(engine)
    write(engine, 1)
    assert findings(engine) == []


def _write_and_fail(engine: Engine) -> None:
    with transaction(engine) as session:
        audit.record(session, "organisation.renamed", actor=JEANNE, organisation_id=ACME)
        raise RuntimeError


def test_events_written_at_once_form_one_chain(engine: Engine) -> None:
    threads = [threading.Thread(target=write, args=(engine, 1)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with transaction(engine) as session:
        report = audit.verify(session, audit.audit_key(session), ACME)
    assert (report.ok, report.events) == (True, 20)


TAMPERINGS = {
    "the data of one event": 'update audit_event set data = data || \'{"before": "x"}\' where seq = 3',
    "who did it": 'update audit_event set actor = actor || \'{"name": "Nobody"}\' where seq = 3',
    "when it was": "update audit_event set at = at + interval '1 microsecond' where seq = 3",
    "what was done": "update audit_event set verb = 'organisation.suspended' where seq = 3",
    "the first event gone": "delete from audit_event where seq = 1",
    "one in the middle gone": "delete from audit_event where seq = 3",
    "the last event gone": "delete from audit_event where seq = 5",
    "all events gone": "delete from audit_event",
    "the head gone": "delete from audit_chain",
    "the tail cut, and the head made to fit": (
        "delete from audit_event where seq = 5;"
        "update audit_chain set seq = 4, digest = (select digest from audit_event where seq = 4)"
    ),
    "two swapped": (
        "update audit_event set seq = 99 where seq = 2; update audit_event set seq = 2 where seq = 3;"
        "update audit_event set seq = 3 where seq = 99"
    ),
    "one moved to another chain": "update audit_event set chain = 'platform' where seq = 5",
    "one given to another organisation": "update audit_event set organisation_id = null where seq = 2",
    "a copy appended": (
        "insert into audit_event select gen_random_uuid(), chain, 6, now(), organisation_id, actor, verb, data, digest"
        " from audit_event where seq = 5; update audit_chain set seq = 6"
    ),
}


@pytest.mark.parametrize("statement", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_a_tampering_is_found(engine: Engine, statement: str) -> None:
    write(engine, 5)
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    assert findings(engine, ACME)


def test_a_chain_that_vanished_whole_is_missed(engine: Engine) -> None:
    write(engine, 2)
    write(engine, 2, OTHER)
    with engine.begin() as connection:
        connection.execute(text("delete from audit_event where chain = :c"), {"c": chain_name(ACME)})
        connection.execute(text("delete from audit_chain where chain = :c"), {"c": chain_name(ACME)})
    assert findings(engine, ACME, OTHER) == [f"{ACME} at 0: absent"]


def forger_of(engine: Engine, key: bytes = b"f" * 32) -> Engine:
    """Whoever may write in the database, with a master key of his own."""
    return open_engine(str(engine.url.render_as_string(hide_password=False)), vault=Vault(key))


def test_who_does_not_have_the_key_cannot_forge_an_event(engine: Engine) -> None:
    write(engine, 2)
    forger = forger_of(engine)
    with pytest.raises(Unavailable, match="vault_refused"):
        write(forger, 1)
    with forger.begin() as connection:
        connection.execute(text("delete from audit_key"))
    write(forger, 1)
    forger.dispose()
    assert findings(engine)


def test_the_control_who_has_the_master_key_can(engine: Engine, vault: Vault) -> None:
    write(engine, 2)
    insider = forger_of(engine, vault.master)
    write(insider, 1)
    insider.dispose()
    assert findings(engine) == []


def test_an_engine_without_its_vault_can_record_nothing(control_url: str) -> None:
    engine = open_engine(control_url)
    with pytest.raises(RuntimeError, match="without its vault"):
        write(engine, 1)
    engine.dispose()


@dataclass
class Copy:
    """A chain in memory, to be tampered with a thousand times."""

    key: bytes
    events: list[AuditEvent]
    head: AuditChain

    def verify(self) -> bool:
        """Whether the real verification finds nothing."""

        class Rows:
            def __init__(self, found: list[AuditEvent]) -> None:
                self.found = found

            def partitions(self, _size: int) -> Iterator[list[AuditEvent]]:
                yield self.found

        class Database:
            """Answers what `verify` asks, from the copy."""

            def __init__(self, copy: "Copy") -> None:
                self.copy = copy

            def get(self, *_args: object, **_options: object) -> AuditChain:
                return self.copy.head

            def scalars(self, _query: object) -> Rows:
                return Rows(sorted(self.copy.events, key=lambda event: event.seq))

            def expunge(self, _event: AuditEvent) -> None:
                """Nothing holds them."""

        return audit.verify(Database(self), self.key, ACME).ok  # type: ignore[arg-type]


def a_copy(key: bytes, length: int) -> Copy:
    events, before = [], bytes(32)
    for seq in range(1, length + 1):
        event = AuditEvent(
            id=new_id(),
            chain=chain_name(ACME),
            seq=seq,
            at=datetime.now(UTC),
            organisation_id=ACME,
            actor=JEANNE.as_json(),
            verb="organisation.renamed",
            data={"before": str(seq), "after": "x"},
        )
        event.digest = before = event_digest(key, event, before)
        events.append(event)
    return Copy(
        key,
        events,
        AuditChain(chain=chain_name(ACME), seq=length, digest=head_digest(key, chain_name(ACME), length, before)),
    )


def _edit(copy: Copy, chance: random.Random) -> None:
    event = chance.choice(copy.events)
    field = chance.choice(["data", "verb", "at", "actor", "organisation_id", "id", "digest"])
    other = {
        "data": {"before": "forged"},
        "verb": "organisation.erased",
        "at": event.at + timedelta(microseconds=chance.choice([1, -1, 10**6])),
        "actor": {**event.actor, "name": "Nobody"},
        "organisation_id": OTHER,
        "id": new_id(),
        "digest": chance.randbytes(32),
    }
    setattr(event, field, other[field])


def _delete(copy: Copy, chance: random.Random) -> None:
    copy.events.remove(chance.choice(copy.events))


def _delete_and_renumber(copy: Copy, chance: random.Random) -> None:
    _delete(copy, chance)
    for seq, event in enumerate(copy.events, 1):
        event.seq = seq
    copy.head.seq = len(copy.events)


def _swap(copy: Copy, chance: random.Random) -> None:
    one, other = chance.sample(copy.events, 2)
    one.seq, other.seq = other.seq, one.seq


def _cut(copy: Copy, chance: random.Random) -> None:
    keep = chance.randrange(1, len(copy.events))
    del copy.events[keep:]
    copy.head.seq, copy.head.digest = keep, copy.events[-1].digest


WAYS: list[Callable[[Copy, random.Random], None]] = [_edit, _delete, _delete_and_renumber, _swap, _cut]


def test_a_thousand_random_tamperings_are_all_found() -> None:
    chance = random.Random(20261123)
    key = b"k" * 32
    whole = a_copy(key, 12)
    assert whole.verify()
    missed = []
    for number in range(1000):
        copy = _clone(whole)
        way = chance.choice(WAYS)
        way(copy, chance)
        if copy.verify():
            missed.append((number, way.__name__))
    assert missed == []


def test_an_unkeyed_chain_would_hide_them() -> None:
    """The broken control: whoever can compute the digests can rewrite the whole chain."""
    key = b"k" * 32
    forged = a_copy(key, 11)
    assert forged.verify()


def _clone(whole: Copy) -> Copy:
    columns = ("id", "chain", "seq", "at", "organisation_id", "actor", "verb", "data", "digest")
    events = [AuditEvent(**{name: copy.copy(getattr(event, name)) for name in columns}) for event in whole.events]
    return Copy(whole.key, events, AuditChain(chain=whole.head.chain, seq=whole.head.seq, digest=whole.head.digest))


def test_events_are_read_newest_first_by_what_one_looks_for(session: Session) -> None:
    for verb, organisation in (("organisation.renamed", ACME), ("offer.published", None), ("organisation.live", ACME)):
        audit.record(session, verb, actor=JEANNE if organisation else SYSTEM, organisation_id=organisation)

    def verbs(**wanted: object) -> list[str]:
        return [event.verb for event in audit.events(session, Filter(**wanted)).items]  # type: ignore[arg-type]

    assert verbs() == ["organisation.live", "offer.published", "organisation.renamed"]
    assert verbs(organisation_id=ACME) == ["organisation.live", "organisation.renamed"]
    assert verbs(verb="organisation.live") == ["organisation.live"]
    assert verbs(verb="organisation.") == ["organisation.live", "organisation.renamed"]
    assert verbs(actor="jeanne") == ["organisation.live", "organisation.renamed"]
    assert verbs(actor="7") == ["organisation.live", "organisation.renamed"]
    assert verbs(since=datetime.now(UTC) + timedelta(hours=1)) == []
    assert verbs(until=datetime.now(UTC) - timedelta(hours=1)) == []


def test_pages_stay_true_while_events_are_added(session: Session) -> None:
    for number in range(7):
        audit.record(session, f"a.n{number}", actor=SYSTEM)
    first = audit.events(session, Filter(limit=3))
    audit.record(session, "a.late", actor=SYSTEM)
    second = audit.events(session, Filter(limit=3, cursor=first.next_cursor))
    third = audit.events(session, Filter(limit=3, cursor=second.next_cursor))
    seen = [event.verb for page in (first, second, third) for event in page.items]
    assert seen == [f"a.n{number}" for number in reversed(range(7))]
    assert third.next_cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "W10", "WyJhIl0", "é", "=" * 9, "A" * 5000])
def test_a_cursor_that_we_did_not_give_is_refused(session: Session, cursor: str) -> None:
    if cursor:
        with pytest.raises(Refusal, match="first page"):
            audit.events(session, Filter(cursor=cursor))


@pytest.mark.parametrize("limit", [0, -1, 201])
def test_a_page_has_a_sensible_size(session: Session, limit: int) -> None:
    with pytest.raises(Refusal, match="1 to 200"):
        audit.events(session, Filter(limit=limit))
