"""People of a workspace, as the organisation console looks at them and changes them; and traces of sign-ins.

Everything runs as the slot's own role, so nothing of a neighbour can be seen or touched by a mistake in here. The rules
are the workspace's own: somebody always owns it, a seat is counted before it is taken, its journal tells each change.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from kit.errors import Refusal
from kit.ids import new_id
from tenant_app.contract import rights
from tenant_app.contract.connections import Connection
from tenant_app.contract.records import slot_name
from tenant_app.contract.values import Value

PersonRole = Literal["guest", "member", "administrator", "owner"]
ROLES: tuple[PersonRole, ...] = ("guest", "member", "administrator", "owner")
OWNER = 3
ADMINISTRATOR = 2
LONGEST_PAGE = 200

PEOPLE = """
select p.id, p.name, p.email, p.role, p.disabled_at is null, p.locale, p.tz, p.seen_at,
       coalesce(c.strong > 0, false), coalesce(c.passkeys, 0),
       p.role = 3 or (p.role = 2 and exists (select from setting where key = 'sso_admin:' || p.id))
from principal p left join lateral (
    select count(*) filter (where kind in ('k', 't')) as strong, count(*) filter (where kind = 'k') as passkeys
    from credential where principal_id = p.id) c on true
"""
ONE = PEOPLE + "where p.id = %(id)s"
PAGE = f"""{PEOPLE}
where (%(words)s::text is null or lower(p.name) like %(words)s or p.email like %(words)s)
  and (%(after)s::uuid is null
       or (lower(p.name), p.id) > (select lower(a.name), a.id from principal a where a.id = %(after)s))
order by lower(p.name), p.id limit %(limit)s
"""  # noqa: S608 - our own statement
NAMED = (
    PEOPLE
    + """
where p.email = lower(%(text)s) or lower(p.name) = lower(%(text)s) order by lower(p.name), p.id limit %(limit)s
"""
)
OTHER_OWNERS = "select count(*) from principal where role = 3 and disabled_at is null and id <> %s"
SEATS = "select from tally where key = 'seats' for update"
TAKEN = """
select (select count(*) from principal where kind = %(kind)s and disabled_at is null)
     + (select count(*) from invitation where kind = %(kind)s and accepted_at is null and expires_at > now())
"""
MOST = "select entitlements ->> %s from directory.tenant where organisation_id = %s"
NOTE = "insert into journal (id, verb, object_id, data) values (%s, %s, %s, %s)"
CHORE = """
insert into directory.chore as c (organisation_id)
select organisation_id from directory.tenant where organisation_id = %s
on conflict (organisation_id) do update set due_at = least(c.due_at, excluded.due_at)
"""
TRACES = """
select id, connection_id, purpose, outcome, principal_id, data, created_at from sso_trace
where connection_id = %s order by created_at desc, id desc limit %s
"""
CAME_IN = """
select max(t.created_at) from sso_trace t join principal p on p.id = t.principal_id
where t.connection_id = %s and t.created_at >= %s and t.purpose = 'sign_in' and p.role >= 2 and p.disabled_at is null
  and coalesce(t.data ->> 'refusal', '') = '' and t.data -> 'result' ->> 'action' in ('created', 'linked', 'signed_in')
"""
PASSED = """
select max(created_at) from sso_trace where connection_id = %s and created_at >= %s and purpose = 'test'
  and coalesce(data ->> 'refusal', '') = '' and data -> 'result' ->> 'action' in ('created', 'linked', 'signed_in')
