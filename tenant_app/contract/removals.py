"""People whom a directory would remove and who wait for an administrator, for the console."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb

from kit.errors import Refusal
from kit.ids import new_id
from tenant_app.contract.connections import Connection
from tenant_app.contract.history import upgraded
from tenant_app.contract.people import CHORE, ROLES, SEATS, PersonRole, inside
from tenant_app.contract.values import Value

PENDING = """
select r.id, p.id, p.name, p.email, p.role, r.kind, r.token_id, r.asked_at, p.seen_at
from scim_removal r join principal p on p.id = r.principal_id
where r.state = 'waiting' order by r.asked_at, r.id
"""
LOCKED = """
select r.id, p.id, p.role, p.disabled_at is null from scim_removal r join principal p on p.id = r.principal_id
where r.state = 'waiting' and (%(ids)s::uuid[] is null or r.id = any(%(ids)s)) order by r.id for update of r
"""
DECIDE = "update scim_removal set state = %s, decided_at = now(), decided_by = %s where id = any(%s)"
OWNERS = "select count(*) from principal where role = 3 and disabled_at is null and id <> all(%s)"
DISABLE = "update principal set disabled_at = now() where id = any(%s) and disabled_at is null"
END_SESSIONS = "delete from session where principal_id = any(%s)"
# The directory wanted him gone and was refused: if it asks again, that is a new word of it.
KEEP = """
update scim_user set active = true, admitted = true, version = version + 1, updated_at = now(),
    data = case when data ? 'active' then jsonb_set(data, '{active}', 'true'::jsonb) else data end
where id = any(%s)
"""
NOTE = "insert into journal (id, actor_id, verb, object_id, data) values (%s, %s, %s, %s, %s)"
TELL = "insert into scim_event (id, verb, object_id, data) values (%s, %s, %s, %s)"


class Removal(Value, frozen=True, kw_only=True):
    """Somebody whom his directory would remove. `kind`: deactivate, delete; group, mapping: none gives him a role."""

    id: UUID
    principal_id: UUID
    name: str
    email: str | None
    role: PersonRole
    kind: str
    token_id: UUID | None
    asked_at: datetime
    seen_at: datetime | None


def pending(connection: Connection, organisation_id: UUID) -> list[Removal]:
    """Who waits, the first first."""
    with upgraded(), inside(connection, organisation_id):
        rows = connection.execute(PENDING).fetchall()
    names = Removal.__struct_fields__
    return [Removal(**dict(zip(names, (*row[:4], ROLES[row[4]], *row[5:]), strict=True))) for row in rows]


def approve(
    connection: Connection, organisation_id: UUID, ids: Collection[UUID] | None, decided_by: UUID
) -> list[UUID]:
    """These, or all who wait, are no longer let in: their sessions have ended. Tells who they are."""
    with upgraded(), inside(connection, organisation_id):
        connection.execute(SEATS)
        found = connection.execute(LOCKED, {"ids": None if ids is None else list(ids)}).fetchall()
        people = [row[1] for row in found]
        if any(row[2] == len(ROLES) - 1 and row[3] for row in found):
            _keep_an_owner(connection, people)
        connection.execute(DISABLE, [people])
        connection.execute(END_SESSIONS, [people])
        _decided(connection, [row[0] for row in found], "done", decided_by)
        _tell(connection, people, decided_by, "user.removal_approved", "member.deactivated")
    connection.execute(CHORE, [organisation_id])
    return people


def refuse(connection: Connection, organisation_id: UUID, ids: Collection[UUID] | None, decided_by: UUID) -> list[UUID]:
    """These, or all who wait, stay. Tells who they are."""
    with upgraded(), inside(connection, organisation_id):
        connection.execute(SEATS)
        found = connection.execute(LOCKED, {"ids": None if ids is None else list(ids)}).fetchall()
        people = [row[1] for row in found]
        connection.execute(KEEP, [people])
        _decided(connection, [row[0] for row in found], "refused", decided_by)
        _tell(connection, people, decided_by, "user.removal_refused", "member.kept")
    return people


def _keep_an_owner(connection: Connection, leaving: list[UUID]) -> None:
    row = connection.execute(OWNERS, [leaving]).fetchone()
    if row is not None and row[0] == 0:
        message = "A workspace keeps at least one owner. Make somebody else an owner first."
        raise Refusal("last_owner", message, status=409)


def _decided(connection: Connection, ids: list[UUID], state: str, decided_by: UUID) -> None:
    connection.execute(DECIDE, [state, decided_by, ids])


def _tell(connection: Connection, people: list[UUID], by: UUID, event: str, verb: str) -> None:
    with connection.pipeline():
        for of in people:
            connection.execute(NOTE, [new_id(), by, verb, of, Jsonb({"by": "console", "asked": "scim"})])
            connection.execute(TELL, [new_id(), event, of, Jsonb({"decided_by": str(by)})])
