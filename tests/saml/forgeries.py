"""Signatures by the wrong key, of the wrong kind, or over the wrong thing."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from cryptography.hazmat.primitives import serialization
from lxml import etree

from tests.saml.forge import Given
from tests.saml.hostile import Hostile, assertion_of, build, element, given, hostile, signature_of
from tests.saml.marks import Style, sign
from tests.saml.said import DS, ENVELOPED, EXCLUSIVE, INCLUSIVE, MALLORY, MORE, XENC, A, P, Said, idp, our_key, signer

EVIL = Said(subject=MALLORY)
XSLT = "http://www.w3.org/TR/1999/REC-xslt-19991116"
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"


def cases() -> Iterator[Hostile]:
    for name, checks, style in STYLES:
        for mode in ("response", "assertion"):
            yield hostile("signature", f"{name}, {mode} signed", checks, partial(styled, style, mode))
    yield from _confused()
    yield from _keys()
    for name, checks, change in FORMS:
        for mode in ("response", "assertion"):
            yield hostile("signature's form", f"{name}, {mode} signed", checks, partial(formed, change, mode))
    yield from _certificates()


def styled(style: Style, mode: str) -> Any:
    return build(EVIL, mode, style=style)


def formed(change: Callable[[Any], None], mode: str) -> Any:
    root = build(EVIL, mode)
    change(root if mode == "response" else assertion_of(root))
    return root


SHEET = (
    '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0">'
    '<xsl:template match="/"><xsl:copy-of select="."/></xsl:template></xsl:stylesheet>'
)
STYLES: tuple[tuple[str, str, Style], ...] = (
    ("RSA with SHA-1", "signature_algorithm", Style(method=DS + "rsa-sha1")),
    ("RSA with MD5", "signature_algorithm", Style(method=MORE + "rsa-md5")),
    ("a digest of SHA-1", "signature_algorithm", Style(digest=DS + "sha1")),
    ("a digest of MD5", "signature_algorithm", Style(digest=MORE + "md5")),
    ("DSA", "signature_algorithm", Style(method="http://www.w3.org/2009/xmldsig11#dsa-sha256")),
    ("no method", "signature_algorithm", Style(method="")),
    ("the method none", "signature_algorithm", Style(method="none")),
    ("ECDSA is said, RSA was used", "signature_key", Style(method=MORE + "ecdsa-sha256")),
    ("a short output", "signature_shape", Style(in_method="<ds:HMACOutputLength>1</ds:HMACOutputLength>")),
    ("a comment within the method", "comment", Style(in_method="<!-- -->")),
    ("an empty digest", "signature_shape", Style(digest_value="")),
    ("the digest of nothing", "signature_content", Style(digest_value="47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")),
    ("two references", "signature_shape", Style(references=2)),
    ("no reference", "signature_shape", Style(references=0)),
    ("a manifest as well", "signature_shape", Style(more="<ds:Object><ds:Manifest/></ds:Object>")),
    ("the whole document", "signature_reference", Style(uri="")),
    ("an empty name", "signature_reference", Style(uri="#")),
    ("a file", "signature_reference", Style(uri="file:///etc/hostname")),
    ("another server", "signature_reference", Style(uri="https://evil.test/x")),
    ("an XPointer", "signature_reference", Style(uri="#xpointer(/)")),
    ("an XPointer by id", "signature_reference", Style(uri="#xpointer(id('_assertion'))")),
    ("the name twice hashed", "signature_reference", Style(uri="##_assertion")),
    ("no transform", "signature_shape", Style(transforms=())),
    ("no canonicalisation", "signature_shape", Style(transforms=(ENVELOPED,))),
    ("not enveloped", "signature_shape", Style(transforms=(EXCLUSIVE,))),
    ("in the other order", "signature_shape", Style(transforms=(EXCLUSIVE, ENVELOPED))),
    ("enveloped twice", "signature_shape", Style(transforms=(ENVELOPED, ENVELOPED, EXCLUSIVE))),
    ("canonicalised twice", "signature_shape", Style(transforms=(ENVELOPED, EXCLUSIVE, EXCLUSIVE))),
    ("inclusive canonicalisation", "signature_transform", Style(transforms=(ENVELOPED, INCLUSIVE))),
    ("with comments", "signature_transform", Style(transforms=(ENVELOPED, EXCLUSIVE + "WithComments"))),
    (
        "canonicalisation 1.1",
        "signature_transform",
        Style(transforms=(ENVELOPED, "http://www.w3.org/2006/12/xml-c14n11")),
    ),
    ("base64", "signature_transform", Style(transforms=(ENVELOPED, DS + "base64"))),
    ("XSLT", "signature_transform", Style(transforms=(ENVELOPED, XSLT, EXCLUSIVE), in_transform=SHEET)),
    ("XPath", "signature_transform", Style(transforms=(ENVELOPED, XPATH), in_transform="<ds:XPath>0</ds:XPath>")),
    ("XPath filter 2", "signature_transform", Style(transforms=("http://www.w3.org/2002/06/xmldsig-filter2",))),
    ("something within a transform", "signature_shape", Style(in_transform="<ds:XPath>1</ds:XPath>")),
    ("endless prefixes", "signature_shape", Style(prefixes="p " * 400)),
    ("a frame with comments", "signature_transform", Style(frame=EXCLUSIVE + "WithComments")),
    ("a frame in XSLT", "signature_transform", Style(frame=XSLT)),
    ("a frame without canonicalisation", "signature_transform", Style(frame="")),
)


def _confused() -> Iterator[Hostile]:
    """HMAC with what everybody knows: the provider's certificate or public key as the secret."""
    public = signer().key.public_key()
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    known = {
        "its certificate": signer().der,
        "its certificate in PEM": signer().pem.encode(),
        "its public key": public.public_bytes(serialization.Encoding.DER, info),
        "its public key in PEM": public.public_bytes(serialization.Encoding.PEM, info),
        "nothing": b"",
    }
    for name, secret in known.items():
        for method in (MORE + "hmac-sha256", DS + "hmac-sha1"):
            style = Style(method=method, secret=secret)
            title = f"{method.rpartition('#')[2]} with {name}"
            yield hostile("HMAC", title, "signature_algorithm", partial(styled, style, "assertion"))
        style = Style(secret=secret)
        yield hostile("HMAC", f"passed off as RSA, with {name}", "signature_key", partial(styled, style, "both"))


