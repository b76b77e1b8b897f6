"""Filters: read by scim2-models' grammar, judged here on one value of an attribute, turned to SQL elsewhere."""

from typing import Any

from scim2_models import InvalidFilterException, InvalidPathException, Path, ScimFilter
from scim2_models.path import (
    AttrPath,
    CompareOperator,
    Comparison,
    FilterNode,
    FilterVisitor,
    LogicalExpr,
    LogicalOperator,
    Not,
    Present,
    ValuePath,
)

from kit.errors import Refusal
from tenant_app.scim.schema import Attribute
from tenant_app.scim.shapes import NOTHING

LONGEST = 2000
MOST_BRACKETS = 20

PathNode = AttrPath | ValuePath


def filter_invalid(why: str) -> Refusal:
    """A filter that cannot be read or does not fit what it filters."""
    return Refusal(
        "scim_filter_invalid", "This filter cannot be used: {why}.", status=400, scim="invalidFilter", why=why
    )


def path_invalid(path: str) -> Refusal:
    """A path that names nothing of this resource."""
    return Refusal(
        "scim_path_invalid",
        "The path “{path}” names no attribute of this resource.",
        status=400,
        scim="invalidPath",
        path=path[:200],
    )


def read_filter(text: str) -> FilterNode:
    """The filter's tree."""
    if len(text) > LONGEST or text.count("(") + text.count("[") > MOST_BRACKETS:
        raise filter_invalid(f"it is longer than {LONGEST} characters or nested too deeply")
    try:
        return ScimFilter(text).ast
    except InvalidFilterException as error:
        raise filter_invalid("it does not follow the grammar of RFC 7644") from error


def read_path(text: str) -> PathNode:
    """A path of a PATCH operation."""
    if len(text) > LONGEST or text.count("(") + text.count("[") > MOST_BRACKETS:
        raise path_invalid(text)
    try:
        node = Path(text).ast
    except (InvalidPathException, InvalidFilterException) as error:
        raise path_invalid(text) from error
    if not isinstance(node, AttrPath | ValuePath):
        raise path_invalid(text)
    return node


class Matching(FilterVisitor[bool]):
    """Whether one value of a multi-valued attribute (an object) meets the condition in the brackets."""

    def __init__(self, attribute: Attribute, item: dict[str, Any]) -> None:
        self.attribute = attribute
        self.item = item

    def _held(self, path: AttrPath) -> tuple[Any, bool]:
        part = self.attribute.parts.get(path.attr.lower())
        if part is None or path.sub_attr is not None:
            raise filter_invalid(f"“{path}” is no part of {self.attribute.name}")
        return self.item.get(part.name), part.exact

    def visit_comparison(self, node: Comparison) -> bool:
        """One comparison."""
        held, exact = self._held(node.attr_path)
        left, right = _comparable(held, exact), _comparable(node.value, exact)
        if isinstance(left, bool) and isinstance(right, str):
            right = {"true": True, "false": False}.get(right.lower(), right)
        if node.op is CompareOperator.eq:
            return bool(left == right)
        if node.op is CompareOperator.ne:
            return bool(left != right)
        if not isinstance(left, str) or not isinstance(right, str):
            return False
        return bool(_ORDERED[node.op](left, right))

    def visit_present(self, node: Present) -> bool:
        """There is a value."""
        return self._held(node.attr_path)[0] not in NOTHING

    def visit_not(self, node: Not) -> bool:
        """The contrary."""
        return not self.visit(node.expr)

    def visit_logical_expr(self, node: LogicalExpr) -> bool:
        """All, or any."""
        found = (self.visit(term) for term in node.terms)
        return all(found) if node.op is LogicalOperator.and_ else any(found)

    def visit_value_path(self, node: ValuePath) -> bool:
        """Brackets in brackets."""
        raise filter_invalid(f"“{node}” cannot stand within brackets")


_ORDERED: dict[CompareOperator, Any] = {
    CompareOperator.co: lambda left, right: right in left,
    CompareOperator.sw: lambda left, right: left.startswith(right),
    CompareOperator.ew: lambda left, right: left.endswith(right),
    CompareOperator.gt: lambda left, right: left > right,
    CompareOperator.ge: lambda left, right: left >= right,
    CompareOperator.lt: lambda left, right: left < right,
    CompareOperator.le: lambda left, right: left <= right,
}


def _comparable(value: Any, exact: bool) -> Any:
    return value.lower() if isinstance(value, str) and not exact else value


def equalities(node: FilterNode) -> dict[str, Any] | None:
    """What `type eq "work" and primary eq true` asks of a value to be made; None for any other condition."""
    if isinstance(node, Comparison) and node.op is CompareOperator.eq and node.attr_path.sub_attr is None:
        return {node.attr_path.attr: node.value}
    if isinstance(node, LogicalExpr) and node.op is LogicalOperator.and_:
        found: dict[str, Any] = {}
        for term in node.terms:
            some = equalities(term)
            if some is None:
                return None
            found |= some
        return found
    return None


def values_named(node: FilterNode) -> list[str] | None:
    """The ids that `value eq "…" or value eq "…"` names; None for any other condition."""
    if isinstance(node, Comparison) and node.op is CompareOperator.eq and node.attr_path.attr.lower() == "value":
        return [str(node.value)]
    if isinstance(node, LogicalExpr) and node.op is LogicalOperator.or_:
        found = [values_named(term) for term in node.terms]
        if all(one is not None for one in found):
            return [value for one in found for value in one or []]
    return None
