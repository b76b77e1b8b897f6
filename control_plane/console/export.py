"""The journal to take away: all three kinds of entries in the order of time, a page at a time, as CSV or JSON.

Changes are in our own record, sign-ins and what the directory did in the workspace's database. If that is lost in the
midst, the file goes on and says what it lacks: an entry of its own stands where a kind ends too early.
"""

import csv
import heapq
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Engine

from control_plane import audit
from control_plane.audit import AuditEvent, Filter
from control_plane.console.traces import run_of
from kit import logs
from kit.db import transaction
from kit.errors import Refusal, Unavailable
from kit.interface import N_, translator
from tenant_app.contract import CellDatabase, HistoryFilter, ScimEvent, Trace

CHANGES, SIGN_INS, DIRECTORY = "changes", "sign-ins", "directory"
KINDS = (CHANGES, SIGN_INS, DIRECTORY)
PER_PAGE = 200
COLUMNS = (
    *("kind", "number", "at", "verb", "actor_kind", "actor_id", "actor_name", "request_id"),
    *("object_id", "object_name", "data"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")
MISSING = N_(
    "The workspace's database did not answer: what happened before this moment is missing here."
    " Take the export again in a moment."
)

Row = dict[str, Any]

log = logs.get("console")


@dataclass(frozen=True)
class Wanted:
    """Which entries of one organisation, and the words for what is read nowhere else."""

    engine: Engine
    database: CellDatabase
    filter: Filter
    locale: str
    connections: dict[UUID, str]
    tokens: dict[UUID, str]

    @property
    def organisation_id(self) -> UUID:
        """Whose journal it is."""
        assert self.filter.organisation_id is not None
        return self.filter.organisation_id

    @property
    def history(self) -> HistoryFilter:
        """The same filter in the workspace's words."""
        asked = self.filter
        return HistoryFilter(since=asked.since, until=asked.until, verb=asked.verb, who=asked.actor, limit=PER_PAGE)


def entries(wanted: Wanted, kinds: Iterable[str] = KINDS) -> Iterator[Row]:
    """Every entry that fits, the latest first. Memory stays flat, and no transaction waits for a slow reader."""
    found = [_whole(wanted, kind) for kind in kinds]
    return heapq.merge(*found, key=itemgetter("at"), reverse=True)


def _whole(wanted: Wanted, kind: str) -> Iterator[Row]:
    """One kind; where it ends too early, the entry that says so."""
    at = wanted.filter.until or datetime.now(UTC)
    try:
        for row in READERS[kind](wanted):
            at = row["at"]
            yield _row(kind=kind, **row)
    except Unavailable as error:
        log.warning("an export is incomplete", organisation_id=str(wanted.organisation_id), kind=kind, error=str(error))
        words = translator(wanted.locale).words(Refusal("incomplete", MISSING))
        actor = {"actor_kind": "system", "actor_name": "Parvis"}
        yield _row(kind=kind, at=at, verb="export.incomplete", **actor, data={"missing_before": at, "detail": words})


def _row(**known: Any) -> Row:
    return {name: known.get(name) for name in COLUMNS}


def _changes(wanted: Wanted) -> Iterator[Row]:
    cursor = wanted.filter.cursor
    while True:
        with transaction(wanted.engine) as session:
            found = audit.events(session, replace(wanted.filter, cursor=cursor, limit=PER_PAGE))
        yield from map(_change, found.items)
        cursor = found.next_cursor
        if cursor is None:
            return


def _change(event: AuditEvent) -> Row:
    actor = event.actor
    return {
        "number": event.seq,
        "at": event.at,
        "verb": event.verb,
        "actor_kind": actor.get("kind", ""),
        "actor_id": actor.get("id", ""),
        "actor_name": actor.get("name", ""),
        "request_id": actor.get("request_id"),
        "data": event.data,
    }


def _sign_ins(wanted: Wanted) -> Iterator[Row]:
    for trace in _paged(wanted, wanted.database.sign_ins):
        yield _sign_in(trace, wanted)


def _sign_in(trace: Trace, wanted: Wanted) -> Row:
    run = run_of(trace)
    said = None if run.failure is None else translator(wanted.locale).words(run.failure)
    shown = {name: trace.data.get(name) for name in ("checks", "claims", "result")}
    return {
        "at": trace.at,
        "verb": f"{trace.purpose}.{'ok' if trace.outcome == 'ok' else 'refused'}",
        "actor_kind": "person",
        "actor_id": trace.principal_id,
        "actor_name": run.result.get("name") or run.result.get("email"),
        "object_id": trace.connection_id,
        "object_name": wanted.connections.get(trace.connection_id),
        "data": {"trace": trace.id, "outcome": trace.outcome, "failure": said, **shown},
    }


def _events(wanted: Wanted) -> Iterator[Row]:
    for event in _paged(wanted, wanted.database.scim_events):
        yield _event(event, wanted)


def _event(event: ScimEvent, wanted: Wanted) -> Row:
    token = event.token_id
    return {
        "at": event.at,
        "verb": event.verb,
        "actor_kind": "member" if token is None else "directory",
        "actor_id": event.data.get("decided_by") if token is None else token,
        "actor_name": None if token is None else wanted.tokens.get(token),
        "object_id": event.object_id,
        "object_name": event.name,
        "data": event.data,
    }


def _paged(wanted: Wanted, read: Callable[[UUID, HistoryFilter], list[Any]]) -> Iterator[Any]:
    asked = wanted.history
    while True:
        page = read(wanted.organisation_id, asked)
        yield from page
        if len(page) < PER_PAGE:
            return
        asked = msgspec.structs.replace(asked, before=page[-1].id)


READERS: dict[str, Callable[[Wanted], Iterator[Row]]] = {CHANGES: _changes, SIGN_INS: _sign_ins, DIRECTORY: _events}


def as_json(rows: Iterator[Row]) -> Iterator[bytes]:
    """A list of objects."""
    before = b"[\n"
    for row in rows:
        yield before + msgspec.json.encode(row)
        before = b",\n"
    yield b"]\n" if before.startswith(b",") else b"[]\n"


def as_csv(rows: Iterator[Row]) -> Iterator[bytes]:
    """A table. The mark tells spreadsheets that it is UTF-8."""
    yield "\ufeff".encode() + _line(list(COLUMNS))
    for row in rows:
        yield _line([_cell(row[name]) for name in COLUMNS])


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return msgspec.json.encode(value).decode()
    text = value.isoformat() if isinstance(value, datetime) else str("" if value is None else value)
    # A spreadsheet would take what somebody has typed for a formula.
    return f"'{text}" if text.startswith(FORMULA) else text


def _line(cells: list[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue().encode()
