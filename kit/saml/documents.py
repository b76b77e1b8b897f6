"""The one parser, and what a message may look like before anything in it is believed."""

import base64
import binascii
import re
import zlib
from collections.abc import Iterator

from lxml import etree
from lxml.etree import _Comment as Comment
from lxml.etree import _Element as Element

from kit.saml.checks import Checks

P = "{urn:oasis:names:tc:SAML:2.0:protocol}"
A = "{urn:oasis:names:tc:SAML:2.0:assertion}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"
XENC = "{http://www.w3.org/2001/04/xmlenc#}"
MD = "{urn:oasis:names:tc:SAML:2.0:metadata}"

LARGEST = 256 * 1024
# Canonicalisation takes the square of some of these, or worse: minutes for a message of the size above.
MOST_ELEMENTS = 2_000
MOST_ATTRIBUTES = 32
MOST_NAMESPACES = 32
# XML's own names, without the letters nobody uses for ids.
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,255}")
DECLARED = re.compile(rb"""^(?:\xef\xbb\xbf)?\s*<\?xml[^>]*?encoding\s*=\s*["']([^"']*)["']""")
UTF8 = {"utf-8", "utf8", "us-ascii", "ascii"}

PARSER = etree.XMLParser(
    resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False, recover=False
)


def decoded(text: str, checks: Checks, largest: int = LARGEST) -> bytes:
    """The bytes of a base64 text; its lines may be broken."""
    checks.need("missing", bool(text and text.strip()))
    if len(text) > largest * 3 // 2:
        checks.refuse("too_large", len(text) * 3 // 4, largest)
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        checks.refuse("base64")


def inflated(data: bytes, checks: Checks, largest: int = LARGEST) -> bytes:
    """The content of a raw deflate stream, which is not read beyond `largest`."""
    stream = zlib.decompressobj(-15)
    try:
        found = stream.decompress(data, largest + 1)
    except zlib.error:
        checks.refuse("base64")
    if len(found) > largest:
        checks.refuse("too_large", f">{largest}", largest)
    if not stream.eof:
        checks.refuse("base64")
    return found


def parse(data: bytes, checks: Checks, largest: int = LARGEST) -> Element:
    """The root of a document without a document type, in UTF-8, of limited size."""
    checks.need("too_large", len(data) <= largest, len(data), largest)
    _need_utf8(data, checks)
    # Before the parser sees it: entities would be expanded while it reads.
    checks.need("doctype", b"<!DOCTYPE" not in data and b"<!ENTITY" not in data)
    try:
        root = etree.fromstring(data, PARSER)
    except (etree.XMLSyntaxError, ValueError) as error:
        checks.refuse("xml", str(error).partition(", line")[0])
    info = root.getroottree().docinfo
    if info.internalDTD is not None or info.externalDTD is not None:
        checks.refuse("doctype")
    return root


def _need_utf8(data: bytes, checks: Checks) -> None:
    named = DECLARED.match(data[:400])
    name = named.group(1).decode("ascii", "replace").lower() if named else "utf-8"
    checks.need("encoding", name in UTF8, name, "utf-8")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        checks.refuse("encoding", "another encoding", "utf-8")


def alone(element: Element, checks: Checks) -> Element:
    """A copy of `element` as a document of its own, with the namespaces it inherits."""
    return parse(etree.tostring(element, with_tail=False), checks)


def survey(root: Element, checks: Checks) -> None:
    """No comments or instructions, not too many parts, no id twice, and signatures only where they are checked."""
    seen: set[str] = set()
    for number, node in enumerate(root.iter()):
        _need_few(number, node, checks)
        if not isinstance(node.tag, str):
            checks.refuse("comment", "a comment" if isinstance(node, Comment) else "a processing instruction")
        for value in _ids(node):
            if value in seen or not NAME.fullmatch(value):
                checks.refuse("ids", value)
            seen.add(value)
        if node.tag == DS + "Signature":
            _need_place(node, root, checks)
    # An instruction may also stand before or after the root.
    if root.getprevious() is not None or root.getnext() is not None:
        checks.refuse("comment", "a comment or an instruction outside the message")
    checks.need("ids", bool(root.get("ID")), root.get("ID", "ID"))


def _need_few(number: int, node: Element, checks: Checks) -> None:
    if number > MOST_ELEMENTS or len(node.attrib) > MOST_ATTRIBUTES or len(node.nsmap) > MOST_NAMESPACES:
        checks.refuse("parts")


def _ids(node: Element) -> Iterator[str]:
    for name, value in node.attrib.items():
        if str(name).rpartition("}")[2].lower() == "id":
            yield str(value)


def _need_place(signature: Element, root: Element, checks: Checks) -> None:
    parent = signature.getparent()
    if parent is None or (parent is not root and parent.tag != A + "Assertion"):
        checks.refuse("signature_place", local(parent) if parent is not None else "nothing")


def local(element: Element) -> str:
    """The name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def children(element: Element) -> list[Element]:
    """The elements directly below."""
    return [child for child in element if isinstance(child.tag, str)]


def text_of(element: Element) -> str:
    """All of an element's text, however it is broken up, without space around it."""
    return "".join(str(part) for part in element.itertext()).strip()
