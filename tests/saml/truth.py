"""What the true provider signed, word for word: whatever comes out of a checker must be among it."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from tests.saml.marks import Witness
from tests.saml.said import DS, NS, A, P, Signer

# Id, subject, attributes with their values.
Fact = tuple[str, str, tuple[tuple[str, tuple[str, ...]], ...]]


def fact(identifier: str, subject: str, attributes: dict[str, tuple[str, ...]]) -> Fact:
    return identifier, subject, tuple(sorted(attributes.items()))


def facts_of(content: bytes) -> set[Fact]:
    """What its assertions say; one that says two things says nothing."""
    found = set()
    for assertion in etree.fromstring(content).iter(f"{{{A}}}Assertion"):
        names = assertion.findall("a:Subject/a:NameID", NS)
        if len(names) == len(assertion.findall("a:Subject", NS)) == 1:
            found.add(fact(assertion.get("ID", ""), _text(names[0]), _attributes(assertion)))
    return found


def _text(element: Any) -> str:
    return "".join(element.xpath(".//text()")).strip()


def _attributes(assertion: Any) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for attribute in assertion.iterfind("a:AttributeStatement/a:Attribute", NS):
        values = tuple(_text(value) for value in attribute.iterfind("a:AttributeValue", NS))
        name = attribute.get("Name", "")
        found[name] = found.get(name, ()) + values
    return found


@dataclass
class Truth(Witness):
    """What those of `trusted` signed, by signature; what is sealed within it counts as theirs, too."""

    trusted: Collection[Signer]
    facts: dict[str, set[Fact]] = field(default_factory=dict)
    plain: dict[str, bytes] = field(default_factory=dict)

    def signed(self, by: Signer, content: bytes, value: str) -> None:
        if by not in self.trusted:
            return
        found = facts_of(content)
        for sealed in etree.fromstring(content).iterfind(".//x:CipherValue", NS):
            if sealed.text in self.plain:
                found |= _sealed_facts(self.plain[sealed.text])
        self.facts[value] = found

    def sealed(self, text: str, plain: bytes) -> None:
        self.plain[text] = plain


def facts_in(message: bytes, known: dict[str, set[Fact]]) -> set[Fact]:
    """What the signatures in this message are known to cover."""
    found: set[Fact] = set()
    for value in etree.fromstring(message).iter(f"{{{DS}}}SignatureValue"):
        found |= known.get("".join("".join(value.itertext()).split()), set())
    return found


def _sealed_facts(plain: bytes) -> set[Fact]:
    """As if it stood where it was sealed: it may count on the names around."""
    bare = plain.partition(b"?>")[2] if plain.lstrip().startswith(b"<?xml") else plain
    try:
        return facts_of(f'<f xmlns:p="{P}" xmlns:a="{A}">'.encode() + bare + b"</f>")
    except etree.XMLSyntaxError:
        return set()
