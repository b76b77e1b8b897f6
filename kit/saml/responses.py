"""Checking a provider's response."""

import datetime as dt

from lxml.etree import _Element as Element

from kit.checking import Check
from kit.saml.assertions import Expected, read_assertion
from kit.saml.checks import Checks
from kit.saml.documents import A, P, alone, children, decoded, local, parse, survey, text_of
from kit.saml.encryption import decrypted
from kit.saml.model import Assertion, IdentityProvider, ServiceProvider
from kit.saml.signatures import is_signed, verified

SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"


def check_response(
    sp: ServiceProvider,
    idp: IdentityProvider,
    encoded: str,
    *,
    request_id: str | None,
    allow_unsolicited: bool,
    now: dt.datetime,
    trail: list[Check] | None = None,
) -> Assertion:
    """What the posted SAMLResponse says, once every check has passed; `Refusal` at the first that fails.

    `request_id` is the one of the AuthnRequest that this browser began, or None where it began none. An answer that
    names no request counts only where `allow_unsolicited`.
    """
    checks = Checks(trail)
    response = parse(decoded(encoded, checks), checks)
    checks.need("root", response.tag == P + "Response", local(response), "Response")
    survey(response, checks)
    expected = Expected(sp, idp, request_id=request_id, allow_unsolicited=allow_unsolicited, now=now)
    signed = is_signed(response)
    if signed:
        response = verified(response, idp.certificates, now, checks)
    need_envelope(response, expected, checks)
    assertion = _assertion(response, expected, checks, covered=signed)
    return read_assertion(assertion, expected, checks)


def need_envelope(response: Element, expected: Expected, checks: Checks) -> None:
    """The response itself is for us and says that the sign-in went well. Signed or not, it must not contradict."""
    checks.need("version", response.get("Version") == "2.0", response.get("Version"), "2.0")
    issuer = response.find(A + "Issuer")
    if issuer is not None:
        checks.need("issuer", text_of(issuer) == expected.idp.entity_id, text_of(issuer), expected.idp.entity_id)
    destination = response.get("Destination")
    if destination is not None:
        checks.need("destination", destination == expected.sp.acs_url, destination, expected.sp.acs_url)
    _need_success(response, checks)
    expected.need_request(response.get("InResponseTo"), checks)


def _need_success(response: Element, checks: Checks) -> None:
    found = [element.get("Value", "") for element in response.iterfind(f"{P}Status//{P}StatusCode")]
    words = [code.rpartition(":")[2] for code in found]
    said = response.find(f"{P}Status/{P}StatusMessage")
    if said is not None and text_of(said):
        words.append(f'"{text_of(said)}"')
    checks.need("status", found[:1] == [SUCCESS] and len(response.findall(P + "Status")) == 1, ", ".join(words) or "?")


def _assertion(response: Element, expected: Expected, checks: Checks, *, covered: bool) -> Element:
    """The one assertion, each byte of which a signature of the provider covers."""
    kinds = {A + "Assertion", A + "EncryptedAssertion"}
    everywhere = [element for element in response.iter() if element.tag in kinds]
    direct = [element for element in children(response) if element.tag in kinds]
    checks.need("assertions", len(everywhere) == len(direct) == 1, len(everywhere), 1)
    assertion = direct[0]
    if assertion.tag == A + "EncryptedAssertion":
        checks.need("encryption_unsigned", covered)
        assertion = decrypted(assertion, expected.sp.keys, checks)
        survey(assertion, checks)
        nested = sum(1 for element in assertion.iter() if element.tag in kinds)
        checks.need("assertions", nested == 1, nested, 1)
    if is_signed(assertion):
        return verified(assertion, expected.idp.certificates, expected.now, checks)
    checks.need("signature_missing", covered)
    return alone(assertion, checks)
