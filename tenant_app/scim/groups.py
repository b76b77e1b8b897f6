"""Groups of a directory. A group may give a role; leaving one out of a request never empties it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from scim2_models.path import ValuePath
from sqlalchemy import bindparam, delete, func, insert, select, update

from kit.errors import Refusal, not_found
from kit.ids import new_id
from tenant_app.scim import listing
from tenant_app.scim.conditions import filter_invalid, path_invalid, read_path, values_named
from tenant_app.scim.events import tell
from tenant_app.scim.facts import Data
from tenant_app.scim.models import scim_group
from tenant_app.scim.patching import Patch, Step, steps
from tenant_app.scim.pushing import Push
from tenant_app.scim.ringing import ring
from tenant_app.scim.schema import GROUP, GROUP_TREE
from tenant_app.scim.shapes import LONGEST_KEY, coerced, folded, shaped
from tenant_app.scim.standing import settle
from tenant_app.scim.users import taken
from tenant_app.scim.versions import require_match
from tenant_app.tenancy import Q

NOW = func.now()
# What does not name a user here is passed over: he may have been deleted a moment ago, or be a group in the group.
JOIN = """
insert into scim_group_member (group_id, user_id) select $1, u.id from scim_user u where u.id = any($2)
on conflict do nothing returning user_id
"""
LEAVE = "delete from scim_group_member where group_id = $1 and user_id = any($2) returning user_id"
LEAVE_BUT = "delete from scim_group_member where group_id = $1 and user_id <> all($2) returning user_id"
MEMBERS = "select user_id from scim_group_member where group_id = $1"


class Held(msgspec.Struct, frozen=True):
    """A group as it is kept, for a change."""

    id: UUID
    key: str
    external_id: str | None
    data: dict[str, Any]


HELD = Q(
    select(scim_group.c.id, scim_group.c.key, scim_group.c.external_id, scim_group.c.data).where(
        scim_group.c.id == bindparam("of")
    ),
    Held,
)
TAKEN = Q(
    select(scim_group.c.id).where(
        scim_group.c.key == bindparam("key"), scim_group.c.id.is_distinct_from(bindparam("but"))
    )
)
ADD = Q(
    insert(scim_group).values(
        id=bindparam("id"),
        key=bindparam("key"),
        external_id=bindparam("external_id"),
        data=bindparam("data"),
        version=1,
        created_at=NOW,
        updated_at=NOW,
    )
)
CHANGE = Q(
    update(scim_group)
    .where(scim_group.c.id == bindparam("of"))
    .values(
        key=bindparam("key"),
        external_id=bindparam("external_id"),
        data=bindparam("data"),
        version=scim_group.c.version + 1,
        updated_at=NOW,
    )
)
FORGET = Q(delete(scim_group).where(scim_group.c.id == bindparam("of")))


def _split(given: Any) -> tuple[Data, list[UUID] | None]:
    """The group's own attributes, and its members if they are given at all."""
    data = shaped(GROUP_TREE, given)
    named = {name.lower(): value for name, value in given.items()} if isinstance(given, dict) else {}
    members = data.pop("members", [])
    return data, _ids(members) if "members" in named else None


def _ids(members: Sequence[Any]) -> list[UUID]:
    found = []
    for one in members:
        try:
            found.append(UUID(str(one.get("value", "") if isinstance(one, dict) else one)))
        except ValueError:
            continue
    return found


def _key(data: Data) -> str:
    name = data.get("displayName", "")
    key = folded(name)
    if not key:
        raise Refusal("scim_group_name_missing", "“displayName” is required.", status=400, scim="invalidValue")
    if len(name) > 254 or len(key.encode()) > LONGEST_KEY or len(data.get("externalId", "")) > 255:
        raise Refusal(
            "scim_group_name_long",
            "A group's name and its external id can have 254 characters at most.",
            status=400,
            scim="invalidValue",
        )
    return key


async def _require_free(push: Push, data: Data, but: UUID | None) -> str:
    key = _key(data)
    if await TAKEN.scalar(push.conn, key=key, but=but) is not None:
        raise taken("displayName", data["displayName"])
    return key


async def _ids_of(push: Push, statement: str, *values: Any) -> set[UUID]:
    rows: list[asyncpg.Record] = await push.conn.fetch(statement, *values)
    return {row[0] for row in rows}


