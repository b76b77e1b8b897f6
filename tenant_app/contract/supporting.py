"""Support in a workspace, as the organisation console looks at it: who decides about it, and what it looked at."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tenant_app.contract.connections import Connection
from tenant_app.contract.people import LONGEST_PAGE, PEOPLE, Person, as_person, inside
from tenant_app.contract.values import Value

MOST_TOLD = 50

ADMINISTRATORS = f"""{PEOPLE}
where p.role >= 2 and p.disabled_at is null and p.email is not null order by p.role desc, p.id limit %s
"""
# Ids of the journal are ordered by time: its primary key finds the days of one consent without reading the rest.
ACTS = """
select j.id, j.created_at, j.verb, j.data ->> 'path', coalesce(n.kind, case when s.id is not null then 's' end),
       case when a.subject_id is not null then coalesce(n.name, s.name) end,
       case when a.subject_id is not null then ns.name end
from journal j
left join node n on n.id = j.object_id
left join space s on s.id = j.object_id
left join space ns on ns.id = n.space_id
left join access a on a.object_id = coalesce(n.acl_id, s.id) and a.subject_id = %(viewer)s
where j.id >= %(since)s and j.id < %(until)s and j.data -> 'support' ->> 'grant' = %(grant)s
order by j.id desc limit %(limit)s
"""


class SupportAct(Value, frozen=True, kw_only=True):
    """One thing that support did or looked at. Names are told to whoever may see the thing himself, else None.

    `kind`: d a folder, f a file, s a space; None for a page that is none of these.
    """

    id: UUID
    at: datetime
    verb: str
    path: str | None
    kind: str | None
    name: str | None
    space: str | None


def administrators(connection: Connection, organisation_id: UUID) -> list[Person]:
    """Who may consent to support, and reads mail; owners first."""
    with inside(connection, organisation_id):
        return [as_person(row) for row in connection.execute(ADMINISTRATORS.encode(), [MOST_TOLD]).fetchall()]


def acts(
    connection: Connection, organisation_id: UUID, grant: UUID, viewer: UUID, *, since: datetime, until: datetime
) -> list[SupportAct]:
    """What somebody did by this consent, the latest first."""
    asked: dict[str, Any] = {
        "grant": str(grant),
        "viewer": viewer,
        "since": _first_id(since),
        "until": _first_id(until),
        "limit": LONGEST_PAGE,
    }
    with inside(connection, organisation_id):
        rows = connection.execute(ACTS.encode(), asked).fetchall()
    return [SupportAct(**dict(zip(SupportAct.__struct_fields__, row, strict=True))) for row in rows]


def _first_id(moment: datetime) -> UUID:
    """No UUIDv7 of this moment or later is smaller."""
    return UUID(int=int(moment.astimezone(UTC).timestamp() * 1000) << 80)
