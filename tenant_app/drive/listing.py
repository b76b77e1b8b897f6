"""What lies in a folder, page by page; what lies in the trash; what changed lately."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import (
    ColumnElement,
    DateTime,
    Integer,
    Select,
    String,
    Uuid,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)

from kit.pages import Page, decode_cursor, encode_cursor
from tenant_app.accounts import person
from tenant_app.drive.models import node, version
from tenant_app.drive.reach import DEEPEST, FILE, FOLDER
from tenant_app.spaces import access, space
from tenant_app.tenancy import Connection, Q

PAGE = 100
COUNTED = 1000
SORTS = ("name", "-updated", "-size")


class Item(msgspec.Struct, frozen=True):
    """One line of a folder. `inside` counts a folder's things, up to 1,000; by nobody (`by_id`) is by the support."""

    id: UUID
    kind: str
    name: str
    mime: str | None
    size: int
    version: int
    updated_at: datetime
    by_id: UUID | None
    by: str | None
    inside: int


class Recent(msgspec.Struct, frozen=True):
    """A file that changed lately, in a space the asker is in."""

    id: UUID
    name: str
    mime: str | None
    updated_at: datetime
    by_id: UUID | None
    by: str | None
    space_id: UUID
    space_name: str


class Version(msgspec.Struct, frozen=True):
    """One state of a file."""

    n: int
    blob_id: UUID
    size: int
    created_at: datetime
    by_id: UUID | None
    by: str | None


_child = node.alias("child")
_within = func.coalesce(node.c.parent_id, node.c.space_id)
_lower = func.lower(node.c.name)
_some = (
    select(literal_column("1"))
    .where(func.coalesce(_child.c.parent_id, _child.c.space_id) == node.c.id, _child.c.deleted_at.is_(None))
    .correlate(node)
    .limit(literal_column(str(COUNTED)))
    .subquery()
)
_inside = select(func.count()).select_from(_some).scalar_subquery()
_items = select(
    node.c.id,
    node.c.kind,
    node.c.name,
    node.c.mime,
    node.c.size,
    node.c.version,
    node.c.updated_at,
    node.c.updated_by.label("by_id"),
    person.c.name.label("by"),
    _inside.label("inside"),
).join_from(node, person, person.c.id == node.c.updated_by, isouter=True)


def _listed(order: list[ColumnElement[object]], after: ColumnElement[bool] | None, *also: ColumnElement[bool]) -> Q:
    query: Select[tuple[object, ...]] = _items.where(_within == bindparam("folder"), node.c.deleted_at.is_(None), *also)
    if after is not None:
        query = query.where(after)
    return Q(query.order_by(*order).limit(literal_column(str(PAGE + 1))), Item)


_by_name: list[ColumnElement[object]] = [node.c.kind, _lower, node.c.id]
_by_time: list[ColumnElement[object]] = [node.c.kind, node.c.updated_at.desc(), node.c.id]
_by_size: list[ColumnElement[object]] = [node.c.kind, node.c.size.desc(), node.c.id]
_kind = bindparam("kind", type_=String)
_id = bindparam("id", type_=Uuid)


def _descending(column: ColumnElement[object], value: ColumnElement[object]) -> ColumnElement[bool]:
    return or_(
        node.c.kind > _kind,
        and_(node.c.kind == _kind, or_(column < value, and_(column == value, node.c.id > _id))),
    )


FIRST = {
    "name": _listed(_by_name, None),
    "-updated": _listed(_by_time, None),
    "-size": _listed(_by_size, None),
}
NEXT = {
    "name": _listed(
        _by_name, tuple_(node.c.kind, _lower, node.c.id) > tuple_(_kind, bindparam("value", type_=String), _id)
    ),
    "-updated": _listed(_by_time, _descending(node.c.updated_at, bindparam("value", type_=DateTime(timezone=True)))),
    "-size": _listed(_by_size, _descending(node.c.size, bindparam("value", type_=node.c.size.type))),
}
FOLDERS = Q(
    _items.where(_within == bindparam("folder"), node.c.deleted_at.is_(None), node.c.kind == FOLDER)
    .order_by(_lower)
    .limit(literal_column("500")),
    Item,
)
TRASH = Q(
    _items.where(node.c.space_id == bindparam("space"), node.c.deleted_at.is_not(None))
    .order_by(node.c.deleted_at.desc(), node.c.id)
    .limit(literal_column("500")),
    Item,
)
VERSIONS = Q(
    select(
        version.c.n,
        version.c.blob_id,
        version.c.size,
        version.c.created_at,
        version.c.author_id.label("by_id"),
        person.c.name.label("by"),
    )
    .join_from(version, person, person.c.id == version.c.author_id, isouter=True)
    .where(version.c.node_id == bindparam("node"))
    .order_by(version.c.n.desc())
    .limit(literal_column("1000")),
    Version,
)


