"""Users of a directory: each is a person of the workspace, made, taken over by his e-mail, changed, or sent away."""

from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import bindparam, delete, func, insert, select, update

from kit.errors import Refusal, not_found
from kit.ids import new_id
from tenant_app.accounts import kind_of, person, require_seats
from tenant_app.interface import Role
from tenant_app.scim import brake, listing
from tenant_app.scim.answers import UserRow
from tenant_app.scim.events import journal_each, tell
from tenant_app.scim.facts import Data, Facts, facts_of, require_own_domain
from tenant_app.scim.models import scim_group, scim_group_member, scim_user
from tenant_app.scim.patching import Patch, steps
from tenant_app.scim.pushing import Push
from tenant_app.scim.ringing import ring
from tenant_app.scim.schema import USER_TREE
from tenant_app.scim.shapes import shaped
from tenant_app.scim.standing import remove, role_by, settle
from tenant_app.scim.versions import require_match
from tenant_app.tenancy import Q, read_only_refusal

NOW = func.now()

# The hot way: a new person by one statement, in one round trip.
NEW = """
with p as (
    insert into principal (id, kind, name, email, role, locale, tz, prefs, disabled_at, created_at)
    values ($1, $2, $3, $4, $5, $6, $7, '{}', case when $8 then null else now() end, now())
), u as (
    insert into scim_user (id, key, external_id, active, admitted, data, version, created_at, updated_at)
    values ($1, $9, $10, $11, $8, $12, 1, now(), now()) returning created_at
), i as (
    delete from invitation where email = $4 and accepted_at is null
), e as (
    insert into scim_event (id, token_id, verb, object_id, data, created_at)
    values ($13, $14, 'user.created', $1, $15, now())
), j as (
    insert into journal (id, verb, object_id, data, created_at) values ($16, 'member.joined', $1, $15, now())
)
select created_at from u
"""


class Known(msgspec.Struct, frozen=True):
    """Somebody who has this name at the directory, or this e-mail here."""

    id: UUID
    enabled: bool
    email: str | None
    key: str | None


class Held(msgspec.Struct, frozen=True):
    """A user as he is kept, for a change."""

    id: UUID
    active: bool
    data: dict[str, Any]
    role: int
    enabled: bool


_known = select(
    person.c.id, person.c.disabled_at.is_(None).label("enabled"), person.c.email, scim_user.c.key
).join_from(person, scim_user, scim_user.c.id == person.c.id, isouter=True)
KNOWN = Q(
    _known.where(
        person.c.id.in_(
            select(scim_user.c.id)
            .where(scim_user.c.key == bindparam("key"))
            .union_all(select(person.c.id).where(person.c.email == bindparam("email")))
        ),
        person.c.id.is_distinct_from(bindparam("but")),
    ),
    Known,
)
HELD = Q(
    select(
        scim_user.c.id,
        scim_user.c.active,
        scim_user.c.data,
        person.c.role,
        person.c.disabled_at.is_(None).label("enabled"),
    )
    .join_from(scim_user, person, person.c.id == scim_user.c.id)
    .where(scim_user.c.id == bindparam("of")),
    Held,
)
ADOPT = Q(
    insert(scim_user).values(
        id=bindparam("id"),
        key=bindparam("key"),
        external_id=bindparam("external_id"),
        active=bindparam("active"),
        admitted=bindparam("admitted"),
        data=bindparam("data"),
        version=1,
        created_at=NOW,
        updated_at=NOW,
    )
)
CHANGE = Q(
    update(scim_user)
    .where(scim_user.c.id == bindparam("of"))
    .values(
        key=bindparam("key"),
        external_id=bindparam("external_id"),
        active=bindparam("active"),
        data=bindparam("data"),
        version=scim_user.c.version + 1,
        updated_at=NOW,
    )
)
PERSON = Q(
    update(person)
    .where(person.c.id == bindparam("of"))
    .values(name=bindparam("name"), email=func.coalesce(bindparam("email"), person.c.email))
)
SPEECH = Q(update(person).where(person.c.id == bindparam("of")).values(locale=bindparam("locale"), tz=bindparam("tz")))
# Whoever is in it no more makes another version of a group.
LEAVE_ALL = Q(
    update(scim_group)
    .where(
        scim_group.c.id.in_(select(scim_group_member.c.group_id).where(scim_group_member.c.user_id == bindparam("of")))
    )
    .values(version=scim_group.c.version + 1, updated_at=NOW)
)
FORGET = Q(delete(scim_user).where(scim_user.c.id == bindparam("of")))


def taken(what: str, value: str | None) -> Refusal:
    """Another user has it."""
    return Refusal(
        "scim_taken",
        "The {what} “{value}” is taken already.",
        status=409,
        scim="uniqueness",
        what=what,
        value=value or "",
    )


