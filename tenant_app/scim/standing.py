"""From what a directory wants to who is let in, and as what: seats, roles by groups, the last owner, the brake.

Only what changed since the directory's last word has an effect, so that whom an administrator let in or kept out by
hand stays so until the directory changes its mind about him. The roles of owners and of break-glass accounts are the
organisation's own affair, and a break-glass account goes only with an administrator's consent.
"""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

import msgspec
from sqlalchemy import ARRAY, Text, bindparam, func, literal_column, select, update

from kit.errors import Refusal
from tenant_app.accounts import close_others, kind_of, lose_sso_admin, person, require_seats
from tenant_app.contract import SignInConnection
from tenant_app.interface import Role
from tenant_app.scim import brake
from tenant_app.scim.events import journal_each, tell_each
from tenant_app.scim.models import scim_user
from tenant_app.scim.pushing import Push
from tenant_app.tenancy import Q, read_only_refusal

NOW = func.now()
ROLES = {"guest": Role.GUEST, "member": Role.MEMBER, "administrator": Role.ADMINISTRATOR}


class Standing(msgspec.Struct, frozen=True):
    """One person: what the directory wants, what followed from it the last time, and how he stands."""

    id: UUID
    active: bool
    admitted: bool
    role: int
    enabled: bool
    groups: list[str | None]


class Mapping(msgspec.Struct, frozen=True):
    """As what a connection lets in whom: a role by group, else `otherwise`. Without roles it says nothing."""

    roles: dict[str, str] = {}
    otherwise: str | None = None


class Count(msgspec.Struct, frozen=True):
    """How many."""

    n: int


# A group goes by its name, by its id at the directory, and by its id here.
_groups = literal_column(
    "array(select unnest(array[g.data ->> 'displayName', g.external_id, g.id::text]) from scim_group_member m"
    " join scim_group g on g.id = m.group_id where m.user_id = scim_user.id)",
    ARRAY(Text),
)
STANDINGS = Q(
    select(
        scim_user.c.id,
        scim_user.c.active,
        scim_user.c.admitted,
        person.c.role,
        person.c.disabled_at.is_(None).label("enabled"),
        _groups.label("groups"),
    )
    .join_from(scim_user, person, person.c.id == scim_user.c.id)
    .where(scim_user.c.id == func.any(bindparam("ids"))),
    Standing,
)
ADMIT = Q(update(scim_user).where(scim_user.c.id == func.any(bindparam("ids"))).values(admitted=bindparam("admitted")))
ENABLE = Q(update(person).where(person.c.id == func.any(bindparam("ids"))).values(disabled_at=None))
DISABLE = Q(update(person).where(person.c.id == func.any(bindparam("ids"))).values(disabled_at=NOW))
SET_ROLE = Q(
    update(person)
    .where(person.c.id == func.any(bindparam("ids")))
    .values(role=bindparam("role"), kind=bindparam("kind"))
)
OTHER_OWNERS = Q(
    select(func.count().label("n")).where(
        person.c.role == int(Role.OWNER),
        person.c.disabled_at.is_(None),
        person.c.id != func.all(bindparam("but")),
    ),
    Count,
)


def role_by(connection: SignInConnection | Mapping | None, groups: Sequence[str | None], kept: int) -> int | None:
    """The highest role that a connection gives to these groups, else its default; `kept` where it maps nothing."""
    if connection is None or not connection.roles:
        return kept
    found = [int(ROLES[connection.roles[name]]) for name in groups if name in connection.roles]
    if found:
        return max(found)
    return None if connection.otherwise is None else int(ROLES[connection.otherwise])


