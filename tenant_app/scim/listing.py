"""Reading: one resource, a page of them by index or by cursor, or a search over both kinds."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from scim2_models.path import AttrPath

from kit.errors import Refusal, not_found
from tenant_app.scim import answers
from tenant_app.scim.answers import GroupRow, UserRow, Wish
from tenant_app.scim.conditions import filter_invalid, read_filter, read_path
from tenant_app.scim.pushing import Push
from tenant_app.scim.schema import MOST_RESULTS, USUAL_RESULTS
from tenant_app.scim.searching import Names, Where, order_by
from tenant_app.scim.shapes import wrong

GROUPS_OF = """coalesce((
    select jsonb_agg(jsonb_build_object('value', g.id, 'display', g.data -> 'displayName') order by g.key)
    from scim_group_member m join scim_group g on g.id = m.group_id where m.user_id = u.id), '[]'::jsonb)"""
MEMBERS_OF = """coalesce((
    select jsonb_agg(jsonb_build_object('value', m.user_id) order by m.user_id)
    from scim_group_member m where m.group_id = g.id), '[]'::jsonb)"""
NONE = "'[]'::jsonb"
USERS = "from scim_user u join principal p on p.id = u.id"
GROUPS = "from scim_group g"
FROM = {"User": USERS, "Group": GROUPS}
SIZE = "select count(*) from scim_group_member where group_id = $1"
KINDS = ("User", "Group")
# More than there are; each is looked for in each resource.
MOST_NAMES = 200


def _select(kind: str, wish: Wish) -> str:
    if kind == "User":
        # Also where they are not asked for: they belong to the version.
        return (
            "select u.id, u.data, u.active and p.disabled_at is null, u.version, u.created_at, u.updated_at,"
            f" {GROUPS_OF} {USERS}"
        )
    inner = NONE if wish.leaves_out("members") else MEMBERS_OF
    return f"select g.id, g.data, g.version, g.created_at, g.updated_at, {inner} {GROUPS}"


def drawn(kind: str, row: Any, base: str) -> dict[str, Any]:
    """A row as a whole resource."""
    return answers.user(UserRow(*row), base) if kind == "User" else answers.group(GroupRow(*row), base)


async def one(push: Push, kind: str, of: UUID, wish: Wish) -> dict[str, Any]:
    """The resource with this id."""
    row = await push.conn.fetchrow(f"{_select(kind, wish)} where {Names(kind).alias}.id = $1", of)
    if row is None:
        raise not_found(kind)
    return drawn(kind, row, push.base)


async def version(push: Push, kind: str, of: UUID) -> str:
    """What a reader has seen of the resource as it is now, without a group's members."""
    whole = await one(push, kind, of, Wish((), ("members",)))
    found: str = whole["meta"]["version"]
    return found


async def members_count(push: Push, of: UUID) -> int:
    """How many are in a group."""
    found: int = await push.conn.fetchval(SIZE, of)
    return found