"""


class Person(Value, frozen=True, kw_only=True):
    """One of a workspace. `second_factor`: he has a passkey or one-time codes. `sso_admin`: he sets up how all sign in,
    as an owner, or as an administrator whom an owner lets.
    """

    id: UUID
    name: str
    email: str | None
    role: PersonRole
    active: bool
    locale: str
    tz: str
    seen_at: datetime | None
    second_factor: bool
    passkeys: int
    sso_admin: bool


class Trace(Value, frozen=True, kw_only=True):
    """What a sign-in or a test run went through: `data` has its checks, redacted claims, result and refusal."""

    id: UUID
    connection_id: UUID
    purpose: str
    outcome: str
    principal_id: UUID | None
    data: dict[str, Any]
    at: datetime


@contextmanager
def inside(connection: Connection, organisation_id: UUID) -> Iterator[None]:
    """Work as the organisation's own slot, in its own schema."""
    row = connection.execute("select name from directory.slot where organisation_id = %s", [organisation_id]).fetchone()
    if row is None:
        raise Refusal("workspace_missing", "This organisation has no workspace yet.", status=409)
    slot = slot_name(row[0])
    with connection.pipeline():
        connection.execute(f"SET LOCAL ROLE {slot}".encode())
        connection.execute(f"SET LOCAL search_path = {slot}, pg_temp".encode())
    yield
    with connection.pipeline():
        connection.execute("RESET ROLE")
        connection.execute("SET LOCAL search_path = DEFAULT")


def as_person(row: Any) -> Person:
    """A row of `PEOPLE`."""
    values = dict(zip(Person.__struct_fields__, (*row[:3], ROLES[row[3]], *row[4:]), strict=True))
    return Person(**values)


def _one(connection: Connection, principal_id: UUID) -> Person | None:
    row = connection.execute(ONE.encode(), {"id": principal_id}).fetchone()
    return None if row is None else as_person(row)


def person(connection: Connection, organisation_id: UUID, principal_id: UUID) -> Person | None:
    """One of its people; None for whom it does not know."""
    with inside(connection, organisation_id):
        return _one(connection, principal_id)


def people(
    connection: Connection, organisation_id: UUID, *, query: str | None, after: UUID | None, limit: int
) -> list[Person]:
    """A page of its people by name; `query` is a part of a name or an e-mail."""
    tidy = (query or "").strip().lower()
    for special in ("\\", "%", "_"):
        tidy = tidy.replace(special, "\\" + special)
    asked = {
        "words": f"%{tidy}%" if tidy else None,
        "after": after,
        "limit": max(1, min(limit, LONGEST_PAGE)),
    }
    with inside(connection, organisation_id):
        return [as_person(row) for row in connection.execute(PAGE.encode(), asked).fetchall()]


def named(connection: Connection, organisation_id: UUID, text: str) -> list[Person]:
    """Whoever has exactly this e-mail or this name, whatever its capitals; a part of it finds nobody."""
    asked = {"text": text.strip(), "limit": LONGEST_PAGE}
    with inside(connection, organisation_id):
        return [as_person(row) for row in connection.execute(NAMED.encode(), asked).fetchall()]


def set_role(connection: Connection, organisation_id: UUID, principal_id: UUID, role: str) -> Person:
    """Another role. From guest to member and back, the seat changes kind."""
    if role not in ROLES:
        raise Refusal("role_unknown", "Choose one of the roles of the list.", field="role")
    number, kind = ROLES.index(role), "g" if role == "guest" else "m"
    most = _most(connection, organisation_id, kind)
    with inside(connection, organisation_id):
        found = _for_change(connection, principal_id)
        if number < OWNER:
            _keep_an_owner(connection, found)
        if found.active and (found.role == "guest") != (role == "guest"):
            _require_seat(connection, kind, most)
        connection.execute("update principal set role = %s, kind = %s where id = %s", [number, kind, principal_id])
        facts: dict[str, Any] = {"role": number, "before": ROLES.index(found.role), "by": "console"}
        if found.role != role and rights.take(connection, principal_id):
            facts["sso_admin"] = False
        changed = _noted(connection, principal_id, "member.role_changed", facts)
    connection.execute(CHORE, [organisation_id])
    return changed


def set_sso_admin(
    connection: Connection, organisation_id: UUID, principal_id: UUID, wanted: bool, given_by: UUID
) -> Person:
    """Let an administrator set up how people sign in, or no more. Any other role than this one takes it away, too."""
    with inside(connection, organisation_id):
        found = _for_change(connection, principal_id)
        if found.role == "owner":
            raise rights.owners_have_it()
        if wanted and (found.role != "administrator" or not found.active):
            raise rights.administrators_only()
        if found.sso_admin == wanted:
            return found
        if wanted:
            rights.give(connection, principal_id, given_by)
        else:
            rights.take(connection, principal_id)
        verb = "member.sso_admin_given" if wanted else "member.sso_admin_taken"
        return _noted(connection, principal_id, verb, {"by": "console"})


