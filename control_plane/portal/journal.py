"""The record of who did what, with filters, and whether its chains hold."""

from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency

from control_plane import audit, organisations
from control_plane.audit import Filter
from control_plane.identity import Permission
from control_plane.organisations import Organisation
from control_plane.portal.desk import Desk, requires
from control_plane.portal.words import VERBS
from kit.errors import Refusal
from kit.interface import Form, field_errors, locale_of
from kit.interface.entries import PARIS, Entries

READERS = [requires(Permission.AUDIT_READ)]
FILTERS = ("organisation", "verb", "actor", "since", "until")
GROUPS = ("organisation.", "operation.", "staff.", "token.", "offer.", "cell.")


def _day(entries: Entries, name: str, *, after: int = 0) -> datetime | None:
    text = entries.text(name)
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day, its zone follows
    except ValueError as error:
        raise Refusal("date_invalid", "This is not a date.", field=name) from error
    return datetime.combine(day + timedelta(days=after), time(0), PARIS)


def _organisation(desk: Desk, text: str) -> Organisation | None:
    if not text:
        return None
    try:
        return organisations.find(desk.session, text)
    except Refusal as refusal:
        message = "There is no organisation with this address."
        raise Refusal("unknown_organisation", message, field="organisation") from refusal


def _filter(desk: Desk, entries: Entries) -> Filter:
    row = _organisation(desk, entries.text("organisation"))
    return Filter(
        organisation_id=row.id if row else None,
        verb=entries.maybe("verb"),
        actor=entries.maybe("actor"),
        since=_day(entries, "since"),
        until=_day(entries, "until", after=1),
        cursor=entries.maybe("cursor"),
    )


def _page(desk: Desk, entries: Entries, **context: Any) -> Response[str]:
    errors: dict[str, str] = {}
    try:
        found = audit.events(desk.session, _filter(desk, entries))
    except Refusal as refusal:
        errors = field_errors(refusal, locale_of(desk.request, desk.staff.locale))
        found = audit.events(desk.session)
    query = {name: entries.text(name) for name in FILTERS if entries.text(name)}
    return desk.show(
        "portal/audit.html",
        status=422 if errors else 200,
        page=found,
        form=Form(entries.values(), errors),
        names=_names(desk, {event.organisation_id for event in found.items if event.organisation_id}),
        verbs=VERBS,
        groups=GROUPS,
        next_page=f"/audit?{urlencode({**query, 'cursor': found.next_cursor})}" if found.next_cursor else None,
        first=not entries.text("cursor"),
        query=query,
        **{"report": None, **context},
    )


def _names(desk: Desk, ids: set[UUID]) -> dict[UUID, str]:
    return {one: organisations.get(desk.session, one).name for one in ids}


@get("/audit", guards=READERS, sync_to_thread=True)
def show_journal(desk: NamedDependency[Desk]) -> Response[str]:
    """Events, newest first."""
    return _page(desk, Entries.of(desk.request.query_params))


@post("/audit/verify", guards=[requires(Permission.AUDIT_VERIFY)], sync_to_thread=True)
def verify_journal(desk: NamedDependency[Desk]) -> Response[str]:
    """Re-compute every chain. It changes nothing, so its result is shown at once."""
    report = audit.verify(desk.session, audit.audit_key(desk.session))
    return _page(desk, Entries({}), report=report)


handlers = [show_journal, verify_journal]
