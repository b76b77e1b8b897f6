"""What has happened in a workspace, for its organisation's journal: sign-ins with their trace; what directories did.

Both are read page by page, the latest first, in the order of their ids: these are UUIDv7, so that a span of time is a
span of the primary key, and a page costs the same however many come before it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from kit.errors import Unavailable
from kit.ids import least_id
from tenant_app.contract.connections import Connection
from tenant_app.contract.people import Trace, inside
from tenant_app.contract.values import Value

# One more than anybody shows, which tells that there is more.
LONGEST_PAGE = 201
FIRST, LAST = UUID(int=0), UUID(int=2**128 - 1)
# An id is made by the clock of a process, the moment beside it by the database's.
CLOCKS = 300.0
# For how long a workspace keeps either; its worker forgets what is older.
TRACE_DAYS, EVENT_DAYS = 30, 365

WITHIN = """
  and (%(since)s::timestamptz is null or at >= %(since)s) and (%(until)s::timestamptz is null or at < %(until)s)
  and (%(verb)s::text is null or verb = %(verb)s or (right(%(verb)s, 1) = '.' and starts_with(verb, %(verb)s)))
  and (%(who)s::text is null or who_id::text = %(who)s or lower(name) like %(words)s or lower(email) like %(words)s)
order by id desc limit %(limit)s
"""
SIGN_INS = f"""
select id, connection_id, purpose, outcome, who_id, data, at from (
    select t.id, t.connection_id, t.purpose, t.outcome, t.principal_id as who_id, t.data, t.created_at as at,
           t.purpose || case when t.outcome = 'ok' then '.ok' else '.refused' end as verb,
           coalesce(t.data -> 'result' ->> 'name', p.name) as name,
           coalesce(t.data -> 'result' ->> 'email', p.email) as email
    from sso_trace t left join principal p on p.id = t.principal_id) as found
where id >= %(low)s and id < %(high)s {WITHIN}
"""  # noqa: S608 - our own statement
EVENTS = f"""
select id, token_id, verb, who_id, name, data, at from (
    select e.id, e.token_id, e.verb, e.object_id as who_id, e.data, e.created_at as at,
           coalesce(p.name, g.data ->> 'displayName') as name, p.email
    from scim_event e left join principal p on p.id = e.object_id left join scim_group g on g.id = e.object_id) as found
where id >= %(low)s and id < %(high)s {WITHIN}
"""  # noqa: S608 - our own statement


class HistoryFilter(Value, frozen=True, kw_only=True):
    """Which entries: `verb` exactly, or as a beginning that ends in a dot; `who` is an id, or a part of name or e-mail.

    `before` is the last one of the page before. A sign-in's verb is `sign_in.ok`, `sign_in.refused`, or the same of
    `test`.
    """

    since: datetime | None = None
    until: datetime | None = None
    verb: str | None = None
    who: str | None = None
    before: UUID | None = None
    limit: int = 50


class ScimEvent(Value, frozen=True, kw_only=True):
    """What a directory did to whom, the name as it is now; without a token: what was decided about it here."""

    id: UUID
    token_id: UUID | None
    verb: str
    object_id: UUID | None
    name: str | None
    data: dict[str, Any]
    at: datetime


def sign_ins(connection: Connection, organisation_id: UUID, wanted: HistoryFilter) -> list[Trace]:
    """Sign-ins and test runs of all the organisation's connections, those that it has removed too."""
    rows = _rows(connection, organisation_id, SIGN_INS, wanted)
    return [Trace(**dict(zip(Trace.__struct_fields__, row, strict=True))) for row in rows]


def events(connection: Connection, organisation_id: UUID, wanted: HistoryFilter) -> list[ScimEvent]:
    """What directories did."""
    rows = _rows(connection, organisation_id, EVENTS, wanted)
    return [ScimEvent(**dict(zip(ScimEvent.__struct_fields__, row, strict=True))) for row in rows]


@contextmanager
def upgraded() -> Iterator[None]:
    """A slot that waits for its upgrade has none of this yet: then we try again."""
    try:
        yield
    except psycopg.errors.UndefinedTable as error:
        raise Unavailable("slot_outdated", "this slot waits for its upgrade") from error


def _rows(connection: Connection, organisation_id: UUID, query: str, wanted: HistoryFilter) -> list[Any]:
    with upgraded(), inside(connection, organisation_id):
        return connection.execute(query.encode(), values(wanted)).fetchall()


def values(wanted: HistoryFilter) -> dict[str, Any]:
    """What the statements are given: bounds of the ids beside those of the moments."""
    low = FIRST if wanted.since is None else least_id(wanted.since, -CLOCKS)
    who = None if wanted.who is None else wanted.who.lower()
    high = LAST if wanted.until is None else least_id(wanted.until, CLOCKS)
    return {
        "low": low,
        "high": high if wanted.before is None else min(high, wanted.before),
        "since": wanted.since,
        "until": wanted.until,
        "verb": wanted.verb,
        "who": who,
        "words": None if who is None else f"%{_literal(who)}%",
        "limit": max(1, min(wanted.limit, LONGEST_PAGE)),
    }


def _literal(words: str) -> str:
    for special in ("\\", "%", "_"):
        words = words.replace(special, "\\" + special)
    return words
