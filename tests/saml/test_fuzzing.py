"""Mutations of good responses: whatever breaks must break as a refusal, and nobody else may ever come out."""

import base64
import contextlib
import os
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree

from kit.errors import Refusal
from kit.saml import check_logout_request, read_metadata
from tests.saml.forge import Given, build, encode
from tests.saml.marks import Sealing
from tests.saml.said import ALICE, A, P, idp, sp
from tests.saml.test_hostile import checked
from tests.saml.test_logout import form, now, query, request
from tests.saml.test_metadata import entity

QUICK, LONG = 2, int(os.environ.get("FUZZ_SECONDS", "300"))
PIECES = (b"<", b">", b"&", b"\0", b"<!-- -->", b"<?x?>", b'"', b"&#0;", b"\xff", b"<!DOCTYPE x>", b"]]>", b"xmlns=''")
NAMES = ("Assertion", "NameID", "Response", "Issuer", "EncryptedAssertion", "AttributeValue")


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
    """Elements moved, copied, removed or renamed: wrapping of every kind."""
    root: Any = etree.fromstring(raw)
    for _ in range(draw.randint(1, 4)):
        nodes = list(root.iter())
        one, other = draw.choice(nodes), draw.choice(nodes)
        with contextlib.suppress(ValueError, TypeError, AttributeError, etree.XMLSyntaxError):
            _change(one, other, draw)
    return etree.tostring(root)


def _change(one: Any, other: Any, draw: random.Random) -> None:
    copied = etree.fromstring(etree.tostring(one, with_tail=False))
    kind = draw.randrange(7)
    if kind == 0:
        other.insert(draw.randint(0, len(other)), copied)
    elif kind == 1:
        other.insert(draw.randint(0, len(other)), one)
    elif kind == 2:
        one.getparent().remove(one)
    elif kind == 3:
        one.tag = f"{{{draw.choice((A, P))}}}{draw.choice(NAMES)}"
    elif kind == 4:
        one.text = draw.choice(("mallory", "", " ", "https://x/"))
    elif kind == 5 and one.attrib:
        one.set(draw.choice(list(one.attrib)), draw.choice(("", "x", *other.attrib.values())))
    else:
        other.append(etree.Comment("x"))


def good() -> list[bytes]:
    modes = ("response", "assertion", "both")
    made = [build(signed=mode) for mode in modes] + [build(signed="both", sealing=Sealing())]
    return [etree.tostring(root) for root in made]


def mutate(seconds: float, seed: int) -> tuple[int, int]:
    """How many were tried, and how many still let the same person in."""
    draw, seeds, tried, admitted = random.Random(seed), good(), 0, 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        raw = draw.choice((bytes_changed, tree_changed))(draw.choice(seeds), draw)
        tried += 1
        try:
            assertion = checked(Given(encode(raw)))
        except Refusal:
            continue
        # What no signature covers may change; the person never.
        assert assertion.subject == ALICE, raw
        assert assertion.attributes == {"mail": ("alice@acme.test",), "groups": ("a", "b")}, raw
        admitted += 1
    return tried, admitted


def test_mutations_never_make_somebody_else() -> None:
    tried, admitted = mutate(QUICK, seed=7)
    assert tried > 100
    assert admitted < tried / 2


@pytest.mark.soak
def test_mutations_never_make_somebody_else_for_long() -> None:
    seed = random.SystemRandom().randrange(2**32)
    tried, admitted = mutate(LONG, seed)
    print(f"{tried} mutations (seed {seed}), {admitted} of them harmless")


def entrances() -> dict[str, tuple[bytes, Callable[[bytes], object]]]:
    """Everything else that reads what strangers send."""
    asked = query(request())
    posted = base64.b64decode(form(request())["SAMLRequest"])
    return {
        "metadata": (entity(), read_metadata),
        "logout by redirect": (
            asked.encode(),
            lambda raw: check_logout_request(sp(), idp(), query=raw.decode("latin-1"), now=now()),
        ),
        "logout by form": (
            posted,
            lambda raw: check_logout_request(sp(), idp(), form={"SAMLRequest": encode(raw)}, now=now()),
        ),
        "encoding": (
            encode(good()[0]).encode(),
            lambda raw: checked(Given(raw.decode("latin-1"))),
        ),
    }


@pytest.mark.parametrize("name", ["metadata", "logout by redirect", "logout by form", "encoding"])
def test_every_other_entrance_answers_with_a_refusal(name: str) -> None:
    raw, read = entrances()[name]
    draw = random.Random(11)
    for _ in range(400):
        with contextlib.suppress(Refusal):
            read(bytes_changed(raw, draw))
