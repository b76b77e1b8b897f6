"""One input of the fuzzer: from bytes to a response, to what a checker says of it, to whether that may be.

The first byte is the way, the second its choices (which parts the true provider signs), two more how it is changed
after signing, if at all; the rest is the content.
"""

import base64
import datetime as dt
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any

from lxml import etree

from kit.errors import Refusal
from kit.saml import Assertion, IdentityProvider, ServiceProvider, check_response
from tests.saml.forge import build, encode
from tests.saml.marks import PLAIN, WITNESSES, Sealing, Style, encrypted_xml, sign
from tests.saml.mutations import tree_changed
from tests.saml.said import INCLUSIVE, NS, PLAY, REQUEST, THEIRS, XENC11, Signer, idp, our_key, signer, sp
from tests.saml.truth import Fact, Truth, fact, facts_in

Core = Callable[..., Assertion]
MOST_CPU = 0.05


class Way(IntEnum):
    """How the content becomes a response."""

    TEXT = 0  # it is what was posted
    XML = 1  # it is the document
    SIGNED = 2  # it is a document that the true provider signs, in part or whole
    SEALED = 3  # it is what the true provider encrypts as an assertion, in a response that it signs


HEAD = 4
UNASKED, BY_NEXT, FRAME, GCM = 4, 4, 8, 16
SIGNED_PARTS = ("assertion", "response", "both", "sealed")


class Finding(Exception):  # noqa: N818 - it is what is looked for
    """What must not be."""


def true_signers() -> tuple[Signer, ...]:
    return signer(), signer("next"), signer("ec")


@dataclass
class Trial:
    """Tries inputs on a checker. `known`: what the true provider signed before, by signature."""

    known: dict[str, set[Fact]]
    core: Core = check_response

    @cached_property
    def trusted(self) -> tuple[Signer, ...]:
        return true_signers()

    @cached_property
    def idp(self) -> IdentityProvider:
        return idp(*self.trusted)

    @cached_property
    def sp(self) -> ServiceProvider:
        return sp(our_key())

    def attempt(self, data: bytes) -> str:
        """How the checker answered: a refusal's code, "admitted", or "" where the input makes no response."""
        truth = Truth(self.trusted)
        WITNESSES.append(truth)
        try:
            encoded = response_of(data)
        finally:
            WITNESSES.remove(truth)
        if encoded is None:
            return ""
        unasked = bool(data[0] & UNASKED)
        answer, spent = self._answer(encoded, unasked=unasked)
        if spent > MOST_CPU:
            # Others may use the machine as well, and a collection of garbage is nobody's fault.
            spent = min(self._answer(encoded, unasked=unasked)[1] for _ in range(5))
        if spent > MOST_CPU:
            raise Finding(f"{spent * 1000:.0f} ms of processor time")
        if isinstance(answer, Refusal):
            return answer.code
        self._need_truth(answer, facts_in(bare(encoded), self.known | truth.facts))
        return "admitted"

    def _answer(self, encoded: str, *, unasked: bool) -> tuple[Assertion | Refusal, float]:
        now = PLAY.now()
        began = time.thread_time()
        answer: Assertion | Refusal
        try:
            answer = self.core(
                self.sp, self.idp, encoded, request_id=None if unasked else REQUEST, allow_unsolicited=unasked, now=now
            )
        except Refusal as refusal:
            answer = refusal
        except Exception as error:
            raise Finding(f"{type(error).__name__} instead of a refusal: {error}") from error
        return answer, time.thread_time() - began

    def _need_truth(self, said: Assertion, facts: set[Fact]) -> None:
        if fact(said.id, said.subject, said.attributes) not in facts:
            raise Finding(f"{said} was never signed by the provider")
        if said.issuer != THEIRS or said.not_on_or_after <= PLAY.now() - dt.timedelta(minutes=2):
            raise Finding(f"{said} counts for nothing here")


def response_of(data: bytes) -> str | None:
    """What is posted; None where the input makes nothing."""
    if len(data) <= HEAD:
        return None
    way, choices, content = Way(data[0] % 4), data[1], data[HEAD:]
    if way == Way.TEXT:
        return content.decode("utf-8", "replace")
    if way == Way.XML:
        return encode(content)
    if way == Way.SEALED:
        return encode(_sealed(content, choices))
    signed = _signed(content, choices)
    if signed is not None and any(data[2:HEAD]):
        signed = tree_changed(etree.tostring(signed), random.Random(data[2:HEAD]))
    return None if signed is None else encode(signed)


def made(way: Way, content: bytes, choices: int = 0, *, unasked: bool = False) -> bytes:
    """The input that makes this."""
    return bytes([way | (UNASKED if unasked else 0), choices, 0, 0]) + content


def _sealed(content: bytes, choices: int) -> Any:
    root = build(signed="none")
    sealing = Sealing(cipher=XENC11 + "aes256-gcm") if choices & GCM else Sealing()
    root.replace(root.find("a:Assertion", NS), etree.fromstring(encrypted_xml(content, sealing)))
    return sign_part(root, choices)


def sign_part(element: Any, choices: int) -> Any:
    style = Style(frame=INCLUSIVE) if choices & FRAME else PLAIN
    sign(element, signer("next") if choices & BY_NEXT else signer(), style, min(1, len(element)))
    return element


def _signed(content: bytes, choices: int) -> Any:
    """Changed first, signed then: only what no signature covers is a stranger's."""
    try:
        root: Any = etree.fromstring(content, etree.XMLParser(resolve_entities=False))
        if root.find(".//a:EncryptedAssertion", NS) is not None:
            # What it holds nobody here knows; `SEALED` makes such.
            return None
        assertion, parts = root.find("a:Assertion", NS), SIGNED_PARTS[choices % 4]
        if assertion is not None and parts in {"assertion", "both"}:
            sign_part(assertion, choices)
        if assertion is not None and parts == "sealed":
            plain = etree.tostring(assertion, with_tail=False)
            root.replace(assertion, etree.fromstring(encrypted_xml(plain, Sealing())))
        if parts != "assertion":
            sign_part(root, choices)
    except (etree.XMLSyntaxError, etree.C14NError, ValueError):
        return None
    return root


def bare(encoded: str) -> bytes:
    """The document of what was posted; raises where it is none."""
    return base64.b64decode("".join(encoded.split()), validate=True)
