"""Responses that must be let in: every valid combination, and the shapes that real providers send."""

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from cryptography.hazmat.primitives import hashes
from lxml import etree

from tests.saml.forge import Given, build, encode
from tests.saml.hostile import MODES, given
from tests.saml.marks import Sealing, Style, sign
from tests.saml.said import (
    BEARER,
    DS,
    INCLUSIVE,
    MORE,
    OURS,
    XENC,
    XENC11,
    A,
    P,
    Said,
    at,
    idp,
    our_key,
    signer,
    sp,
)
from tests.saml.shapes import SHAPES, shaped

PYSAML2, PYTHON3_SAML = "pysaml2", "python3-saml"


@dataclass(frozen=True)
class Valid:
    """A response that names `subject`. `refuses`: which oracle takes no such shape, and why."""

    name: str
    make: Callable[[], Given]
    subject: str = "alice"
    values: dict[str, tuple[str, ...]] | None = None
    refuses: dict[str, str] = field(default_factory=dict)


def cases() -> Iterator[Valid]:
    for mode in MODES:
        yield Valid(f"{mode} signed", partial(_built, mode))
        style = Style(method=MORE + "rsa-sha512", digest=XENC + "sha512")
        yield Valid(f"{mode} signed by RSA with SHA-512", partial(_built, mode, style=style))
        yield Valid(f"{mode} signed, without KeyInfo", partial(_built, mode, style=Style(key_info="")))
    yield from _keys()
    yield from _times()
    yield from _contents()
    yield from _writings()
    yield from _encryptions()
    for shape in SHAPES:
        yield Valid(f"as {shape.name} sends it", partial(shaped, shape), shape.subject, shape.values, shape.refuses)


def _built(mode: str = "both", said: dict[str, Any] | None = None, **others: Any) -> Given:
    now = {name: value() if callable(value) else value for name, value in (said or {}).items()}
    return given(build(Said(**now), mode, **others))


def _keys() -> Iterator[Valid]:
    curve = Style(method=MORE + "ecdsa-sha256")
    yield Valid("signed on a curve", partial(_trusting, "ec", style=curve))
    yield Valid("the old key of two", partial(_trusting, "provider", "next"))
    yield Valid("the new key of two", partial(_trusting, "next", "provider"))
    yield Valid("one key of two has expired", partial(_trusting, "provider", expired=True))
    yield Valid("assertion and response by different keys of the connection", _two_keys)


def _trusting(first: str, *others: str, style: Style | None = None, expired: bool = False) -> Given:
    by = signer(first)
    trusted = [*(signer(name) for name in others), by, *([signer("gone", begins=-30, ends=-1)] if expired else [])]
    return given(build(signed="both", by=by, style=style or Style()), idp=idp(*trusted))


def _two_keys() -> Given:
    root = build()
    sign(root, signer("next"))
    return given(root, idp=idp(signer(), signer("next")))


def _times() -> Iterator[Valid]:
    early, late = {"not_before": partial(at, 0.8), "issued": partial(at, 0.8)}, {"not_on_or_after": partial(at, -0.8)}
    yield Valid("its clock is 48 seconds ahead", partial(_built, said=early))
    behind = {PYTHON3_SAML: "it allows the clock nothing at the end of a confirmation"}
    make = partial(_built, said=late | {"confirmed_until": partial(at, -0.8)})
    yield Valid("its clock is 48 seconds behind", make, refuses=behind)
    yield Valid("parts of a second", partial(_built, said={"not_on_or_after": lambda: at(5).replace("Z", ".1234567Z")}))
    yield Valid("a session with an end", partial(_built, said={"session_until": partial(at, 60)}))


