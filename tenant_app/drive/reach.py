"""The way to a folder or file, from the top of its space: who may go it is asked anew by every request."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import CTE, Integer, and_, bindparam, func, literal_column, or_, select

from kit.errors import Refusal, not_found
from tenant_app.drive.models import node
from tenant_app.interface import Role, Viewer
from tenant_app.spaces import access, space
from tenant_app.tenancy import Connection, Q

DEEPEST = 500
FOLDER = "d"
FILE = "f"


class Step(msgspec.Struct, frozen=True):
    """One node on the way, the asked one first, with its space and what the asker may do there."""

    id: UUID
    parent_id: UUID | None
    kind: str
    name: str
    size: int
    version: int
    mime: str | None
    etag: UUID
    deleted_at: datetime | None
    updated_at: datetime
    space_id: UUID
    space_name: str
    archived: bool
    role: int


class SpaceOnly(msgspec.Struct, frozen=True):
    """A space, as its top folder is seen."""

    space_id: UUID
    space_name: str
    archived: bool
    role: int


class Place(msgspec.Struct, frozen=True):
    """A folder or file that the asker may see: the way to it, top first, and his role in its space."""

    space_id: UUID
    space_name: str
    archived: bool
    role: int
    way: tuple[Step, ...]

    @property
    def node(self) -> Step | None:
        """The node itself; None is the top of the space."""
        return self.way[-1] if self.way else None

    @property
    def id(self) -> UUID:
        """Its address: the top of a space answers to the space's own id."""
        return self.way[-1].id if self.way else self.space_id

    @property
    def name(self) -> str:
        """What stands in the title."""
        return self.way[-1].name if self.way else self.space_name

    @property
    def is_folder(self) -> bool:
        """Things can lie in it."""
        return not self.way or self.way[-1].kind == FOLDER

    @property
    def changes(self) -> bool:
        """Members of the space change what is there; guests add and read."""
        return self.role >= Role.MEMBER and not self.archived

    @property
    def adds(self) -> bool:
        """He may add files here."""
        return not self.archived


def _up() -> CTE:
    here = select(node.c.id, node.c.parent_id, literal_column("0", Integer).label("depth")).where(
        node.c.id == bindparam("id")
    )
    up = here.cte("up", recursive=True)
    above = node.alias("above")
    return up.union_all(
        select(above.c.id, above.c.parent_id, (up.c.depth + 1).label("depth")).where(
            above.c.id == up.c.parent_id, up.c.depth < DEEPEST
        )
    )


_way = _up()
_mine = and_(
    access.c.subject_id == bindparam("viewer"),
    or_(access.c.expires_at.is_(None), access.c.expires_at > func.now()),
)
WAY = Q(
    select(
        node.c.id,
        node.c.parent_id,
        node.c.kind,
        node.c.name,
        node.c.size,
        node.c.version,
        node.c.mime,
        node.c.etag,
        node.c.deleted_at,
        node.c.updated_at,
        node.c.space_id,
        space.c.name.label("space_name"),
        space.c.archived_at.is_not(None).label("archived"),
        access.c.role,
    )
    .select_from(_way)
    .join(node, node.c.id == _way.c.id)
    .join(space, space.c.id == node.c.space_id)
    .join(access, and_(access.c.object_id == node.c.acl_id, _mine))
    .order_by(_way.c.depth.desc()),
    Step,
)
TOP = Q(
    select(
        space.c.id.label("space_id"),
        space.c.name.label("space_name"),
        space.c.archived_at.is_not(None).label("archived"),
        access.c.role,
    )
    .join_from(space, access, and_(access.c.object_id == space.c.id, _mine))
    .where(space.c.id == bindparam("id")),
    SpaceOnly,
)


async def reach(conn: Connection, viewer: Viewer, where: UUID, *, trashed: bool = False) -> Place:
    """The place with this id. Absent, foreign, out of his reach, or in the trash: one and the same `not_found`.

    With `trashed`, the place must itself have been put in the trash; the folders above it may lie there too.
    """
    way: list[Step] = await WAY.all(conn, id=where, viewer=viewer.id)
    if way:
        first = way[0]
        beneath = any(step.deleted_at is not None for step in way[:-1])
        if first.parent_id is not None or (beneath and not trashed) or (way[-1].deleted_at is not None) != trashed:
            raise not_found()
        return Place(first.space_id, first.space_name, first.archived, first.role, tuple(way))
    top: SpaceOnly | None = None if trashed else await TOP.one(conn, id=where, viewer=viewer.id)
    if top is None:
        raise not_found()
    return Place(top.space_id, top.space_name, top.archived, top.role, ())


def folder(place: Place) -> Place:
    """The place, which must be a folder."""
    if not place.is_folder:
        raise not_found()
    return place


def file(place: Place) -> Step:
    """The node of the place, which must be a file."""
    if place.node is None or place.node.kind != FILE:
        raise not_found()
    return place.node


def must_change(place: Place) -> Place:
    """The asker must be a member of the space, and the space in use."""
    if place.archived:
        raise Refusal("space_archived", "This space is archived: it can be read, and nothing changes.", status=409)
    if not place.changes:
        raise Refusal("not_allowed", "Guests add and read files; only members of the space change them.", status=403)
    return place


def must_add(place: Place) -> Place:
    """The asker may add files; the space is in use."""
    if not place.adds:
        raise Refusal("space_archived", "This space is archived: it can be read, and nothing changes.", status=409)
    return folder(place)
