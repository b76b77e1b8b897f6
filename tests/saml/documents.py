"""Messages that are no messages, documents with tricks, and encryption that hides something."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from cryptography.hazmat.primitives import hashes
from lxml import etree

from tests.saml.forge import Given, encode
from tests.saml.hostile import MODES, Hostile, assertion_of, build, hostile
from tests.saml.marks import Sealing, sign
from tests.saml.said import DS, MALLORY, NS, XENC, XENC11, A, P, Said, our_key, signer, sp


def cases() -> Iterator[Hostile]:
    yield from _names()
    yield from _types()
    for name, checks, raw in TRANSPORT:
        yield hostile("transport", name, checks, partial(_raw, raw))
    for name, checks, change in RECODED:
        yield hostile("transport", name, checks, partial(recoded, change))
    yield from _canonical()
    yield from _sealed()


def _raw(raw: Callable[[], str]) -> Given:
    return Given(raw())


def recoded(change: Callable[[bytes], bytes], mode: str = "both") -> Given:
    return Given(encode(change(etree.tostring(build(signed=mode)))))


def _names() -> Iterator[Hostile]:
    """Comments and instructions cut a name short for those who read only its first piece of text."""
    pieces = {"a comment": "<!-- -->", "an instruction": "<?x y?>"}
    places = ("a:Subject/a:NameID", "a:Conditions/a:AudienceRestriction/a:Audience", "a:Issuer", ".//a:AttributeValue")
    for name, piece in pieces.items():
        for place in places:
            for mode in MODES:
                title = f"{name} in {place.rpartition(':')[2]}, {mode} signed"
                yield hostile("cut short", f"{title}, added later", "comment", partial(_cut, piece, place, mode))
        said = Said(subject=f"admin@acme.test{piece}.evil.test")
        for mode in MODES:
            make = partial(build, said, mode)
            yield hostile("cut short", f"{name} in NameID, {mode} signed with it", "comment", make)


def _cut(piece: str, place: str, mode: str) -> Given:
    root = build(signed=mode)
    found = assertion_of(root).find(place, NS)
    found.text = f"{found.text[:3]}@@@{found.text[3:]}"
    return Given(encode(etree.tostring(root).replace(b"@@@", piece.encode())))


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
TYPES = {
    "a document type": "<!DOCTYPE p:Response>",
    "an entity": '<!DOCTYPE r [<!ENTITY who "mallory">]>',
    "a file": '<!DOCTYPE r [<!ENTITY who SYSTEM "file:///etc/passwd">]>',
    "an address": '<!DOCTYPE r [<!ENTITY who SYSTEM "http://127.0.0.1:9/">]>',
    "a parameter entity": '<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:9/"> %x;]>',
    "an external type": '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd">',
    "a bomb": f'<!DOCTYPE r [<!ENTITY e0 "boom">{BOMB}<!ENTITY who "&e9;">]>',
    "a wide bomb": f'<!DOCTYPE r [<!ENTITY who "{"x" * 50_000}">]>',
    "attributes by default": '<!DOCTYPE r [<!ATTLIST a:Assertion ID CDATA "_evil">]>',
    "ids of another name": "<!DOCTYPE r [<!ATTLIST p:Status wsu ID #IMPLIED>]>",
    "notations": '<!DOCTYPE r [<!NOTATION x SYSTEM "y">]>',
}


def _types() -> Iterator[Hostile]:
    for name, kind in TYPES.items():
        yield hostile("document type", name, "doctype", partial(recoded, partial(typed, kind.encode())))
    yield hostile("document type", "in UTF-16", "encoding", partial(recoded, _utf16))
    yield hostile("document type", "in UTF-7", "encoding", partial(recoded, _utf7))
    yield hostile("document type", "within the encrypted part", "doctype", _typed_inside)
    yield hostile("document type", "an entity that nobody declares", "xml", partial(recoded, _undeclared))


def typed(kind: bytes, raw: bytes) -> bytes:
    uses = b"&who;" if b"who" in kind else b"alice"
    return kind + raw.replace(b">alice<", b">" + (uses * 20 if b"xxxxx" in kind else uses) + b"<")


def _utf16(raw: bytes) -> bytes:
    return typed(b"<!DOCTYPE r [<!ENTITY who 'mallory'>]>", raw).decode().encode("utf-16")


def _utf7(raw: bytes) -> bytes:
    kind = "+ADwAIQ-DOCTYPE r +AFsAPAAh-ENTITY who 'mallory'+AD4AXQA+-"
    return b'<?xml version="1.0" encoding="utf-7"?>' + kind.encode() + raw


def _undeclared(raw: bytes) -> bytes:
    return raw.replace(b">alice<", b">&who;<")


def _typed_inside() -> Any:
    plain = partial(typed, b'<!DOCTYPE r [<!ENTITY who "mallory">]>')
    return build(signed="both", sealing=Sealing(plain=plain))


def _wide() -> str:
    return encode(f'<p:Response xmlns:p="{P}" ID="_r">{"<p:x/>" * 100_000}</p:Response>'.encode())


def _deep() -> str:
    return encode(f'<p:Response xmlns:p="{P}" ID="_r">{"<p:x>" * 5000}{"</p:x>" * 5000}</p:Response>'.encode())


TRANSPORT: tuple[tuple[str, str, Callable[[], str]], ...] = (
    ("nothing", "missing", str),
    ("spaces", "missing", lambda: "  \n"),
    ("not base64", "base64", lambda: "<p:Response/>"),
    ("base64 of addresses", "base64", lambda: "PHA-_w=="),
    ("base64 cut short", "base64", lambda: encode(build())[:-3]),
    ("base64 of nothing much", "xml", lambda: encode(b"hello")),
    ("a web page", "doctype", lambda: encode(b"<!DOCTYPE html><html></html>")),
    ("a web page without a type", "root", lambda: encode(b"<html><body/></html>")),
    ("an endless message", "too_large", lambda: "QUFB" * 200_000),
    ("an endless document", "too_large", _wide),
    ("a deep document", "xml", _deep),
    ("zeros", "xml", lambda: encode(bytes(100))),
    ("noise", "encoding xml", lambda: encode(b"\xff\xfe" + os.urandom(100))),
    ("a request", "root", lambda: encode(f'<p:AuthnRequest xmlns:p="{P}" ID="_r"/>'.encode())),
    ("a logout", "root", lambda: encode(f'<p:LogoutResponse xmlns:p="{P}" ID="_r"/>'.encode())),
    ("a bare assertion", "root", lambda: encode(assertion_of(build()))),
    ("SOAP", "root", lambda: encode(b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"/>')),
    ("SAML 1.1", "root", lambda: encode(b'<p:Response xmlns:p="urn:oasis:names:tc:SAML:1.0:protocol" ID="_r"/>')),
    ("no namespace", "root", lambda: encode(b'<Response ID="_r"/>')),
)


def _sheet(raw: bytes) -> bytes:
    return b'<?xml-stylesheet href="http://127.0.0.1:9/x.xsl"?>' + raw


def _comment_after(raw: bytes) -> bytes:
    return raw + b"<!-- -->"


def _cut_off(raw: bytes) -> bytes:
    return raw[:-20]


def _two_roots(raw: bytes) -> bytes:
    return raw + raw


def _latin(raw: bytes) -> bytes:
    return b'<?xml version="1.0" encoding="iso-8859-1"?>' + raw


def _latin_said_utf8(raw: bytes) -> bytes:
    return raw.replace(b">alice<", b">al\xe9ce<")


def _control(raw: bytes) -> bytes:
    return raw.replace(b">alice<", b">al&#0;ice<")


RECODED: tuple[tuple[str, str, Callable[[bytes], bytes]], ...] = (
    ("a style sheet", "comment", _sheet),
    ("a comment behind it", "comment", _comment_after),
    ("cut off", "xml", _cut_off),
    ("two roots", "xml", _two_roots),
    ("said to be Latin 1", "encoding", _latin),
    ("Latin 1 that is said to be UTF-8", "encoding", _latin_said_utf8),
    ("a zero in the name", "xml", _control),
    ("in UTF-16", "encoding", lambda raw: raw.decode().encode("utf-16")),
    ("in UTF-32", "encoding", lambda raw: raw.decode().encode("utf-32")),
    ("in EBCDIC", "encoding xml", lambda raw: raw.decode().encode("cp500")),
)


def _relative(root: Any) -> None:
    """Canonicalisation refuses relative namespaces; some checkers then take nothing for the content."""
    made = etree.fromstring(b'<r:x xmlns:r="1"/>')
    assertion_of(root).find("a:Subject/a:NameID", NS).text = MALLORY
    assertion_of(root).append(made)


def _default_space(root: Any) -> None:
    assertion_of(root).append(etree.fromstring(b'<x xmlns="../evil"/>'))


def _spaces(root: Any) -> None:
    found = assertion_of(root).find("a:Subject/a:NameID", NS)
    found.text = f" {found.text}\t"


def _canonical() -> Iterator[Hostile]:
    for name, change in (
        ("a relative namespace", _relative),
        ("another one", _default_space),
        ("space added", _spaces),
    ):
        for mode in MODES:
            make = partial(build, signed=mode, after=change)
            title = f"{name}, {mode} signed"
            yield hostile("canonicalisation", title, "signature_key signature_content signature_shape", make)


def _digested(digest: str) -> str:
    return f'<ds:DigestMethod xmlns:ds="{DS}" Algorithm="{digest}"/>'


def _flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


TWO = f'<a:Assertion xmlns:a="{A}" ID="_x"/>'.encode()
SEALINGS: tuple[tuple[str, str, Sealing], ...] = (
    ("the key by RSA 1.5", "encryption_algorithm", Sealing(wrap=XENC + "rsa-1_5")),
    ("3DES", "encryption_algorithm", Sealing(cipher=XENC + "tripledes-cbc")),
    ("no cipher", "encryption_algorithm", Sealing(cipher="")),
    ("for another service", "decryption", Sealing(to="stranger")),
    ("five keys", "encryption_shape", Sealing(keys=5)),
    ("no key", "encryption_shape", Sealing(keys=0)),
    ("a parameter of OAEP", "encryption_shape", Sealing(wrap_more="<x:OAEPparams>eA==</x:OAEPparams>")),
    (
        "a digest of MD5",
        "encryption_algorithm",
        Sealing(wrap_more=_digested("http://www.w3.org/2001/04/xmldsig-more#md5")),
    ),
    ("the wrong digest", "decryption", Sealing(digest=hashes.SHA256)),
    ("cut short", "decryption", Sealing(change=lambda content: content[:-5])),
    ("nothing in it", "decryption", Sealing(change=lambda content: content[:16])),
    ("GCM, altered", "decryption", Sealing(cipher=XENC11 + "aes256-gcm", change=_flipped)),
    ("CBC, altered", "decryption encoding xml doctype", Sealing(cipher=XENC + "aes192-cbc", change=_flipped)),
    ("garbage inside", "xml", Sealing(plain=lambda _: b"hello <")),
    ("text inside", "assertions", Sealing(plain=lambda _: b"hello")),
    ("a response inside", "assertions", Sealing(plain=lambda _: f'<p:Response xmlns:p="{P}"/>'.encode())),
    ("two assertions inside", "assertions", Sealing(plain=lambda plain: plain + TWO)),
    (
        "an assertion within the assertion",
        "assertions",
        Sealing(plain=lambda p: p.replace(b"</a:Sub", TWO + b"</a:Sub", 1)),
    ),
    ("a comment inside", "comment", Sealing(plain=lambda plain: plain.replace(b">alice<", b">al<!-- -->ice<"))),
    ("a changed name inside", "signature_content", Sealing(plain=lambda plain: plain.replace(b">alice<", b">bob<"))),
    ("the end of a frame inside", "xml", Sealing(plain=lambda plain: plain + b"</frame><frame>")),
)


def _sealed() -> Iterator[Hostile]:
    for name, checks, sealing in SEALINGS:
        yield hostile("encryption", name, checks, partial(build, signed="both", sealing=sealing))
    for cipher in (XENC + "aes128-cbc", XENC11 + "aes128-gcm"):
        title = f"{cipher.rpartition('#')[2]} in an unsigned response"
        sealing = Sealing(cipher=cipher)
        yield hostile("encryption", title, "encryption_unsigned", partial(build, sealing=sealing))
        yield hostile(
            "encryption", f"{title}, nothing signed", "encryption_unsigned", partial(build, signed="", sealing=sealing)
        )
        make = partial(build, signed="response", sealing=sealing, after=_unsign)
        yield hostile("encryption", f"{title}, a signature was taken away", "encryption_unsigned", make)
    yield hostile(
        "encryption",
        "in the clear as well",
        "assertions",
        partial(build, signed="both", sealing=Sealing(), between=_doubled),
    )
    reference = f'<x:CipherReference xmlns:x="{XENC}" URI="http://127.0.0.1:9/"/>'
    make = partial(_by_reference, reference)
    yield hostile("encryption", "the content stands elsewhere", "encryption_shape", make)
    other = sp(our_key("another of ours"))
    yield hostile(
        "encryption",
        "our key is another by now",
        "decryption",
        lambda: Given(encode(build(signed="both", sealing=Sealing())), sp=other),
    )


def _unsign(root: Any) -> None:
    root.remove(root.find("ds:Signature", NS))


def _doubled(root: Any) -> None:
    root.append(etree.fromstring(f'<a:Assertion xmlns:a="{A}" ID="_clear"/>'))


def _by_reference(reference: str) -> Any:
    def change(root: Any) -> None:
        value = root.find("a:EncryptedAssertion/x:EncryptedData/x:CipherData/x:CipherValue", NS)
        value.getparent().replace(value, etree.fromstring(reference))

    # Signed after the change: only the form is wrong.
    root = build(sealing=Sealing())
    change(root)

    sign(root, signer())
    return root