def set_active(connection: Connection, organisation_id: UUID, principal_id: UUID, active: bool) -> Person:
    """Let him in again, if there is a seat; or end his sessions and keep him out. His files and his name stay."""
    most = {kind: _most(connection, organisation_id, kind) for kind in ("g", "m")}
    with inside(connection, organisation_id):
        found = _for_change(connection, principal_id)
        if found.active == active:
            return found
        if active:
            kind = "g" if found.role == "guest" else "m"
            _require_seat(connection, kind, most[kind])
            connection.execute("update principal set disabled_at = null where id = %s", [principal_id])
        else:
            _keep_an_owner(connection, found)
            connection.execute("update principal set disabled_at = now() where id = %s", [principal_id])
            connection.execute("delete from session where principal_id = %s", [principal_id])
        verb = "member.reactivated" if active else "member.deactivated"
        changed = _noted(connection, principal_id, verb, {"by": "console"})
    connection.execute(CHORE, [organisation_id])
    return changed


def _for_change(connection: Connection, principal_id: UUID) -> Person:
    connection.execute(SEATS)
    found = _one(connection, principal_id)
    if found is None:
        raise Refusal("person_unknown", "There is no such person here.", status=404)
    return found


def _keep_an_owner(connection: Connection, found: Person) -> None:
    if found.role != "owner" or not found.active:
        return
    row = connection.execute(OTHER_OWNERS, [found.id]).fetchone()
    if row is not None and row[0] == 0:
        message = "A workspace keeps at least one owner. Make somebody else an owner first."
        raise Refusal("last_owner", message, status=409)


def _most(connection: Connection, organisation_id: UUID, kind: str) -> int | None:
    named = "guests" if kind == "g" else "members"
    row = connection.execute(MOST, [named, organisation_id]).fetchone()
    return None if row is None or row[0] is None else int(row[0])


def _require_seat(connection: Connection, kind: str, most: int | None) -> None:
    if most is None:
        return
    row = connection.execute(TAKEN, {"kind": kind}).fetchone()
    if row is not None and row[0] >= most:
        message = "The offer includes {most} seats of this kind, and all are taken. Take one out first."
        raise Refusal("seats_limit", message, status=409, most=most, taken=row[0])


def _noted(connection: Connection, principal_id: UUID, verb: str, facts: dict[str, Any]) -> Person:
    connection.execute(NOTE, [new_id(), verb, principal_id, Jsonb(facts)])
    changed = _one(connection, principal_id)
    assert changed is not None
    return changed


def traces(connection: Connection, organisation_id: UUID, connection_id: UUID, limit: int) -> list[Trace]:
    """The latest sign-ins and test runs of a connection. A slot that waits for its upgrade has none yet."""
    try:
        with inside(connection, organisation_id):
            rows = connection.execute(TRACES, [connection_id, max(1, min(limit, LONGEST_PAGE))]).fetchall()
    except psycopg.errors.UndefinedTable:
        connection.rollback()
        return []
    return [Trace(**dict(zip(Trace.__struct_fields__, row, strict=True))) for row in rows]


def last_success(
    connection: Connection, organisation_id: UUID, connection_id: UUID, since: datetime, *, administrator: bool
) -> datetime | None:
    """When an administrator last came in by this connection; or when a test run of it last went through."""
    return _last(connection, organisation_id, CAME_IN if administrator else PASSED, [connection_id, since])


def _last(connection: Connection, organisation_id: UUID, query: str, asked: list[Any]) -> datetime | None:
    try:
        with inside(connection, organisation_id):
            row = connection.execute(query.encode(), asked).fetchone()
    except psycopg.errors.UndefinedTable:
        connection.rollback()
        return None
    return None if row is None else row[0]