def _named(*certificates: str) -> str:
    found = "".join(f"<ds:X509Certificate>{one}</ds:X509Certificate>" for one in certificates)
    return f"<ds:KeyInfo><ds:X509Data>{found}</ds:X509Data></ds:KeyInfo>"


def _keys() -> Iterator[Hostile]:
    """Signed by a stranger, who brings his key along in every way there is."""
    numbers = signer("stranger").key.public_key().public_numbers()
    modulus, exponent = (base64.b64encode(n.to_bytes(size)).decode() for n, size in ((numbers.n, 256), (numbers.e, 3)))
    value = f"<ds:RSAKeyValue><ds:Modulus>{modulus}</ds:Modulus><ds:Exponent>{exponent}</ds:Exponent></ds:RSAKeyValue>"
    good, bad = signer().base64, signer("stranger").base64
    infos = {
        "his certificate": _named(bad),
        "our provider's certificate": _named(good),
        "both certificates, his last": _named(good, bad),
        "both certificates, his first": _named(bad, good),
        "his key as a value": f"<ds:KeyInfo><ds:KeyValue>{value}</ds:KeyValue></ds:KeyInfo>",
        "our certificate and his key": _named(good).replace(
            "</ds:KeyInfo>", f"<ds:KeyValue>{value}</ds:KeyValue></ds:KeyInfo>"
        ),
        "a name": "<ds:KeyInfo><ds:KeyName>provider</ds:KeyName></ds:KeyInfo>",
        "an address": '<ds:KeyInfo><ds:RetrievalMethod URI="https://evil.test/key"/></ds:KeyInfo>',
        "nothing": "",
    }
    for name, info in infos.items():
        for mode in ("response", "assertion", "both"):
            make = partial(_by_stranger, info, mode)
            yield hostile("key", f"a stranger's, who names {name}, {mode} signed", "signature_key", make)
    yield hostile(
        "key", "one with the provider's name and number", "signature_key", partial(_by, "provider", begins=-2)
    )
    yield hostile("key", "our own", "signature_key", partial(_by, "ours"))
    yield hostile("key", "one on a curve", "signature_key", partial(_by, "ec"))
    yield hostile("key", "the assertion by the provider, the response by a stranger", "signature_key", _mixed)
    yield hostile("key", "the response by the provider, the assertion by a stranger", "signature_key", _mixed_inside)
    assert our_key().certificate == signer("ours").der