def _contents() -> Iterator[Valid]:
    yield Valid("no destination", partial(_built, said={"destination": None}))
    yield Valid("the response has no issuer", partial(_built, "assertion", said={"response_issuer": None}))
    yield Valid("two audiences", partial(_built, said={"audiences": ["https://other.test/", OURS + "metadata"]}))
    again = f"<a:AudienceRestriction><a:Audience>{OURS}metadata</a:Audience></a:AudienceRestriction>"
    yield Valid("two restrictions, both with us", partial(_built, said={"more_conditions": again}))
    yield Valid("for one use", partial(_built, said={"more_conditions": "<a:OneTimeUse/>"}))
    second = {PYSAML2: "it looks at the first confirmation only"}
    yield Valid("a second confirmation, for another", _confirmed_twice, refuses=second)
    unasked = {"in_response_to": None, "confirmed_request": None}
    yield Valid("begun at the provider, where that is allowed", partial(_unasked, unasked))
    yield Valid("no attributes", partial(_built, said={"values": {}}), values={})
    accents = {"name": ["Zoë &amp; Étienne", "<![CDATA[a<b]]>", "&#233;"]}
    yield Valid(
        "odd letters", partial(_built, said={"values": accents}), values={"name": ("Zoë & Étienne", "a<b", "é")}
    )
    yield Valid("no format of the name", partial(_built, said={"format": None}))
    yield Valid("no index of the session", partial(_built, said={"session": None}))


def _confirmed_twice() -> Given:
    other = f'<a:SubjectConfirmationData Recipient="https://other.test/" NotOnOrAfter="{at(5)}"/>'
    other = f'<a:SubjectConfirmation Method="{BEARER}">{other}</a:SubjectConfirmation>'
    return _built(said={"confirmation_xml": other + Said().confirmation()})


def _unasked(said: dict[str, Any]) -> Given:
    return given(build(Said(**said), "both"), request_id=None, allow_unsolicited=True)


def _writings() -> Iterator[Valid]:
    yield Valid("a list of prefixes", partial(_built, style=Style(prefixes="p a")))
    frame = {PYSAML2: "it takes exclusive canonicalisation only"}
    make = partial(_built, "response", style=Style(frame=INCLUSIVE))
    yield Valid("the frame canonicalised inclusively", make, refuses=frame)
    yield Valid("indented", partial(_built, before=_indented))
    yield Valid("with an XML declaration", _declared)
    yield Valid("base64 in lines", _lines)


def _indented(root: Any) -> None:
    etree.indent(root)


def _declared() -> Given:
    return given(etree.tostring(build(signed="both"), xml_declaration=True, encoding="UTF-8"))


def _lines() -> Given:
    return Given("\r\n".join(textwrap.wrap(encode(build(signed="both")), 76)))


def _encryptions() -> Iterator[Valid]:
    beside = {PYTHON3_SAML: "it looks for the key within the data", PYSAML2: "it looks for the key within the data"}
    for cipher in (XENC + "aes128-cbc", XENC + "aes256-cbc", XENC11 + "aes128-gcm", XENC11 + "aes256-gcm"):
        make = partial(_built, sealing=Sealing(cipher=cipher))
        yield Valid(f"both signed, {cipher.rpartition('#')[2]}", make)
    yield Valid("response signed, encrypted", partial(_built, "response", sealing=Sealing()))
    yield Valid("encrypted, the key beside the data", partial(_built, sealing=Sealing(beside=True)), refuses=beside)
    digest = f'<ds:DigestMethod xmlns:ds="{DS}" Algorithm="{XENC}sha256"/>'
    newer = Sealing(
        wrap=XENC11 + "rsa-oaep",
        wrap_more=f'{digest}<n:MGF xmlns:n="{XENC11}" Algorithm="{XENC11}mgf1sha256"/>',
        digest=hashes.SHA256,
        mask=hashes.SHA256,
    )
    young = {PYTHON3_SAML: "its schema knows no XML encryption 1.1", PYSAML2: "nor does its program"}
    yield Valid("encrypted, OAEP with SHA-256", partial(_built, sealing=newer), refuses=young)
    yield Valid("encrypted for our old key of two", _old_key)
    bare = Sealing(
        plain=lambda plain: plain.replace(f' xmlns:a="{A}"'.encode(), b"").replace(f' xmlns:p="{P}"'.encode(), b"")
    )
    lone = {PYSAML2: "it reads what was encrypted without what stands around it"}
    yield Valid("encrypted, with names from around it", partial(_built, "response", sealing=bare), refuses=lone)


def _old_key() -> Given:
    return given(build(signed="both", sealing=Sealing()), sp=sp(our_key("ours, newer"), our_key()))
