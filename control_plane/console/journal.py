"""The organisation's journal, to read and to take away: who changed what, who signed in, what its directory did."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.response import Stream

from control_plane import audit, identity
from control_plane.audit import Filter
from control_plane.console import export
from control_plane.console.desk import Desk, requires
from control_plane.console.export import CHANGES, DIRECTORY, KINDS, SIGN_INS, Wanted
from control_plane.console.permissions import Permission
from control_plane.console.traces import SIGN_IN_VERBS, run_of
from control_plane.console.words import SCIM_VERBS, VERBS
from kit.errors import Refusal, Unavailable
from kit.interface import Form
from kit.interface.entries import PARIS, Entries
from kit.pages import Page
from tenant_app.contract import EVENT_DAYS, TRACE_DAYS, HistoryFilter

READERS = [requires(Permission.AUDIT)]
FILTERS = ("verb", "actor", "since", "until")
# What every kind has in common, and so stays when one looks at another.
SHARED = ("actor", "since", "until")
GROUPS = {
    CHANGES: (
        *("organisation.", "console.", "member.", "domain.", "connection.", "policy."),
        *("scim_token.", "scim_removal.", "set_up_link.", "support."),
    ),
    SIGN_INS: ("sign_in.", "test."),
    DIRECTORY: ("user.", "group.", "mapping."),
}
WORDS = {CHANGES: VERBS, SIGN_INS: SIGN_IN_VERBS, DIRECTORY: SCIM_VERBS}
PER_PAGE = 50


def _day(entries: Entries, name: str, *, after: int = 0) -> datetime | None:
    text = entries.text(name)
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day, its zone follows
        return datetime.combine(day + timedelta(days=after), time(0), PARIS)
    except (ValueError, OverflowError) as error:
        raise Refusal("date_invalid", "This is not a date.", field=name) from error


def _filter(desk: Desk, entries: Entries) -> Filter:
    # The organisation is the session's: nothing in the address can name another one.
    return Filter(
        organisation_id=desk.organisation_id,
        verb=entries.maybe("verb"),
        actor=entries.maybe("actor"),
        since=_day(entries, "since"),
        until=_day(entries, "until", after=1),
        cursor=entries.maybe("cursor"),
    )


def _found(desk: Desk, kind: str, wanted: Filter) -> Page[Any]:
    """A page of one kind. Raises `Unavailable` where the workspace's database is away."""
    if kind == CHANGES:
        return audit.events(desk.session, wanted)
    read: Any = desk.database.sign_ins if kind == SIGN_INS else desk.database.scim_events
    asked = HistoryFilter(since=wanted.since, until=wanted.until, verb=wanted.verb, who=wanted.actor, limit=PER_PAGE)
    page: Page[Any] = identity.history_page(read, desk.organisation_id, asked, wanted.cursor)
    items = [(one, run_of(one)) for one in page.items] if kind == SIGN_INS else page.items
    return Page(items, page.next_cursor)


def _kind(entries: Entries) -> str:
    return entries.text("kind") if entries.text("kind") in KINDS else CHANGES


@get("/journal", guards=READERS, sync_to_thread=True)
def show_journal(desk: NamedDependency[Desk]) -> Response[str]:
    """Entries of one kind, newest first."""
    entries = Entries.of(desk.request.query_params)
    kind, errors, away = _kind(entries), {}, False
    found: Page[Any] = Page([])
    try:
        found = _found(desk, kind, _filter(desk, entries))
    except Refusal as refusal:
        errors = desk.errors(refusal)
    except Unavailable:
        away = True
    return desk.show(
        "console/journal.html",
        status=503 if away else 422 if errors else 200,
        page=found,
        away=away,
        form=Form(entries.values(), errors),
        **_places(entries, kind, found.next_cursor),
        **_words(desk, kind),
    )


def _places(entries: Entries, kind: str, cursor: str | None) -> dict[str, Any]:
    """Where the page leads: other kinds, the next page, the files."""
    kept = {name: entries.text(name) for name in FILTERS if entries.text(name)}
    shared = {name: text for name, text in kept.items() if name in SHARED}
    query = {"kind": kind, **kept}
    return {
        "kind": kind,
        "filtered": bool(kept),
        "query_text": urlencode(query),
        "shared_text": urlencode(shared),
        "kinds": [(one, f"/console/journal?{urlencode({'kind': one, **shared})}") for one in KINDS],
        "next_page": f"/console/journal?{urlencode({**query, 'cursor': cursor})}" if cursor else None,
        "first": not entries.text("cursor"),
    }


def _words(desk: Desk, kind: str) -> dict[str, Any]:
    verbs = WORDS[kind]
    return {
        "verbs": verbs,
        "groups": [group for group in GROUPS[kind] if any(verb.startswith(group) for verb in verbs)],
        "connections": _connections(desk),
        "days": {SIGN_INS: TRACE_DAYS, DIRECTORY: EVENT_DAYS},
    }


def _connections(desk: Desk) -> dict[UUID, str]:
    return {one.id: one.name for one in identity.connections(desk.session, desk.organisation_id)}


@get("/journal/export.csv", guards=READERS, sync_to_thread=True)
def export_csv(desk: NamedDependency[Desk]) -> Stream:
    """All entries that fit, as a table; without `kind`, all three kinds."""
    return _file(desk, "csv", "text/csv; charset=utf-8", export.as_csv)


@get("/journal/export.json", guards=READERS, sync_to_thread=True)
def export_json(desk: NamedDependency[Desk]) -> Stream:
    """All entries that fit, as a list of JSON objects; without `kind`, all three kinds."""
    return _file(desk, "json", "application/json", export.as_json)


def _file(desk: Desk, suffix: str, media_type: str, write: Any) -> Stream:
    entries = Entries.of(desk.request.query_params)
    kinds = (_kind(entries),) if entries.text("kind") else KINDS
    wanted = Wanted(
        engine=desk.request.app.state.engine,
        database=desk.database,
        filter=replace(_filter(desk, entries), cursor=None),
        locale=desk.locale,
        connections=_connections(desk),
        tokens={one.id: one.name for one in identity.scim_tokens(desk.session, desk.organisation_id)},
    )
    name = "-".join([desk.organisation.address, "journal", *(kinds if len(kinds) == 1 else ())])
    headers = {"Content-Disposition": f'attachment; filename="{name}.{suffix}"'}
    return Stream(write(export.entries(wanted, kinds)), media_type=media_type, headers=headers)


handlers = [show_journal, export_csv, export_json]