def _recent() -> Q:
    mine = select(access.c.object_id).where(access.c.subject_id == bindparam("viewer"), access.c.object_kind == "s")
    candidates = (
        select(node.c.id, node.c.parent_id)
        .join(space, and_(space.c.id == node.c.space_id, space.c.archived_at.is_(None)))
        .where(node.c.acl_id.in_(mine), node.c.kind == FILE, node.c.deleted_at.is_(None))
        .order_by(node.c.updated_at.desc())
        .limit(literal_column("40"))
        .subquery()
    )
    start = select(
        candidates.c.id.label("of"), candidates.c.parent_id.label("up"), literal_column("0", Integer).label("d")
    )
    chain = start.cte("chain", recursive=True)
    above = node.alias("above")
    chain = chain.union_all(
        select(chain.c.of, above.c.parent_id, chain.c.d + 1).where(
            above.c.id == chain.c.up, above.c.deleted_at.is_(None), chain.c.d < DEEPEST
        )
    )
    # A file whose way ends at the top of its space lies under nothing that was put in the trash.
    reachable = select(chain.c.of).where(chain.c.up.is_(None))
    return Q(
        select(
            node.c.id,
            node.c.name,
            node.c.mime,
            node.c.updated_at,
            node.c.updated_by.label("by_id"),
            person.c.name.label("by"),
            node.c.space_id,
            space.c.name.label("space_name"),
        )
        .join_from(node, space, space.c.id == node.c.space_id)
        .join(person, person.c.id == node.c.updated_by, isouter=True)
        .where(node.c.id.in_(reachable))
        .order_by(node.c.updated_at.desc())
        .limit(literal_column("8")),
        Recent,
    )


RECENT = _recent()


def _sort_value(item: Item, sort: str) -> object:
    return {"name": item.name.lower(), "-updated": item.updated_at, "-size": item.size}[sort]


async def items(conn: Connection, folder: UUID, *, sort: str = "name", cursor: str | None = None) -> Page[Item]:
    """100 things of a folder, folders first. A cursor stays true while others add and remove."""
    if cursor is None:
        found: list[Item] = await FIRST[sort].all(conn, folder=folder)
    else:
        kinds = {"name": str, "-updated": datetime, "-size": int}
        kind, value, last = decode_cursor(cursor, str, kinds[sort], UUID)
        found = await NEXT[sort].all(conn, folder=folder, kind=kind, value=value, id=last)
    shown = found[:PAGE]
    more = len(found) > PAGE
    last_item = shown[-1] if shown else None
    after = encode_cursor(last_item.kind, _sort_value(last_item, sort), last_item.id) if more and last_item else None
    return Page(shown, after)


async def folders(conn: Connection, within: UUID) -> list[Item]:
    """The folders in a folder, to choose one from."""
    found: list[Item] = await FOLDERS.all(conn, folder=within)
    return found


async def trash(conn: Connection, space_id: UUID) -> list[Item]:
    """What was put in the trash of a space, the latest first."""
    found: list[Item] = await TRASH.all(conn, space=space_id)
    return found


async def versions(conn: Connection, file_id: UUID) -> list[Version]:
    """The states of a file, the latest first."""
    found: list[Version] = await VERSIONS.all(conn, node=file_id)
    return found


async def recent(conn: Connection, viewer: UUID) -> list[Recent]:
    """The files that changed lately in his spaces."""
    found: list[Recent] = await RECENT.all(conn, viewer=viewer)
    return found
