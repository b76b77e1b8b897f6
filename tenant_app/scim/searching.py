"""Filters and sorting as SQL: names come from the schema, values are bound; nothing of the request becomes text."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from scim2_models.path import (
    AttrPath,
    CompareOperator,
    Comparison,
    FilterVisitor,
    LogicalExpr,
    LogicalOperator,
    Not,
    Present,
    ValuePath,
)

from tenant_app.scim.conditions import filter_invalid
from tenant_app.scim.schema import TREES, URNS, Attribute
from tenant_app.scim.shapes import folded


class Column(NamedTuple):
    """An expression and how it is compared: text, exact, folded, boolean, moment or id."""

    sql: str
    kind: str


class Rows(NamedTuple):
    """The values of an attribute that has several: where they are found, and the columns of each."""

    source: str
    parts: dict[str, Column]


FALSE = "false"
COMMON = {
    "meta.created": ("created_at", "moment"),
    "meta.lastmodified": ("updated_at", "moment"),
    "externalid": ("external_id", "exact"),
    "id": ("id", "id"),
}
OWN: dict[str, dict[str, Column]] = {
    "User": {
        **{path: Column(f"u.{name}", kind) for path, (name, kind) in COMMON.items()},
        "username": Column("u.key", "folded"),
        "active": Column("(u.active and p.disabled_at is null)", "boolean"),
    },
    "Group": {
        **{path: Column(f"g.{name}", kind) for path, (name, kind) in COMMON.items()},
        "displayname": Column("g.key", "folded"),
    },
}
JOINED: dict[tuple[str, str], Rows] = {
    ("User", "groups"): Rows(
        "scim_group_member m join scim_group h on h.id = m.group_id where m.user_id = u.id",
        {"value": Column("m.group_id", "id"), "display": Column("h.key", "folded")},
    ),
    ("Group", "members"): Rows("scim_group_member m where m.group_id = g.id", {"value": Column("m.user_id", "id")}),
}
KINDS = {"boolean": "boolean", "dateTime": "moment"}


def _column(sql: str, attribute: Attribute) -> Column:
    kind = KINDS.get(attribute.kind) or ("exact" if attribute.exact else "text")
    casts = {"boolean": f"({sql})::boolean", "moment": f"({sql})::timestamptz"}
    return Column(casts.get(kind, sql), kind)


class Names:
    """Where the attributes of one kind of resource stand."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.alias = "u" if kind == "User" else "g"

    def known(self, path: AttrPath) -> bool:
        """Whether the schema has such an attribute."""
        try:
            self._attribute(path)
        except LookupError:
            return False
        return True

    def _attribute(self, path: AttrPath) -> tuple[str, Attribute]:
        tree, box = TREES[self.kind], f"{self.alias}.data"
        if path.uri is not None and path.uri.lower() != URNS[self.kind].lower():
            extension = tree[path.uri.lower()]
            tree, box = extension.parts, f"{box} -> '{extension.name}'"
        attribute = tree[path.attr.lower()]
        if path.sub_attr is not None and path.sub_attr.lower() not in attribute.parts:
            raise LookupError(path.sub_attr)
        return box, attribute

    def find(self, path: AttrPath) -> Column | Rows:
        """The column, or the rows of an attribute with several values."""
        try:
            box, attribute = self._attribute(path)
        except LookupError as error:
            raise filter_invalid(f"“{path}” is no attribute of a {self.kind}") from error
        dotted = ".".join(part.lower() for part in (path.attr, path.sub_attr) if part)
        own = OWN[self.kind].get(dotted) if path.uri is None or path.uri.lower() == URNS[self.kind].lower() else None
        if own is not None:
            return own
        if attribute.many:
            return self._rows(box, attribute, path)
        return self._single(box, attribute, path)

    def _rows(self, box: str, attribute: Attribute, path: AttrPath) -> Rows:
        joined = JOINED.get((self.kind, attribute.name))
        if joined is not None:
            return joined
        if attribute.kind != "complex" or attribute.read_only:
            raise filter_invalid(f"“{path}” cannot be searched")
        source = f"jsonb_array_elements(coalesce({box} -> '{attribute.name}', '[]'::jsonb)) as e where true"
        return Rows(
            source, {name: _column(f"e.value ->> '{part.name}'", part) for name, part in attribute.parts.items()}
        )

    def _single(self, box: str, attribute: Attribute, path: AttrPath) -> Column:
        if attribute.read_only:
            raise filter_invalid(f"“{path}” cannot be searched")
        if path.sub_attr is not None:
            part = attribute.parts[path.sub_attr.lower()]
            return _column(f"{box} -> '{attribute.name}' ->> '{part.name}'", part)
        if attribute.kind == "complex":
            return Column(f"{box} -> '{attribute.name}'", "object")
        return _column(f"{box} ->> '{attribute.name}'", attribute)


