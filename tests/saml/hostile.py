"""What a hostile case is, and shorthands that its families share."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lxml import etree

from tests.saml.forge import Given, build, encode
from tests.saml.said import MALLORY, NS, A

MODES = ("response", "assertion", "both")


@dataclass(frozen=True)
class Hostile:
    """A response that must be refused by the check of one of these names."""

    family: str
    name: str
    checks: tuple[str, ...]
    make: Callable[[], Given]

    @property
    def title(self) -> str:
        return f"{self.family}: {self.name}"


def given(root: Any, **others: Any) -> Given:
    return Given(encode(root), **others)


def hostile(family: str, name: str, checks: str, make: Callable[[], Any]) -> Hostile:
    """A case from a function that gives the response (or all of `Given`); `checks` are separated by spaces."""

    def finished() -> Given:
        made = make()
        return made if isinstance(made, Given) else given(made)

    return Hostile(family, name, tuple(checks.split()), finished)


def assertion_of(root: Any) -> Any:
    return root.find("a:Assertion", NS)


def signature_of(element: Any) -> Any:
    return element.find("ds:Signature", NS)


def unsigned(element: Any) -> Any:
    for signature in element.findall("ds:Signature", NS):
        element.remove(signature)
    return element


def evil(assertion: Any, identifier: str | None = "_evil") -> Any:
    """A copy that says somebody else, with an id of its own (None: the same id)."""
    made = copy.deepcopy(assertion)
    if identifier is not None:
        made.set("ID", identifier)
    made.find("a:Subject/a:NameID", NS).text = MALLORY
    return made


def element(namespace: str, name: str, *inside: Any) -> Any:
    made = etree.Element(f"{{{namespace}}}{name}")
    made.extend(inside)
    return made


def text(element_: Any, path: str, value: str) -> None:
    element_.find(path, NS).text = value


__all__ = [
    "MODES",
    "A",
    "Hostile",
    "assertion_of",
    "build",
    "element",
    "evil",
    "given",
    "hostile",
    "signature_of",
    "text",
    "unsigned",
]