class Query:
    """What a list is asked for: by the address or, for `.search`, by the body."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        plain = {name.lower(): value for name, value in asked.items()}
        self.filter: str = _text(plain.get("filter"), "filter")
        self.wish = Wish(_list(plain, "attributes"), _list(plain, "excludedattributes"))
        self.sort_by: str = _text(plain.get("sortby"), "sortBy")
        self.descending = _text(plain.get("sortorder"), "sortOrder").lower() == "descending"
        self.start = max(1, _number(plain.get("startindex"), 1, "startIndex"))
        self.count = min(MOST_RESULTS, max(0, _number(plain.get("count"), USUAL_RESULTS, "count")))
        self.cursor: str | None = _text(plain["cursor"], "cursor") if plain.get("cursor") is not None else None


def _text(value: Any, path: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or "\0" in value:
        raise wrong(path, "text")
    return value


def _list(asked: Mapping[str, Any], name: str) -> list[str]:
    value = asked.get(name) or []
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list) or len(value) > MOST_NAMES or not all(isinstance(item, str) for item in value):
        raise wrong(name, f"a list of at most {MOST_NAMES} attributes")
    return value


def _number(value: Any, usual: int, path: str) -> int:
    if value is None or value == "":
        return usual
    try:
        return min(int(value), 2**31)
    except (TypeError, ValueError) as error:
        raise wrong(path, "a whole number") from error


def _where(kind: str, query: Query, *, lenient: bool = False) -> Where:
    where = Where(kind, lenient=lenient)
    where.text_of = where.visit(read_filter(query.filter)) if query.filter else "true"
    return where


async def page(push: Push, kind: str, query: Query) -> dict[str, Any]:
    """A page of one kind."""
    where = _where(kind, query)
    total = await push.conn.fetchval(f"select count(*) {FROM[kind]} where {where.text_of}", *where.values)
    if query.cursor is not None:
        return await _after(push, query, where, total)
    rows = await _rows(push, query, where, skip=query.start - 1, most=query.count)
    return answers.listed(rows, total, startIndex=query.start)


async def _rows(push: Push, query: Query, where: Where, *, skip: int, most: int) -> list[dict[str, Any]]:
    if most == 0:
        return []
    kind = where.names.kind
    order = _order(kind, query)
    limits = f"offset {where.bind(skip, 'bigint')} limit {where.bind(most, 'bigint')}"
    statement = f"{_select(kind, query.wish)} where {where.text_of} order by {order} {limits}"
    rows = await push.conn.fetch(statement, *where.values)
    return [query.wish.of(kind, drawn(kind, row, push.base)) for row in rows]


def _order(kind: str, query: Query) -> str:
    if not query.sort_by:
        return f"{Names(kind).alias}.id"
    path = read_path(query.sort_by)
    if not isinstance(path, AttrPath):
        raise filter_invalid(f"“{query.sort_by}” cannot be sorted by")
    return order_by(kind, path, descending=query.descending)


async def _after(push: Push, query: Query, where: Where, total: int) -> dict[str, Any]:
    """RFC 9865: the page behind a cursor, stable while others push. Sorted by id, which is the order of arrival."""
    if query.sort_by:
        raise wrong("sortBy", "no sorting with a cursor")
    kind, alias = where.names.kind, where.names.alias
    condition = where.text_of
    if query.cursor:
        condition = f"({condition}) and {alias}.id > {where.bind(_read_cursor(query.cursor), 'uuid')}"
    limit = where.bind(query.count + 1, "bigint")
    statement = f"{_select(kind, query.wish)} where {condition} order by {alias}.id limit {limit}"
    rows = await push.conn.fetch(statement, *where.values)
    shown, more = rows[: query.count], len(rows) > query.count and query.count > 0
    paging = {"nextCursor": _cursor(shown[-1][0])} if more else {}
    resources = [query.wish.of(kind, drawn(kind, row, push.base)) for row in shown]
    return answers.listed(resources, total, **paging)


def _cursor(of: UUID) -> str:
    return base64.urlsafe_b64encode(of.bytes).decode().rstrip("=")


def _read_cursor(text: str) -> UUID:
    try:
        return UUID(bytes=base64.urlsafe_b64decode(text + "=="))
    except (ValueError, binascii.Error) as error:
        raise Refusal(
            "scim_cursor_invalid",
            "This cursor is none of ours: begin the list anew.",
            status=400,
            scim="invalidCursor",
        ) from error


async def everything(push: Push, query: Query) -> dict[str, Any]:
    """A search over both kinds: users first. What only one kind knows is false for the other."""
    wheres = {kind: _where(kind, query, lenient=True) for kind in KINDS}
    totals = {
        kind: await push.conn.fetchval(f"select count(*) {FROM[kind]} where {where.text_of}", *where.values)
        for kind, where in wheres.items()
    }
    skip, room = query.start - 1, query.count
    found: list[dict[str, Any]] = []
    for kind, where in wheres.items():
        rows = await _rows(push, query, where, skip=skip, most=room)
        found += rows
        skip, room = max(0, skip - totals[kind]), room - len(rows)
    return answers.listed(found, sum(totals.values()), startIndex=query.start)