class Where(FilterVisitor[str]):
    """The condition of a filter; `values` are bound as $1, $2… An attribute that only another kind has is false."""

    def __init__(self, kind: str, *, lenient: bool = False, values: list[Any] | None = None) -> None:
        self.names = Names(kind)
        self.lenient = lenient
        self.values: list[Any] = [] if values is None else values
        self.rows: Rows | None = None
        self.text_of = "true"

    def bind(self, value: Any, cast: str) -> str:
        """The place of a value."""
        self.values.append(value)
        return f"${len(self.values)}::{cast}"

    def _find(self, path: AttrPath) -> Column | Rows | None:
        if self.rows is not None:
            column = self.rows.parts.get(path.attr.lower())
            if column is None or path.sub_attr is not None:
                raise filter_invalid(f"“{path}” cannot stand within these brackets")
            return column
        if self.lenient and not self.names.known(path) and any(Names(kind).known(path) for kind in TREES):
            return None
        return self.names.find(path)

    def visit_comparison(self, node: Comparison) -> str:
        """`attribute op value`."""
        found = self._find(node.attr_path)
        if found is None:
            return FALSE
        if isinstance(found, Column):
            return self.compare(found, node.op, node.value)
        column = self._part(found, node.attr_path)
        if node.op is CompareOperator.ne:
            return f"not exists (select from {found.source} and {self.compare(column, CompareOperator.eq, node.value)})"
        return f"exists (select from {found.source} and {self.compare(column, node.op, node.value)})"

    @staticmethod
    def _part(rows: Rows, path: AttrPath) -> Column:
        column = rows.parts.get((path.sub_attr or "value").lower())
        if column is None:
            raise filter_invalid(f"“{path}” cannot be searched")
        return column

    def visit_present(self, node: Present) -> str:
        """There is a value."""
        found = self._find(node.attr_path)
        if found is None:
            return FALSE
        if isinstance(found, Rows):
            inner = f" and {self._part(found, node.attr_path).sql} is not null" if node.attr_path.sub_attr else ""
            return f"exists (select from {found.source}{inner})"
        return f"{found.sql} is not null"

    def visit_not(self, node: Not) -> str:
        """The contrary; what cannot be told is no match, so its contrary is one."""
        return f"(({self.visit(node.expr)}) is not true)"

    def visit_logical_expr(self, node: LogicalExpr) -> str:
        """All, or any."""
        word = " and " if node.op is LogicalOperator.and_ else " or "
        return "(" + word.join(self.visit(term) for term in node.terms) + ")"

    def visit_value_path(self, node: ValuePath) -> str:
        """`attribute[condition]`: one value meets all of it."""
        found = self._find(node.attr_path)
        if found is None:
            return FALSE
        if not isinstance(found, Rows) or self.rows is not None:
            raise filter_invalid(f"“{node.attr_path}” has one value only")
        self.rows = found
        inner = self.visit(node.val_filter)
        self.rows = None
        return f"exists (select from {found.source} and {inner})"

    def compare(self, column: Column, op: CompareOperator, value: Any) -> str:
        """One comparison of a column."""
        if value is None:
            if op not in {CompareOperator.eq, CompareOperator.ne}:
                raise filter_invalid("null is only equal or not equal")
            return f"{column.sql} is {'not ' if op is CompareOperator.ne else ''}null"
        return COMPARISONS[column.kind](self, column.sql, op, value)

    def text(self, sql: str, op: CompareOperator, value: Any) -> str:
        """Without regard to case."""
        return self.exact(f"lower({sql})", op, _string(value).lower())

    def key(self, sql: str, op: CompareOperator, value: Any) -> str:
        """A name that is kept folded."""
        return self.exact(sql, op, folded(_string(value)))

    def exact(self, sql: str, op: CompareOperator, value: Any) -> str:
        """Character by character."""
        place = self.bind(_string(value), "text")
        return TEXTS[op].format(sql, place)

    def boolean(self, sql: str, op: CompareOperator, value: Any) -> str:
        """True or false, also as a word."""
        word = str(value).lower()
        if word not in {"true", "false"} or op not in {CompareOperator.eq, CompareOperator.ne}:
            raise filter_invalid("true and false are only equal or not equal")
        return f"{sql} is {'not ' if op is CompareOperator.ne else ''}{word}"

    def moment(self, sql: str, op: CompareOperator, value: Any) -> str:
        """A moment with its time zone."""
        try:
            when = datetime.fromisoformat(_string(value))
            if when.tzinfo is not None:
                when = when.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise filter_invalid("a moment looks like 2026-11-26T08:00:00Z") from error
        if when.tzinfo is None or op not in ORDER:
            raise filter_invalid("a moment has a time zone, and is compared by eq, ne, gt, ge, lt and le")
        return TEXTS[op].format(sql, self.bind(when, "timestamptz"))

    def id(self, sql: str, op: CompareOperator, value: Any) -> str:
        """An id; what is none equals none."""
        if op not in {CompareOperator.eq, CompareOperator.ne}:
            return self.exact(f"{sql}::text", op, value)
        try:
            place = self.bind(UUID(_string(value)), "uuid")
        except ValueError:
            return "false" if op is CompareOperator.eq else "true"
        return TEXTS[op].format(sql, place)

    def whole(self, sql: str, op: CompareOperator, value: Any) -> str:
        """A complex value as a whole."""
        del sql
        raise filter_invalid(f"{op.value} {value!r} does not fit an attribute that has parts: name one of them")