class Changes:
    """What is to be done, sorted by what it is."""

    def __init__(self, push: Push, found: Sequence[Standing]) -> None:
        self.roles: dict[int, list[UUID]] = defaultdict(list)
        self.seats: dict[str, int] = defaultdict(int)
        self.enabled: list[UUID] = []
        self.removed: list[UUID] = []
        self.admitted: dict[bool, list[UUID]] = defaultdict(list)
        self.owners: list[UUID] = [one.id for one in found if one.role == Role.OWNER]
        for one in found:
            own = one.role == Role.OWNER or one.id in push.record.identity.policy.break_glass
            self._weigh(one, one.role if own else role_by(push.connection, one.groups, one.role))

    def _weigh(self, one: Standing, wanted: int | None) -> None:
        role = one.role if wanted is None else wanted
        admitted = one.active and wanted is not None
        enabled = one.enabled
        if admitted != one.admitted:
            self.admitted[admitted].append(one.id)
            enabled = admitted
            if enabled and not one.enabled:
                self.enabled.append(one.id)
            elif not enabled and one.enabled:
                self.removed.append(one.id)
        if role != one.role and admitted:
            self.roles[role].append(one.id)
        moves = role != one.role and kind_of(role) != kind_of(one.role)
        if enabled and admitted and (moves or not one.enabled):
            self.seats[kind_of(role)] += 1


async def settle(push: Push, ids: Sequence[UUID], why: str) -> None:
    """Bring these people to what their directory wants now. Call it under the seats' lock."""
    if not ids:
        return
    found: list[Standing] = await STANDINGS.all(push.conn, ids=list(ids))
    changes = Changes(push, found)
    for admitted, some in changes.admitted.items():
        await ADMIT.run(push.conn, ids=some, admitted=admitted)
    await _give(push, changes)
    if changes.removed:
        await remove(push, changes.removed, why, owners=changes.owners)


async def _give(push: Push, changes: Changes) -> None:
    if (changes.enabled or changes.roles) and push.record.state == "read_only":
        raise read_only_refusal()
    for kind, more in changes.seats.items():
        await require_seats(push.conn, push.record, kind, more)
    for role, ids in changes.roles.items():
        await SET_ROLE.run(push.conn, ids=ids, role=role, kind=kind_of(role))
        await lose_sso_admin(push.conn, ids)
        await tell_each(push, "user.role", ids, role=role)
        await journal_each(push, "member.role_changed", ids, role=role)
    for of in changes.admitted.get(True, []):
        await brake.withdraw(push, of)
    if changes.enabled:
        await ENABLE.run(push.conn, ids=changes.enabled)
        await tell_each(push, "user.enabled", changes.enabled)
        await journal_each(push, "member.reactivated", changes.enabled)


async def remove(push: Push, ids: Sequence[UUID], why: str, *, owners: Sequence[UUID]) -> None:
    """They are no longer let in, from this moment; or, where the brake holds, once an administrator agrees."""
    leaving = [of for of in owners if of in set(ids)]
    if leaving and (await OTHER_OWNERS.one(push.conn, but=leaving)).n == 0:
        raise Refusal(
            "last_administrator",
            "The last owner of a workspace cannot be deactivated. Make somebody else an owner first.",
            status=409,
        )
    waiting = await brake.waiting_among(push, ids)
    fresh = [of for of in ids if of not in waiting]
    # A break-glass account is there for the day when the directory is wrong.
    kept = [of for of in fresh if of in push.record.identity.policy.break_glass]
    going = [of for of in fresh if of not in kept]
    if going and not await brake.lets_go(push, len(going)):
        kept, going = fresh, []
    if kept:
        await brake.note(push, kept, why, waiting=True)
        await tell_each(push, "user.removal_waits", kept, why=why)
    if going:
        await _let_go(push, going, why)


async def _let_go(push: Push, fresh: Sequence[UUID], why: str) -> None:
    await brake.note(push, fresh, why, waiting=False)
    await DISABLE.run(push.conn, ids=fresh)
    for of in fresh:
        await close_others(push.conn, of)
    await tell_each(push, "user.disabled", fresh, why=why)
    await journal_each(push, "member.deactivated", fresh, why=why)