def _by_stranger(info: str, mode: str) -> Any:
    return build(EVIL, mode, by=signer("stranger"), style=Style(key_info=info))


def _by(name: str, **dates: int) -> Any:
    return build(EVIL, "both", by=signer(name, **dates))


def _mixed() -> Any:
    root = build(EVIL)
    sign(root, signer("stranger"))
    return root


def _mixed_inside() -> Any:
    root = build(EVIL, by=signer("stranger"))
    sign(root, signer())
    return root


def _again(path: str) -> Callable[[Any], None]:
    """A part of the signature stands there twice."""

    def change(signed: Any) -> None:
        found = signature_of(signed).find(path, {"ds": DS})
        found.addnext(etree.fromstring(etree.tostring(found, with_tail=False)))

    return change


def _commented(path: str) -> Callable[[Any], None]:
    def change(signed: Any) -> None:
        found = signature_of(signed).find(path, {"ds": DS})
        comment = etree.Comment("x")
        comment.tail, found.text = found.text, ""
        found.append(comment)

    return change


def _two(signed: Any) -> None:
    sign(signed, signer("stranger"), position=0)


def _last_is_good(signed: Any) -> None:
    sign(signed, signer("stranger"), position=2)


def _deeper(signed: Any) -> None:
    signature = signature_of(signed)
    holder = element(A, "Advice") if signed.tag == f"{{{A}}}Assertion" else element(P, "Extensions")
    holder.append(signature)
    signed.insert(1, holder)


def _in_nothing(signed: Any) -> None:
    signature = signature_of(signed)
    signed.find(f".//{{{A}}}AttributeValue").append(signature)


def _renamed(signed: Any) -> None:
    signature_of(signed).find("ds:SignedInfo", {"ds": DS}).tag = f"{{{XENC}}}SignedInfo"


def _lower_id(signed: Any) -> None:
    signed.set("Id", signed.attrib.pop("ID"))


def _no_id(signed: Any) -> None:
    del signed.attrib["ID"]


def _instruction(signed: Any) -> None:
    signature_of(signed).append(etree.PI("x", "y"))


FORMS: tuple[tuple[str, str, Callable[[Any], None]], ...] = (
    ("two SignedInfo", "signature_shape", _again("ds:SignedInfo")),
    ("two values", "signature_shape", _again("ds:SignatureValue")),
    ("two KeyInfo", "signature_shape", _again("ds:KeyInfo")),
    ("two methods", "signature_shape", _again("ds:SignedInfo/ds:SignatureMethod")),
    ("two digests", "signature_shape", _again("ds:SignedInfo/ds:Reference/ds:DigestValue")),
    ("two transforms", "signature_shape", _again("ds:SignedInfo/ds:Reference/ds:Transforms")),
    ("a comment in the digest", "comment", _commented("ds:SignedInfo/ds:Reference/ds:DigestValue")),
    ("a comment in the value", "comment", _commented("ds:SignatureValue")),
    ("an instruction", "comment", _instruction),
    ("a second one before it", "signature_shape", _two),
    ("a second one after it", "signature_shape", _last_is_good),
    ("it stands deeper", "signature_place signature_missing", _deeper),
    ("it stands in a value", "signature_place", _in_nothing),
    ("parts of another namespace", "signature_shape", _renamed),
    ("the id by another name", "ids signature_reference", _lower_id),
    ("the id is gone", "ids signature_reference", _no_id),
)


def _certificates() -> Iterator[Hostile]:
    """The provider's own certificate, at the wrong time."""
    gone, soon = signer("gone", begins=-30, ends=-1), signer("soon", begins=1)
    yield hostile("certificate", "expired", "certificate_expired", partial(_trusting, gone))
    yield hostile("certificate", "not yet valid", "certificate_not_yet", partial(_trusting, soon))
    yield hostile(
        "certificate", "an expired one beside a good one", "signature_key", partial(_trusting, gone, signer())
    )
    yield hostile("certificate", "none in the connection", "no_certificate", _trusting_nobody)
    yield hostile("certificate", "garbage in the connection", "certificate_unreadable", _trusting_garbage)


def _trusting(by: Any, *others: Any) -> Given:
    return given(build(EVIL, "both", by=by), idp=idp(by, *others))


def _trusting_nobody() -> Given:
    return given(build(EVIL), idp=replace(idp(), certificates=()))


def _trusting_garbage() -> Given:
    return given(build(EVIL), idp=replace(idp(), certificates=(b"garbage",)))
