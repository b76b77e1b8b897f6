"""A resource as a directory sends it, in one shape: known attributes under their own names, values of their type.

Directories differ: names in any case, booleans as words, one value where several may stand, a reference as bare text.
What a schema does not know is passed over, as RFC 7643 wants it; what is of the wrong kind is refused by its name.
"""

import unicodedata
from typing import Any

from kit.errors import Refusal
from tenant_app.scim.schema import Attribute, Tree

LONGEST = 4000
# In bytes, as an index takes it: some characters become eighteen when names are compared.
LONGEST_KEY = 1024
MOST_VALUES = 200
NOTHING: tuple[Any, ...] = (None, "", [], {})


def folded(text: str) -> str:
    """The form in which names are compared: no case, one way to write each character."""
    return unicodedata.normalize("NFKC", text).casefold().strip()


def wrong(path: str, wanted: str) -> Refusal:
    """A value that is not what its attribute holds."""
    return Refusal(
        "scim_value_invalid",
        "“{path}” does not take this value: {wanted} is expected.",
        status=400,
        scim="invalidValue",
        path=path,
        wanted=wanted,
    )


def shaped(tree: Tree, given: Any, where: str = "") -> dict[str, Any]:
    """The writable attributes of a resource or of a complex value; empty ones are as good as absent."""
    if not isinstance(given, dict):
        raise wrong(where or "body", "an object")
    kept: dict[str, Any] = {}
    for name, value in given.items():
        attribute = tree.get(name.lower()) if isinstance(name, str) else None
        if attribute is None or attribute.read_only:
            continue
        made = coerced(attribute, value, f"{where}{attribute.name}")
        if made not in NOTHING:
            kept[attribute.name] = made
    return kept


def coerced(attribute: Attribute, value: Any, path: str) -> Any:
    """The value as its attribute holds it; None, "" and [] for none."""
    if value is None:
        return None
    if not attribute.many:
        return _one(attribute, value, path)
    values = value if isinstance(value, list) else [value]
    if attribute.name != "members":
        few(values, path)
    made = [one for one in (_one(attribute, item, path) for item in values) if one not in NOTHING]
    if attribute.kind == "complex" and sum(one.get("primary") is True for one in made) > 1:
        raise wrong(path, "at most one primary value")
    return made


def _one(attribute: Attribute, value: Any, path: str) -> Any:
    if value is None:
        return None
    if attribute.kind == "complex":
        if isinstance(value, str) and "value" in attribute.parts:
            value = {"value": value} if value else {}
        return shaped(attribute.parts, value, f"{path}.")
    if attribute.kind == "boolean":
        return truth(value, path)
    if attribute.kind in {"integer", "decimal"}:
        return _number(value, path)
    return _text(value, path)


def few(values: list[Any], path: str) -> list[Any]:
    """These values, if they are no more than one attribute holds, whoever added them one by one."""
    if len(values) > MOST_VALUES:
        raise wrong(path, f"at most {MOST_VALUES} values")
    return values


def truth(value: Any, path: str) -> bool:
    """True or false, as a boolean or as a word in any case."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    raise wrong(path, "true or false")


def _number(value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(path, "a number")
    return value


def _text(value: Any, path: str) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise wrong(path, "text")
    if len(value) > LONGEST or "\0" in value:
        raise wrong(path, f"text of at most {LONGEST} characters")
    return value
