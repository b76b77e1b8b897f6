"""Folders made, things renamed, moved, put in the trash, brought back, and removed for good."""

from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import CTE, Integer, bindparam, cast, delete, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert

from kit.errors import Refusal
from kit.ids import new_id
from tenant_app.accounts import Desk, chore_later, note
from tenant_app.drive import names, quota
from tenant_app.drive.models import discard, node, version
from tenant_app.drive.reach import DEEPEST, FILE, FOLDER, Place, Step, folder, reach
from tenant_app.spaces import space
from tenant_app.tenancy import Connection, Q

TRIES = 50


class Id(msgspec.Struct, frozen=True):
    """One id."""

    id: UUID


class Sum(msgspec.Struct, frozen=True):
    """Bytes that were given back."""

    size: int


MAKE = Q(
    insert(node)
    .values(
        id=bindparam("id"),
        space_id=bindparam("space_id"),
        parent_id=bindparam("parent_id"),
        acl_id=bindparam("space"),
        kind=bindparam("kind"),
        name=bindparam("name"),
        mime=bindparam("mime"),
        size=bindparam("size"),
        version=bindparam("version"),
        created_by=bindparam("created_by"),
        updated_by=bindparam("by"),
        etag=bindparam("etag"),
        updated_at=func.now(),
        created_at=func.now(),
    )
    .on_conflict_do_nothing()
    .returning(node.c.id),
    Id,
)
PUT = Q(
    update(node)
    .where(node.c.id == bindparam("of"))
    .values(
        parent_id=bindparam("parent_id"),
        name=bindparam("name"),
        deleted_at=None,
        updated_at=func.now(),
        updated_by=bindparam("by"),
        etag=bindparam("etag"),
    )
    .returning(node.c.id),
    Id,
)
IN_FOLDER = Q(
    select(node.c.id).where(
        func.coalesce(node.c.parent_id, node.c.space_id) == bindparam("folder"),
        func.lower(node.c.name) == func.lower(bindparam("name")),
        node.c.kind == bindparam("kind"),
        node.c.deleted_at.is_(None),
    )
)
TRASH = Q(
    update(node)
    .where(node.c.id == bindparam("of"), node.c.deleted_at.is_(None))
    .values(deleted_at=func.now(), updated_at=func.now(), updated_by=bindparam("by"))
)
HOLD_SPACE = Q(select(space.c.id).where(space.c.id == bindparam("of")).with_for_update(), Id)
SHARE_SPACE = Q(select(space.c.id).where(space.c.id == bindparam("of")).with_for_update(read=True), Id)


def _down() -> CTE:
    top = select(node.c.id, literal_column("0", Integer).label("depth")).where(node.c.id == bindparam("of"))
    down = top.cte("down", recursive=True)
    below = node.alias("below")
    return down.union_all(
        select(below.c.id, (down.c.depth + 1).label("depth")).where(
            below.c.parent_id == down.c.id, down.c.depth < DEEPEST
        )
    )


_under = select(_down().c.id)
DISCARD = Q(
    insert(discard).from_select(
        ["blob_id", "due_at"], select(version.c.blob_id, func.now()).where(version.c.node_id.in_(_under)).distinct()
    )
)
# Versions of one file may share a blob (an old one that was brought back): its bytes count once.
_blobs = select(version.c.blob_id, version.c.size).where(version.c.node_id.in_(_under)).distinct().subquery()
WEIGHT = Q(select(cast(func.coalesce(func.sum(_blobs.c.size), 0), node.c.size.type).label("size")), Sum)
REMOVE = Q(delete(node).where(node.c.id == bindparam("of")))
HEIGHT = Q(select(func.coalesce(func.max(_down().c.depth), 0).label("size")), Sum)


def name_taken(name: str) -> Refusal:
    """Something else has this name here."""
    return Refusal("name_taken", "“{name}” exists here already.", field="name", status=409, name=name)


def parent_of(place: Place) -> UUID | None:
    """What stands in `parent_id` for things that lie in this folder."""
    return place.node.id if place.node else None


async def make_folder(desk: Desk, place: Place, name: str) -> UUID:
    """A new folder in this one."""
    if len(place.way) >= DEEPEST // 2:
        raise Refusal("too_deep", "Folders cannot be nested any deeper.", field="name")
    name = names.clean(name)
    made: Id | None = await MAKE.one(
        desk.conn,
        id=new_id(),
        space_id=place.space_id,
        parent_id=parent_of(place),
        space=place.space_id,
        kind=FOLDER,
        name=name,
        mime=None,
        size=0,
        version=0,
        created_by=desk.viewer.hand,
        by=desk.viewer.hand,
        etag=new_id(),
    )
    if made is None:
        raise name_taken(name)
    await note(desk, "folder.made", made.id, name=name)
    return made.id


