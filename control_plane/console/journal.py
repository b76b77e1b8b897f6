"""The organisation's record of who did what, to read and to take away."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.response import Stream
from sqlalchemy import Engine

from control_plane import audit
from control_plane.audit import AuditEvent, Filter
from control_plane.console.desk import Desk, requires
from control_plane.console.permissions import Permission
from control_plane.console.words import VERBS
from kit.db import transaction
from kit.errors import Refusal
from kit.interface import Form
from kit.interface.entries import PARIS, Entries

READERS = [requires(Permission.AUDIT)]
FILTERS = ("verb", "actor", "since", "until")
GROUPS = (
    *("organisation.", "console.", "member.", "domain.", "connection.", "policy."),
    *("scim_token.", "scim_removal.", "set_up_link."),
)
COLUMNS = ("number", "at", "verb", "actor_kind", "actor_id", "actor_name", "request_id", "data")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _day(entries: Entries, name: str, *, after: int = 0) -> datetime | None:
    text = entries.text(name)
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day, its zone follows
    except ValueError as error:
        raise Refusal("date_invalid", "This is not a date.", field=name) from error
    return datetime.combine(day + timedelta(days=after), time(0), PARIS)


def _filter(desk: Desk, entries: Entries, **more: Any) -> Filter:
    # The organisation is the session's: nothing in the address can name another one.
    return Filter(
        organisation_id=desk.organisation_id,
        verb=entries.maybe("verb"),
        actor=entries.maybe("actor"),
        since=_day(entries, "since"),
        until=_day(entries, "until", after=1),
        cursor=entries.maybe("cursor"),
        **more,
    )


@get("/journal", guards=READERS, sync_to_thread=True)
def show_journal(desk: NamedDependency[Desk]) -> Response[str]:
    """Events, newest first."""
    entries, errors = Entries.of(desk.request.query_params), {}
    try:
        found = audit.events(desk.session, _filter(desk, entries))
    except Refusal as refusal:
        errors = desk.errors(refusal)
        found = audit.events(desk.session, Filter(organisation_id=desk.organisation_id))
    query = {name: entries.text(name) for name in FILTERS if entries.text(name)}
    more = urlencode({**query, "cursor": found.next_cursor})
    return desk.show(
        "console/journal.html",
        status=422 if errors else 200,
        page=found,
        form=Form(entries.values(), errors),
        verbs=VERBS,
        groups=[group for group in GROUPS if any(verb.startswith(group) for verb in VERBS)],
        query=query,
        query_text=urlencode(query),
        next_page=f"/console/journal?{more}" if found.next_cursor else None,
        first=not entries.text("cursor"),
    )


@get("/journal/export.csv", guards=READERS, sync_to_thread=True)
def export_csv(desk: NamedDependency[Desk]) -> Stream:
    """All events that fit, as a table."""
    return _file(desk, "csv", "text/csv; charset=utf-8", _as_csv)


@get("/journal/export.json", guards=READERS, sync_to_thread=True)
def export_json(desk: NamedDependency[Desk]) -> Stream:
    """All events that fit, as a list of JSON objects."""
    return _file(desk, "json", "application/json", _as_json)


def _file(desk: Desk, suffix: str, kind: str, write: Any) -> Stream:
    wanted = _filter(desk, Entries.of(desk.request.query_params), limit=200)
    name = f"{desk.organisation.address}-journal.{suffix}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Stream(write(_all(desk.request.app.state.engine, wanted)), media_type=kind, headers=headers)


def _all(engine: Engine, wanted: Filter) -> Iterator[dict[str, Any]]:
    """Every event that fits, a page at a time: memory stays flat, and no transaction waits for a slow reader."""
    cursor = wanted.cursor
    while True:
        with transaction(engine) as session:
            found = audit.events(session, Filter(**{**vars(wanted), "cursor": cursor}))
        yield from (_plain(event) for event in found.items)
        cursor = found.next_cursor
        if cursor is None:
            return


def _plain(event: AuditEvent) -> dict[str, Any]:
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


def _as_json(events: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    before = b"[\n"
    for event in events:
        yield before + msgspec.json.encode(event)
        before = b",\n"
    yield b"]\n" if before.startswith(b",") else b"[]\n"


def _as_csv(events: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    # The mark tells spreadsheets that it is UTF-8.
    yield "\ufeff".encode() + _row(list(COLUMNS))
    for event in events:
        yield _row([_cell(event[name]) for name in COLUMNS])


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return msgspec.json.encode(value).decode()
    text = value.isoformat() if isinstance(value, datetime) else str("" if value is None else value)
    # A spreadsheet would take what somebody has typed for a formula.
    return f"'{text}" if text.startswith(FORMULA) else text


def _row(cells: list[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue().encode()


handlers = [show_journal, export_csv, export_json]
