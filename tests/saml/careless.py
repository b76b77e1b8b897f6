"""Checkers with one flaw each, otherwise as strict as ours: the fuzzer must find it."""

import base64
import datetime as dt
from dataclasses import replace
from typing import Any

from lxml import etree

from kit.saml import Assertion, IdentityProvider, ServiceProvider, check_response
from kit.saml.assertions import Expected, read_assertion
from kit.saml.checks import Checks
from kit.saml.documents import DS, A, decoded, parse, text_of
from kit.saml.signatures import verified


def first_signature_wins(
    sp: ServiceProvider, idp: IdentityProvider, encoded: str, *, now: dt.datetime, **asked: Any
) -> Assertion:
    """Some signature in the message is good; then the first assertion is read."""
    checks = Checks()
    root = parse(decoded(encoded, checks), checks)
    signature, assertion = next(root.iter(DS + "Signature"), None), next(root.iter(A + "Assertion"), None)
    if signature is None or assertion is None:
        checks.refuse("signature_missing")
    around = signature.getparent()
    if around is None:
        checks.refuse("signature_place", "nothing")
    verified(around, idp.certificates, now, checks)
    return read_assertion(assertion, Expected(sp, idp, now=now, **asked), checks)


def reads_unsigned_parts(sp: ServiceProvider, idp: IdentityProvider, encoded: str, **asked: Any) -> Assertion:
    """Everything is checked; then the name is taken from the message as it came."""
    good = check_response(sp, idp, encoded, **asked)
    name = next(etree.fromstring(base64.b64decode(encoded)).iter(A + "NameID"), None)
    return good if name is None else replace(good, subject=text_of(name))


def lets_errors_out(sp: ServiceProvider, idp: IdentityProvider, encoded: str, **asked: Any) -> Assertion:
    """It counts on the message to be XML."""
    etree.fromstring(base64.b64decode(encoded))
    return check_response(sp, idp, encoded, **asked)


def takes_its_time(sp: ServiceProvider, idp: IdentityProvider, encoded: str, **asked: Any) -> Assertion:
    """It compares all with all, and again."""
    checks = Checks()
    root = parse(decoded(encoded, checks), checks)
    values = [value for node in root.iter() for value in (node.text, *node.attrib.values())]
    sum(one == two == three for one in values for two in values for three in values)
    return check_response(sp, idp, encoded, **asked)


CARELESS = {
    core.__name__: core for core in (first_signature_wins, reads_unsigned_parts, lets_errors_out, takes_its_time)
}
