"""PATCH on a resource in our own shape, as directories really send it.

Entra writes `Add` and `Replace`, booleans as words, dotted paths as keys of a value without a path, a condition that no
value meets yet; Okta replaces without a path. All of that is understood; what names nothing is refused.
"""

import copy
from typing import Any, NamedTuple

from scim2_models.path import AttrPath, FilterNode, ValuePath

from kit.errors import Refusal
from tenant_app.scim.conditions import Matching, equalities, path_invalid, read_path
from tenant_app.scim.schema import ENTERPRISE, LEFT_OUT, URNS, Attribute, Tree
from tenant_app.scim.shapes import NOTHING, coerced, few, shaped, wrong

VERBS = frozenset({"add", "replace", "remove"})
MOST_STEPS = 1000
IGNORED = frozenset(name.lower() for name in LEFT_OUT)

Data = dict[str, Any]


class Step:
    """One operation of a PATCH, its verb in lower case."""

    __slots__ = ("given", "path", "value", "verb")

    def __init__(self, sent: Any) -> None:
        if not isinstance(sent, dict):
            raise wrong("Operations", "a list of objects")
        plain = {name.lower(): value for name, value in sent.items() if isinstance(name, str)}
        verb, path = plain.get("op"), plain.get("path")
        if not isinstance(verb, str) or verb.lower() not in VERBS:
            raise Refusal(
                "scim_operation_unknown",
                "“op” is one of add, replace and remove.",
                status=400,
                scim="invalidSyntax",
            )
        if path is not None and not isinstance(path, str):
            raise wrong("path", "text")
        self.verb: str = verb.lower()
        self.path: str = (path or "").strip()
        self.value: Any = plain.get("value")
        self.given: bool = "value" in plain


def steps(body: Any) -> list[Step]:
    """The operations of a PATCH request."""
    plain = {name.lower(): value for name, value in body.items()} if isinstance(body, dict) else {}
    sent = plain.get("operations")
    if not isinstance(sent, list) or not sent or len(sent) > MOST_STEPS:
        raise Refusal(
            "scim_operations_missing",
            "A PATCH carries “Operations”, a list of 1 to {most} of them.",
            status=400,
            scim="invalidSyntax",
            most=MOST_STEPS,
        )
    return [Step(one) for one in sent]


def no_target(path: str) -> Refusal:
    """An operation without a place to act on."""
    return Refusal(
        "scim_no_target", "The path “{path}” leads to no value here.", status=400, scim="noTarget", path=path[:200]
    )


class Write(NamedTuple):
    """What is written, how, and under which path it was sent."""

    verb: str
    value: Any
    path: str


class Patch:
    """Applies steps to a copy of a resource's data."""

    def __init__(self, kind: str, tree: Tree, data: Data) -> None:
        self.kind = kind
        self.tree = tree
        self.data: Data = copy.deepcopy(data)

    def apply(self, step: Step) -> None:
        """One operation."""
        if step.path:
            self._at(step.path, step.verb, step.value)
            return
        if step.verb == "remove":
            raise no_target("")
        if not isinstance(step.value, dict):
            raise wrong("value", "an object, where there is no path")
        for name, value in step.value.items():
            if self._known(name):
                self._at(name, step.verb, value)

    def _known(self, name: str) -> bool:
        """Whether a key of a value without a path is ours to write; others are passed over, as on creation."""
        first = name.partition("[")[0].lower()
        for urn in (URNS[self.kind].lower(), ENTERPRISE.lower()):
            if first == urn or first.startswith(urn + ":"):
                return True
        attribute = self.tree.get(first.partition(".")[0])
        return attribute is not None and not attribute.read_only

    def _at(self, path: str, verb: str, value: Any) -> None:
        lower = path.lower()
        if lower == URNS[self.kind].lower():
            self._merge(self.data, self.tree, Write(verb, value, path))
            return
        if lower == ENTERPRISE.lower() and lower in self.tree:
            self._set(self.data, self.tree[lower], None, Write(verb, value, path))
            return
        node = read_path(path)
        where = node.attr_path if isinstance(node, ValuePath) else node
        box, tree = self._box(where, path)
        if where.attr.lower() in IGNORED:
            return
        attribute = tree.get(where.attr.lower())
        if attribute is None:
            raise path_invalid(path)
        if attribute.read_only:
            raise Refusal(
                "scim_read_only",
                "“{path}” cannot be written: it follows from other things.",
                status=400,
                scim="mutability",
                path=path[:200],
            )
        if isinstance(node, ValuePath):
            self._select(box, attribute, node, Write(verb, value, path))
        else:
            self._set(box, attribute, node.sub_attr, Write(verb, value, path))
        if box is not self.data and not box:
            self.data.pop(ENTERPRISE, None)

    def _box(self, where: AttrPath, path: str) -> tuple[Data, Tree]:
        """Where the attribute stands: in the resource itself or in its extension."""
        if where.uri is None or where.uri.lower() == URNS[self.kind].lower():
            return self.data, self.tree
        extension = self.tree.get(where.uri.lower())
        if extension is None:
            raise path_invalid(path)
        box: Data = self.data.setdefault(extension.name, {})
        return box, extension.parts

    def _merge(self, box: Data, tree: Tree, write: Write) -> None:
        if write.verb == "remove":
            raise no_target(write.path)
        if not isinstance(write.value, dict):
            raise wrong(write.path, "an object")
        for name, one in write.value.items():
            attribute = tree.get(name.lower())
            if attribute is not None and not attribute.read_only:
                self._set(box, attribute, None, write._replace(value=one))

    def _set(self, box: Data, attribute: Attribute, part: str | None, write: Write) -> None:
        if part is not None:
            self._set_part(box, attribute, part, write)
        elif write.verb == "remove":
            _remove(box, attribute, write)
        else:
            _assign(box, attribute, write)

    def _set_part(self, box: Data, attribute: Attribute, part: str, write: Write) -> None:
        """`name.givenName`, or `emails.value` for each e-mail."""
        held = box.get(attribute.name)
        items = held if isinstance(held, list) else [held or {}]
        _write_part(attribute, items, part, write)
        _keep(box, attribute, items)

    def _select(self, box: Data, attribute: Attribute, node: ValuePath, write: Write) -> None:
        """`emails[type eq "work"]` and `emails[type eq "work"].value`."""
        if not attribute.many or attribute.kind != "complex":
            raise path_invalid(write.path)
        items: list[Data] = box.get(attribute.name, [])
        chosen = [item for item in items if Matching(attribute, item).visit(node.val_filter)]
        if not chosen and write.verb != "remove":
            # Entra adds a work e-mail by replacing the one that is not there.
            chosen = [_made(attribute, node.val_filter, write.path)]
            items = [*items, *chosen]
        if node.sub_attr is not None:
            _write_part(attribute, chosen, node.sub_attr, write)
        elif write.verb == "remove":
            items = [item for item in items if not any(item is one for one in chosen)]
        else:
            _update(attribute, chosen, write.value)
        _keep(box, attribute, _one_primary(items, chosen))


