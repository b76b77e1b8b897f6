"""Who signed in to an organisation's workspace, and what its directories did there, a page at a time."""

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from control_plane.identity import changing
from kit.pages import Page, decode_cursor, encode_cursor, page_size
from tenant_app.contract import HistoryFilter, ScimEvent, Trace

Entry = TypeVar("Entry", Trace, ScimEvent)


def history_page(
    read: Callable[[UUID, HistoryFilter], list[Entry]], organisation_id: UUID, wanted: HistoryFilter, cursor: str | None
) -> Page[Entry]:
    """One page, the latest first. Raises `Unavailable` where the workspace's database is away."""
    before = decode_cursor(cursor, UUID)[0] if cursor else wanted.before
    limit = page_size(wanted.limit)
    # One more than is shown tells whether there is more.
    rows = read(organisation_id, msgspec.structs.replace(wanted, before=before, limit=limit + 1))
    items = rows[:limit]
    return Page(items, encode_cursor(items[-1].id) if len(rows) > limit else None)


def sign_ins(session: Session, organisation_id: UUID, wanted: HistoryFilter, cursor: str | None = None) -> Page[Trace]:
    """Sign-ins and test runs; none of an organisation that has no workspace."""
    database: Any = changing.database_of(session, organisation_id)
    return Page([]) if database is None else history_page(database.sign_ins, organisation_id, wanted, cursor)


def scim_events(
    session: Session, organisation_id: UUID, wanted: HistoryFilter, cursor: str | None = None
) -> Page[ScimEvent]:
    """What its directories did; nothing of an organisation that has no workspace."""
    database: Any = changing.database_of(session, organisation_id)
    return Page([]) if database is None else history_page(database.scim_events, organisation_id, wanted, cursor)