async def folders_on(desk: Desk, place: Place, path: str) -> Place:
    """The folder at the end of `path` (names with slashes between) below this one; what is missing is made."""
    for name in (names.clean(part) for part in path.split("/") if part):
        there = await IN_FOLDER.scalar(desk.conn, folder=place.id, name=name, kind=FOLDER)
        if there is None:
            there = await make_folder(desk, place, name)
        place = await reach(desk.conn, desk.viewer, there)
    return place


async def _put(desk: Desk, of: UUID, parent: UUID | None, name: str) -> bool:
    """Give a node this parent and name; False when the name is taken there."""
    await desk.conn.execute("SAVEPOINT put")
    try:
        await PUT.one(desk.conn, of=of, parent_id=parent, name=name, by=desk.viewer.hand, etag=new_id())
    except asyncpg.UniqueViolationError:
        await desk.conn.execute("ROLLBACK TO SAVEPOINT put")
        return False
    return True


async def rename(desk: Desk, place: Place, name: str) -> None:
    """Another name in the same folder."""
    moved = _itself(place)
    name = names.clean(name)
    if not await _put(desk, moved.id, moved.parent_id, name):
        raise name_taken(name)
    await note(desk, "node.renamed", moved.id, name=name, before=moved.name)


def _itself(place: Place) -> Step:
    """The node of a place; the top of a space is not changed like a folder."""
    if place.node is None:
        raise Refusal("not_a_folder", "The top of a space is changed in the space's settings.", status=409)
    return place.node


async def move(desk: Desk, place: Place, target: Place) -> None:
    """Into another folder of the same space. Its own inside is no place for a folder."""
    moved = _itself(place)
    if target.space_id != place.space_id:
        raise Refusal("other_space", "Things are moved within one space.", field="target", status=409)
    # One move at a time in a space: two that cross could otherwise make a ring.
    await HOLD_SPACE.one(desk.conn, of=place.space_id)
    target = folder(await reach(desk.conn, desk.viewer, target.id))
    if any(step.id == moved.id for step in target.way):
        raise Refusal("into_itself", "A folder cannot be moved into itself.", field="target", status=409)
    height: Sum | None = await HEIGHT.one(desk.conn, of=moved.id)
    if len(target.way) + (height.size if height else 0) >= DEEPEST // 2:
        raise Refusal("too_deep", "Folders cannot be nested any deeper.", field="target")
    if not await _put(desk, moved.id, parent_of(target), moved.name):
        raise name_taken(moved.name)
    await note(desk, "node.moved", moved.id, name=moved.name, to=target.name)


async def trash(desk: Desk, place: Place) -> None:
    """Out of sight, with all that lies in it; its bytes still count."""
    gone = _itself(place)
    await TRASH.run(desk.conn, of=gone.id, by=desk.viewer.hand)
    await note(desk, "node.trashed", gone.id, name=gone.name)
    await chore_later(desk.conn, desk.tenant)


async def restore(desk: Desk, place: Place, parent: Place) -> str:
    """Back to `parent`, under its name or a numbered one. The answer is the name it has now."""
    back = _itself(place)
    for number in range(1, TRIES):
        name = back.name if number == 1 else names.numbered(back.name, number)
        if await _put(desk, back.id, parent_of(parent), name):
            await note(desk, "node.restored", back.id, name=name)
            return name
    raise name_taken(back.name)


async def remove(desk: Desk, place: Place) -> None:
    """For good: rows go now, blobs after the commit, and the storage is free again."""
    gone = _itself(place)
    freed = await erase(desk.conn, place.space_id, gone.id)
    await note(desk, "node.removed", gone.id, name=gone.name, kind="file" if gone.kind == FILE else "folder")
    await quota.give_back(desk.conn, desk.tenant, freed)
    await chore_later(desk.conn, desk.tenant, 0)


async def erase(conn: Connection, space_id: UUID, node_id: UUID) -> int:
    """Take the rows of a node and all beneath; its blobs wait to be removed. The answer is the bytes to give back."""
    # No upload of this space arrives in between: each arrival holds a share of the same row.
    await HOLD_SPACE.one(conn, of=space_id)
    weight: Sum | None = await WEIGHT.one(conn, of=node_id)
    await DISCARD.run(conn, of=node_id)
    await REMOVE.run(conn, of=node_id)
    return weight.size if weight else 0