def _assign(box: Data, attribute: Attribute, write: Write) -> None:
    made = coerced(attribute, write.value, write.path)
    if made in NOTHING:
        if write.verb == "replace":
            box.pop(attribute.name, None)
    elif attribute.many:
        added = _added(box.get(attribute.name, []), made) if write.verb == "add" else made
        box[attribute.name] = few(added, write.path)
    elif attribute.kind == "complex":
        box[attribute.name] = {**box.get(attribute.name, {}), **made}
    else:
        box[attribute.name] = made


def _write_part(attribute: Attribute, chosen: list[Data], part: str, write: Write) -> None:
    inner = attribute.parts.get(part.lower())
    if inner is None:
        raise path_invalid(write.path)
    if inner.read_only:
        return
    made = None if write.verb == "remove" else coerced(inner, write.value, write.path)
    for item in chosen:
        _put(item, inner.name, made)


def _update(attribute: Attribute, chosen: list[Data], value: Any) -> None:
    given = value[0] if isinstance(value, list) and len(value) == 1 else value
    part = {"value": given} if isinstance(given, str) and "value" in attribute.parts else given
    for item in chosen:
        item.update(shaped(attribute.parts, part, f"{attribute.name}."))


def _put(item: Data, name: str, value: Any) -> None:
    if value in NOTHING:
        item.pop(name, None)
    else:
        item[name] = value


def _keep(box: Data, attribute: Attribute, items: list[Data]) -> None:
    kept = [item for item in items if item]
    if not kept:
        box.pop(attribute.name, None)
    else:
        box[attribute.name] = few(kept, attribute.name) if attribute.many else kept[0]


def _made(attribute: Attribute, condition: FilterNode, path: str) -> Data:
    wanted = equalities(condition)
    if wanted is None:
        raise no_target(path)
    return shaped(attribute.parts, wanted, f"{attribute.name}.")


def _remove(box: Data, attribute: Attribute, write: Write) -> None:
    """The whole attribute or, where values are given (Entra), these values of it."""
    if not attribute.many or write.value in NOTHING:
        box.pop(attribute.name, None)
        return
    gone = coerced(attribute, write.value, write.path)
    _keep(box, attribute, [item for item in box.get(attribute.name, []) if not any(_same(item, one) for one in gone)])


def _same(item: Any, other: Any) -> bool:
    if isinstance(item, dict) and isinstance(other, dict):
        return all(item.get(name) == value for name, value in other.items() if name in {"value", "type"})
    return bool(item == other)


def _added(held: list[Any], more: list[Any]) -> list[Any]:
    fresh = [one for one in more if one not in held]
    return _one_primary([*held, *fresh], fresh)


def _one_primary(items: list[Any], newest: list[Any]) -> list[Any]:
    """A value that has just become the primary one takes that from the others."""
    chosen = [one for one in newest if isinstance(one, dict) and one.get("primary") is True]
    if chosen:
        for item in items:
            if item is not chosen[-1] and isinstance(item, dict) and item.get("primary") is True:
                item["primary"] = False
    return items