TEXTS = {
    CompareOperator.eq: "{0} = {1}",
    CompareOperator.ne: "{0} is distinct from {1}",
    CompareOperator.co: "strpos({0}, {1}) > 0",
    CompareOperator.sw: "starts_with({0}, {1})",
    CompareOperator.ew: "right({0}, length({1})) = {1}",
    CompareOperator.gt: "{0} > {1}",
    CompareOperator.ge: "{0} >= {1}",
    CompareOperator.lt: "{0} < {1}",
    CompareOperator.le: "{0} <= {1}",
}
ORDER = frozenset(TEXTS) - {CompareOperator.co, CompareOperator.sw, CompareOperator.ew}
COMPARISONS: dict[str, Callable[[Where, str, CompareOperator, Any], str]] = {
    "text": Where.text,
    "exact": Where.exact,
    "folded": Where.key,
    "boolean": Where.boolean,
    "moment": Where.moment,
    "id": Where.id,
    "object": Where.whole,
}


def _string(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise filter_invalid(f"{value!r} is no text")
    return value


def order_by(kind: str, path: AttrPath, *, descending: bool) -> str:
    """The order of an attribute; what has none of it comes last, and ids decide between equals."""
    names = Names(kind)
    found = names.find(path)
    alias = names.alias
    direction = "desc" if descending else "asc"
    if isinstance(found, Rows):
        if "value" not in found.parts or found in JOINED.values():
            raise filter_invalid(f"“{path}” cannot be sorted by")
        # RFC 7644, 3.4.2.3: the primary value, or else the first.
        first = f"select lower({found.parts['value'].sql}) from {found.source}"  # noqa: S608 - the schema's names
        sql = f"({first} order by (e.value ->> 'primary') is not distinct from 'true' desc limit 1)"
        return f"{sql} {direction} nulls last, {alias}.id"
    if found.kind == "object":
        raise filter_invalid(f"“{path}” has parts: sort by one of them")
    sql = f"lower({found.sql})" if found.kind == "text" else found.sql
    return f"{sql} {direction} nulls last, {alias}.id"
