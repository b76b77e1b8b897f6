"""Whole SAML responses, good and bad."""

import base64
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from kit.checking import Check
from kit.saml import Assertion, IdentityProvider, ServiceProvider, check_response
from tests.saml.marks import PLAIN, Sealing, Style, encrypted_xml, sign
from tests.saml.said import NS, REQUEST, Said, Signer, idp, signer, sp

Change = Callable[[Any], Any]


def untouched(root: Any) -> None:
    """No change."""


def build(
    said: Said | None = None,
    signed: str = "assertion",
    *,
    by: Signer | None = None,
    style: Style = PLAIN,
    before: Change = untouched,
    between: Change = untouched,
    after: Change = untouched,
    sealing: Sealing | None = None,
) -> Any:
    """The root of a response: changed, its assertion signed, changed, encrypted, the response signed, changed."""
    by = by or signer()
    root = etree.fromstring((said or Said()).xml())
    before(root)
    assertion = root.find("a:Assertion", NS)
    if signed in {"assertion", "both"}:
        sign(assertion, by, style)
    between(root)
    if sealing is not None:
        plain = etree.tostring(assertion, with_tail=False)
        root.replace(assertion, etree.fromstring(encrypted_xml(plain, sealing)))
    if signed in {"response", "both"}:
        sign(root, by, style)
    after(root)
    return root


def encode(root: Any) -> str:
    raw = root if isinstance(root, bytes) else etree.tostring(root)
    return base64.b64encode(raw).decode()


@dataclass(frozen=True)
class Given:
    """A response as it arrives, and who waits for it."""

    encoded: str
    request_id: str | None = REQUEST
    allow_unsolicited: bool = False
    idp: IdentityProvider = field(default_factory=idp)
    sp: ServiceProvider = field(default_factory=sp)


def checked(given: Given, trail: list[Check] | None = None) -> Assertion:
    return check_response(
        given.sp,
        given.idp,
        given.encoded,
        request_id=given.request_id,
        allow_unsolicited=given.allow_unsolicited,
        now=dt.datetime.now(dt.UTC),
        trail=trail,
    )