async def _follow(push: Push, affected: set[UUID]) -> None:
    """Whom the change concerns gets the role that his groups give him now."""
    if push.connection is not None and push.connection.roles and affected:
        await settle(push, sorted(affected), "group")
        await ring(push)


async def create(push: Push, given: Any) -> UUID:
    """A new group."""
    data, members = _split(given)
    key = await _require_free(push, data, None)
    made = new_id()
    await ADD.run(push.conn, id=made, key=key, external_id=data.get("externalId"), data=data)
    joined = await _ids_of(push, JOIN, made, members or [])
    await tell(push, "group.created", made, name=data["displayName"], members=len(joined))
    await _follow(push, joined)
    return made


async def _held(push: Push, of: UUID, match: str | None) -> Held:
    held: Held | None = await HELD.one(push.conn, of=of)
    if held is None:
        raise not_found("group")
    if match is not None:
        require_match(match, await listing.version(push, "Group", of))
    return held


async def replace(push: Push, of: UUID, given: Any, match: str | None) -> None:
    """PUT. Without `members` they stay as they are; with an empty list the group is empty."""
    held = await _held(push, of, match)
    data, members = _split(given)
    affected = set() if members is None else await _become(push, of, members)
    await _write(push, held, data, affected)


async def _become(push: Push, of: UUID, members: list[UUID]) -> set[UUID]:
    return await _ids_of(push, LEAVE_BUT, of, members) | await _ids_of(push, JOIN, of, members)


async def change(push: Push, of: UUID, body: Any, match: str | None) -> None:
    """PATCH. Members change in the database, so that a large group is never read for a small change."""
    asked = steps(body)
    held = await _held(push, of, match)
    patch = Patch("Group", GROUP_TREE, held.data)
    affected: set[UUID] = set()
    for step in asked:
        for one in _apart(step):
            if _concerns_members(one.path):
                affected |= await _change_members(push, of, one)
            else:
                patch.apply(one)
    await _write(push, held, patch.data, affected)


def _apart(step: Step) -> list[Step]:
    """A step without a path that also names members becomes two."""
    if step.path or not isinstance(step.value, dict):
        return [step]
    members = [value for name, value in step.value.items() if name.lower() == "members"]
    rest = {name: value for name, value in step.value.items() if name.lower() != "members"}
    parts = [Step({"op": step.verb, "path": "members", "value": value}) for value in members]
    return parts + ([Step({"op": step.verb, "value": rest})] if rest or not parts else [])


def _concerns_members(path: str) -> bool:
    return path.lower().removeprefix(GROUP.lower() + ":").startswith("members")


async def _change_members(push: Push, of: UUID, step: Step) -> set[UUID]:
    node = read_path(step.path)
    if isinstance(node, ValuePath):
        named = values_named(node.val_filter)
        if named is None:
            raise filter_invalid("members are chosen by their value")
        ids = _ids(named)
        return await _ids_of(push, LEAVE if step.verb == "remove" else JOIN, of, ids)
    if node.sub_attr is not None or node.attr.lower() != "members":
        raise path_invalid(step.path)
    ids = _ids(coerced(GROUP_TREE["members"], step.value, "members") or [])
    if step.verb == "add":
        return await _ids_of(push, JOIN, of, ids)
    if step.verb == "remove":
        # Entra names whom to remove in the value; without one the path stands for all of them.
        return await _ids_of(push, LEAVE, of, ids) if step.value is not None else await _become(push, of, [])
    if not step.given:
        raise path_invalid(step.path)
    return await _become(push, of, ids)


async def _write(push: Push, held: Held, data: Data, affected: set[UUID]) -> None:
    key = await _require_free(push, data, held.id)
    if data == held.data and not affected:
        return
    await CHANGE.run(push.conn, of=held.id, key=key, external_id=data.get("externalId"), data=data)
    await tell(push, "group.changed", held.id, name=data["displayName"], members=len(affected))
    if (data.get("displayName"), data.get("externalId")) != (held.data.get("displayName"), held.external_id):
        affected = affected | await _ids_of(push, MEMBERS, held.id)
    await _follow(push, affected)


async def delete_one(push: Push, of: UUID, match: str | None) -> None:
    """The group is gone, and what it gave; its people stay."""
    held = await _held(push, of, match)
    affected = await _ids_of(push, MEMBERS, of)
    await FORGET.run(push.conn, of=of)
    await tell(push, "group.deleted", of, name=held.data.get("displayName"))
    await _follow(push, affected)