async def _require_free(push: Push, facts: Facts, but: UUID | None) -> Known | None:
    """Nobody else has this name; who has this e-mail without being of a directory may be taken over."""
    known: list[Known] = await KNOWN.all(push.conn, key=facts.key, email=facts.email, but=but)
    for one in known:
        if one.key == facts.key:
            raise taken("userName", facts.key)
    for one in known:
        if one.key is not None or but is not None:
            raise taken("e-mail", facts.email)
    return known[0] if known else None


async def create(push: Push, given: Any) -> UserRow | UUID:
    """A new person; or, where the e-mail is somebody's here already, that one. A person's row, or where to read it."""
    data = {"active": True, **shaped(USER_TREE, given)}
    facts = facts_of(data, push.record)
    require_own_domain(facts.email, push.record)
    known = await _require_free(push, facts, None)
    if known is not None:
        await _adopt(push, known, facts, data)
        return known.id
    return await _make(push, facts, data)


async def _make(push: Push, facts: Facts, data: Data) -> UserRow:
    if push.record.state == "read_only":
        raise read_only_refusal()
    role = role_by(push.connection, (), int(Role.MEMBER))
    admitted = data["active"] and role is not None
    if role is None:
        role = int(Role.MEMBER)
    if admitted:
        await require_seats(push.conn, push.record, kind_of(role), 1, invited=facts.email or "")
    made, told = new_id(), {"email": facts.email, "role": role, "by": "scim"}
    values = [
        *(made, kind_of(role), facts.name, facts.email, role, facts.locale, facts.tz, admitted),
        *(facts.key, facts.external_id, data["active"], data, new_id(), push.token.id, told, new_id()),
    ]
    try:
        at = await push.conn.fetchval(NEW, *values)
    except asyncpg.UniqueViolationError as error:
        raise taken("userName", data["userName"]) from error
    await ring(push)
    return UserRow(made, data, admitted, 1, at, at, [])


async def _adopt(push: Push, known: Known, facts: Facts, data: Data) -> None:
    await ADOPT.run(
        push.conn,
        id=known.id,
        key=facts.key,
        external_id=facts.external_id,
        active=data["active"],
        admitted=known.enabled,
        data=data,
    )
    await PERSON.run(push.conn, of=known.id, name=facts.name, email=None)
    if data["active"]:
        await brake.withdraw(push, known.id)
    await tell(push, "user.adopted", known.id, email=facts.email)
    await journal_each(push, "member.adopted", [known.id], email=facts.email)
    await settle(push, [known.id], "deactivate")
    await ring(push)


async def _held(push: Push, of: UUID, match: str | None) -> Held:
    held: Held | None = await HELD.one(push.conn, of=of)
    if held is None:
        raise not_found("user")
    if match is not None:
        require_match(match, await listing.version(push, "User", of))
    return held


async def replace(push: Push, of: UUID, given: Any, match: str | None) -> None:
    """PUT: what is absent is gone, but for `active`: nobody comes or goes because it was left out."""
    held = await _held(push, of, match)
    await _write(push, held, {"active": held.active, **shaped(USER_TREE, given)})


async def change(push: Push, of: UUID, body: Any, match: str | None) -> None:
    """PATCH."""
    asked = steps(body)
    held = await _held(push, of, match)
    patch = Patch("User", USER_TREE, held.data)
    for step in asked:
        patch.apply(step)
    await _write(push, held, patch.data)


async def _write(push: Push, held: Held, data: Data) -> None:
    if data == held.data:
        return
    before, facts = facts_of(held.data, push.record), facts_of(data, push.record)
    if (facts.key, facts.email) != (before.key, before.email):
        if facts.email != before.email:
            require_own_domain(facts.email, push.record)
        await _require_free(push, facts, held.id)
    active = data.get("active", held.active)
    await CHANGE.run(push.conn, of=held.id, key=facts.key, external_id=facts.external_id, active=active, data=data)
    await _describe(push, held.id, before, facts)
    changed = sorted(name for name in {*data, *held.data} if data.get(name) != held.data.get(name))
    await tell(push, "user.changed", held.id, changed=changed)
    if active != held.active:
        await settle(push, [held.id], "deactivate")
        await ring(push)


async def _describe(push: Push, of: UUID, before: Facts, after: Facts) -> None:
    """Only what the directory has changed: the rest may be the person's own choice."""
    if (after.name, after.email) != (before.name, before.email):
        email = after.email if after.email != before.email else None
        await PERSON.run(push.conn, of=of, name=after.name, email=email)
    if (after.locale, after.tz) != (before.locale, before.tz):
        await SPEECH.run(push.conn, of=of, locale=after.locale, tz=after.tz)


async def delete_one(push: Push, of: UUID, match: str | None) -> None:
    """The directory knows him no more: he is not let in, his files and his name stay."""
    held = await _held(push, of, match)
    if held.enabled:
        await remove(push, [of], "delete", owners=[of] if held.role == Role.OWNER else [])
    await LEAVE_ALL.run(push.conn, of=of)
    await FORGET.run(push.conn, of=of)
    await tell(push, "user.deleted", of, userName=held.data.get("userName"))
    await ring(push)
