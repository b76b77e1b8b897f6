"""How responses are changed: bytes by what parsers stumble over, trees by wrapping of every kind."""

import contextlib
import random
from collections.abc import Callable
from typing import Any

from lxml import etree

from tests.saml.said import DS, A, P

PIECES = (b"<", b">", b"&", b"\0", b"<!-- -->", b"<?x?>", b'"', b"&#0;", b"\xff", b"<!DOCTYPE x>", b"]]>", b"xmlns=''")
NAMES = ("Assertion", "NameID", "Response", "Issuer", "EncryptedAssertion", "AttributeValue", "Extensions", "Advice")
MOST_BYTES = 260_000
SIGNATURE, ASSERTION = f"{{{DS}}}Signature", f"{{{A}}}Assertion"
# What decides who comes in: half of the changes begin there.
WEIGHTY = (ASSERTION, f"{{{A}}}EncryptedAssertion", f"{{{A}}}NameID", f"{{{A}}}AttributeValue", SIGNATURE)


def bytes_changed(raw: bytes, draw: random.Random) -> bytes:
    """Bytes flipped, cut out, doubled, or replaced by what parsers stumble over."""
    found = bytearray(raw)
    for _ in range(draw.randint(1, 4)):
        at, size = draw.randrange(len(found) or 1), draw.randint(1, 40)
        kind = draw.randrange(4)
        if kind == 0 and found:
            found[at % len(found)] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del found[at : at + size]
        elif kind == 2:
            found[at:at] = found[at : at + size]
        else:
            found[at:at] = draw.choice(PIECES)
    return bytes(found)


def tree_changed(raw: bytes, draw: random.Random) -> bytes:
    """Elements moved, copied, forged, wrapped, removed or renamed."""
    root: Any = etree.fromstring(raw)
    for _ in range(draw.randint(1, 4)):
        nodes = list(root.iter())
        change, one, other = draw.choice(CHANGES), _aimed(nodes, draw), draw.choice(nodes)
        with contextlib.suppress(ValueError, TypeError, AttributeError, etree.XMLSyntaxError):
            change(one, other, draw)
    return etree.tostring(root)


def _aimed(nodes: list[Any], draw: random.Random) -> Any:
    weighty = [node for node in nodes if node.tag in WEIGHTY]
    return draw.choice(weighty if weighty and draw.random() < 0.5 else nodes)


def grafted(raw: bytes, from_another: bytes, draw: random.Random) -> bytes:
    """An element of another message, somewhere in this one."""
    root: Any = etree.fromstring(raw)
    into, taken = draw.choice(list(root.iter("*"))), draw.choice(list(etree.fromstring(from_another).iter("*")))
    into.insert(draw.randint(0, len(into)), copied(taken))
    return etree.tostring(root)


def copied(element: Any) -> Any:
    return etree.fromstring(etree.tostring(element, with_tail=False))


def copy(one: Any, other: Any, draw: random.Random) -> None:
    other.insert(draw.randint(0, len(other)), copied(one))


def forge(one: Any, other: Any, draw: random.Random) -> None:
    """A copy without signatures, saying something else, beside the true one or anywhere. Mostly of an assertion."""
    one = next(one.iterancestors(ASSERTION), one)
    made = copied(one)
    for signature in list(made.iter(SIGNATURE)):
        if signature.getparent() is not None:
            signature.getparent().remove(signature)
    retext(_aimed(list(made.iter()), draw), other, draw)
    if draw.random() < 0.5:
        other.insert(draw.randint(0, len(other)), made)
    else:
        one.addprevious(made)


def move(one: Any, other: Any, draw: random.Random) -> None:
    other.insert(draw.randint(0, len(other)), one)


def wrap(one: Any, other: Any, draw: random.Random) -> None:
    around = etree.Element(draw.choice((other.tag, f"{{{DS}}}Object", f"{{{P}}}Extensions")))
    one.addprevious(around)
    around.append(one)


def remove(one: Any, other: Any, draw: random.Random) -> None:
    one.getparent().remove(one)


def rename(one: Any, other: Any, draw: random.Random) -> None:
    one.tag = f"{{{draw.choice((A, P))}}}{draw.choice(NAMES)}"


def retext(one: Any, other: Any, draw: random.Random) -> None:
    one.text = draw.choice(("mallory", "", " ", "https://x/", other.text))


def reattribute(one: Any, other: Any, draw: random.Random) -> None:
    if one.attrib:
        one.set(draw.choice(list(one.attrib)), draw.choice(("", "x", *other.attrib.values())))
    else:
        one.set(draw.choice(("ID", "Id", "Format")), draw.choice(("", "x", *other.attrib.values())))


def comment(one: Any, other: Any, draw: random.Random) -> None:
    other.append(etree.Comment("x") if draw.random() < 0.5 else etree.ProcessingInstruction("x"))


def multiply(one: Any, other: Any, draw: random.Random) -> None:
    """Much of it: what a checker may be made to work on."""
    written = etree.tostring(one, with_tail=False)
    for _ in range(min(1 << draw.randrange(12), MOST_BYTES // len(written))):
        other.append(etree.fromstring(written))


def crowd(one: Any, other: Any, draw: random.Random) -> None:
    """Many attributes, each in a namespace of its own or in none."""
    spaced = draw.random() < 0.5
    for number in range(1 << draw.randrange(8)):
        one.set(f"{{urn:n{number}}}a" if spaced else f"a{number}", "")


CHANGES: tuple[Callable[[Any, Any, random.Random], None], ...] = (
    copy,
    forge,
    forge,
    forge,
    move,
    wrap,
    remove,
    rename,
    retext,
    reattribute,
    comment,
    multiply,
    crowd,
)
