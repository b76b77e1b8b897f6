"""Who is in the workspace: invited, joined, given a role, sent away. Somebody always owns it."""

from uuid import UUID

import msgspec
from sqlalchemy import bindparam, func, select, update

from kit.errors import Refusal, not_found
from tenant_app.accounts import (
    Desk,
    Person,
    by_id,
    chore_later,
    close_others,
    give_sso_admin,
    kind_of,
    lock_seats,
    lose_sso_admin,
    note,
    person,
    require_seats,
)
from tenant_app.contract import administrators_only, owners_have_it
from tenant_app.interface import Role
from tenant_app.tenancy import Connection, Q

NOW = func.now()


class Count(msgspec.Struct, frozen=True):
    """How many."""

    n: int


person_rows = select(
    person.c.id,
    person.c.kind,
    person.c.name,
    person.c.email,
    person.c.role,
    person.c.locale,
    person.c.tz,
    person.c.disabled_at,
    person.c.seen_at,
)
EVERYBODY = Q(
    person_rows.order_by(
        person.c.disabled_at.is_not(None), person.c.role.desc(), func.lower(person.c.name), person.c.id
    ).limit(5000),
    Person,
)
OWNERS = Q(
    select(func.count().label("n")).where(
        person.c.role == int(Role.OWNER), person.c.disabled_at.is_(None), person.c.id != bindparam("but")
    ),
    Count,
)
SET_ROLE = Q(
    update(person).where(person.c.id == bindparam("of")).values(role=bindparam("role"), kind=bindparam("kind"))
)
DISABLE = Q(update(person).where(person.c.id == bindparam("of")).values(disabled_at=NOW))
ENABLE = Q(update(person).where(person.c.id == bindparam("of")).values(disabled_at=None))


async def everybody(conn: Connection) -> list[Person]:
    """All people, the deactivated last."""
    found: list[Person] = await EVERYBODY.all(conn)
    return found


def checked_role(desk: Desk, role: int) -> int:
    """A role that this viewer may give."""
    if role not in list(Role):
        raise Refusal("role_unknown", "Choose one of the roles of the list.", field="role")
    if role == Role.OWNER and desk.viewer.role < Role.OWNER:
        raise Refusal("not_allowed", "Only an owner makes owners.", status=403)
    return role


async def _changeable(desk: Desk, of: UUID) -> Person:
    found = await by_id(desk.conn, of)
    if found is None:
        raise not_found()
    if found.role == Role.OWNER and desk.viewer.role < Role.OWNER:
        raise Refusal("not_allowed", "Only an owner changes what an owner may do.", status=403)
    return found


async def _keep_an_owner(desk: Desk, found: Person) -> None:
    if found.role == Role.OWNER and found.disabled_at is None and (await OWNERS.one(desk.conn, but=found.id)).n == 0:
        raise Refusal(
            "last_owner", "A workspace keeps at least one owner. Make somebody else an owner first.", status=409
        )


async def change_role(desk: Desk, of: UUID, role: int) -> None:
    """Another role. From guest to member and back, the seat changes kind."""
    role = checked_role(desk, role)
    await lock_seats(desk.conn)
    found = await _changeable(desk, of)
    if role < Role.OWNER:
        await _keep_an_owner(desk, found)
    if kind_of(role) != found.kind and found.disabled_at is None:
        await require_seats(desk.conn, desk.tenant, kind_of(role), 1)
    await SET_ROLE.run(desk.conn, of=of, role=role, kind=kind_of(role))
    lost = role != found.role and await lose_sso_admin(desk.conn, [of])
    facts = {"sso_admin": False} if lost else {}
    await note(desk, "member.role_changed", of, role=role, before=found.role, **facts)
    await chore_later(desk.conn, desk.tenant)


async def set_sso_admin(desk: Desk, of: UUID, *, wanted: bool) -> None:
    """Let an administrator set up how people sign in, or no more. Any change of his role takes it away, too."""
    await lock_seats(desk.conn)
    found = await _changeable(desk, of)
    if found.role == Role.OWNER:
        raise owners_have_it()
    if not wanted:
        if await lose_sso_admin(desk.conn, [of]):
            await note(desk, "member.sso_admin_taken", of)
        return
    if found.role != Role.ADMINISTRATOR or found.disabled_at is not None:
        raise administrators_only()
    if await give_sso_admin(desk.conn, of, desk.viewer.id):
        await note(desk, "member.sso_admin_given", of)


async def deactivate(desk: Desk, of: UUID) -> None:
    """He can no longer come in, from this moment; his files and his name stay."""
    await lock_seats(desk.conn)
    found = await _changeable(desk, of)
    await _keep_an_owner(desk, found)
    await DISABLE.run(desk.conn, of=of)
    await close_others(desk.conn, of)
    await note(desk, "member.deactivated", of)
    await chore_later(desk.conn, desk.tenant)


async def reactivate(desk: Desk, of: UUID) -> None:
    """He may come in again, if there is a seat."""
    await lock_seats(desk.conn)
    found = await _changeable(desk, of)
    if found.disabled_at is None:
        return
    await require_seats(desk.conn, desk.tenant, found.kind, 1)
    await ENABLE.run(desk.conn, of=of)
    await note(desk, "member.reactivated", of)
    await chore_later(desk.conn, desk.tenant)
