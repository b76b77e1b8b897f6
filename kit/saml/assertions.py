"""What an assertion must say before anybody is signed in by it. Every element here comes from signed bytes."""

import datetime as dt
from dataclasses import dataclass

from lxml.etree import _Element as Element

from kit.errors import Refusal
from kit.saml.checks import Checks
from kit.saml.documents import A, children, local, text_of
from kit.saml.model import Assertion, IdentityProvider, ServiceProvider
from kit.saml.times import SKEW, moment, need_fresh, written

BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
# Longer than any way from a provider to us; a bound for those who remember assertions against replays.
OLDEST = dt.timedelta(hours=1)
LONGEST_SUBJECT = 256
# Conditions that ask nothing more of us: an assertion is used once here, and never passed on.
HARMLESS = {A + "OneTimeUse", A + "ProxyRestriction"}


@dataclass(frozen=True)
class Expected:
    """Who speaks to whom, when, and what was asked."""

    sp: ServiceProvider
    idp: IdentityProvider
    request_id: str | None
    allow_unsolicited: bool
    now: dt.datetime

    def need_request(self, answered: str | None, checks: Checks) -> None:
        """It answers our request; or none, where that is allowed."""
        if answered is None:
            checks.need("unsolicited", self.allow_unsolicited)
        else:
            checks.need("in_response_to", answered == self.request_id, answered, self.request_id or "")


def read_assertion(assertion: Element, expected: Expected, checks: Checks) -> Assertion:
    """The assertion's content, once its issuer, times, audience and subject are checked."""
    now, idp = expected.now, expected.idp
    checks.need("version", assertion.get("Version") == "2.0", assertion.get("Version"), "2.0")
    issuers = [text_of(element) for element in assertion.findall(A + "Issuer")]
    checks.need("issuer", issuers == [idp.entity_id], ", ".join(issuers), idp.entity_id)
    issued = moment(assertion.get("IssueInstant"), checks)
    need_fresh(issued, now, OLDEST, checks)
    ends = [issued + OLDEST]
    ends += _conditions(assertion, expected, checks)
    subject, form = _subject(assertion, checks)
    ends.append(_confirmation(assertion, expected, checks))
    statement, session_end = _authentication(assertion, now, checks)
    context = statement.find(f"{A}AuthnContext/{A}AuthnContextClassRef")
    return Assertion(
        id=assertion.get("ID", ""),
        issuer=idp.entity_id,
        subject=subject,
        subject_format=form,
        attributes=_attributes(assertion, checks),
        session_index=statement.get("SessionIndex") or None,
        not_on_or_after=min(ends) + SKEW,
        authn_context=text_of(context) if context is not None else None,
        session_not_on_or_after=session_end,
        authenticated_at=_when(statement, checks),
    )


def _window(element: Element, now: dt.datetime, checks: Checks) -> list[dt.datetime]:
    """Valid now by NotBefore and NotOnOrAfter; gives the end where there is one."""
    if element.get("NotBefore") is not None:
        begin = moment(element.get("NotBefore"), checks)
        checks.need("not_yet", begin - SKEW <= now, written(begin), written(now))
    if element.get("NotOnOrAfter") is None:
        return []
    end = moment(element.get("NotOnOrAfter"), checks)
    checks.need("expired", now < end + SKEW, written(end), written(now))
    return [end]


def _conditions(assertion: Element, expected: Expected, checks: Checks) -> list[dt.datetime]:
    found = assertion.findall(A + "Conditions")
    checks.need("audience", bool(found), "", expected.sp.entity_id)
    checks.need("conditions", len(found) == 1, "Conditions")
    ends = _window(found[0], expected.now, checks)
    restrictions = 0
    for condition in children(found[0]):
        if condition.tag == A + "AudienceRestriction":
            restrictions += 1
            audiences = [text_of(element) for element in condition.findall(A + "Audience")]
            ok = expected.sp.entity_id in audiences
            checks.need("audience", ok, ", ".join(audiences), expected.sp.entity_id)
        else:
            checks.need("conditions", condition.tag in HARMLESS, local(condition))
    checks.need("audience", restrictions > 0, "", expected.sp.entity_id)
    return ends


def _subject(assertion: Element, checks: Checks) -> tuple[str, str | None]:
    subjects = assertion.findall(A + "Subject")
    checks.need("subject", len(subjects) == 1, f"{len(subjects)} Subject")
    names = [child for child in children(subjects[0]) if child.tag != A + "SubjectConfirmation"]
    if any(child.tag == A + "EncryptedID" for child in names):
        checks.refuse("encryption_partial", "the NameID")
    checks.need("subject", [child.tag for child in names] == [A + "NameID"], ", ".join(map(local, names)) or "nothing")
    name = text_of(names[0])
    checks.need("subject", not len(names[0]) and 0 < len(name) <= LONGEST_SUBJECT, f"{len(name)} characters")
    checks.need("transient", names[0].get("Format") != TRANSIENT)
    return name, names[0].get("Format")


def _confirmation(assertion: Element, expected: Expected, checks: Checks) -> dt.datetime:
    """One confirmation by bearer holds; gives its end. Of several, the first refusal speaks."""
    found = assertion.findall(f"{A}Subject/{A}SubjectConfirmation")
    bearers = [element for element in found if element.get("Method") == BEARER]
    methods = ", ".join(str(element.get("Method")) for element in found)
    checks.need("confirmation", 1 <= len(bearers) <= 4, methods or "none", BEARER)
    refused: list[tuple[Refusal, Checks]] = []
    for bearer in bearers:
        tried = Checks()
        try:
            end = _bearer(bearer, expected, tried)
        except Refusal as refusal:
            refused.append((refusal, tried))
        else:
            checks.take(tried)
            return end
    first, tried = refused[0]
    checks.take(tried)
    raise first


def _bearer(bearer: Element, expected: Expected, checks: Checks) -> dt.datetime:
    found = bearer.findall(A + "SubjectConfirmationData")
    checks.need("confirmation", len(found) == 1, f"{len(found)} SubjectConfirmationData", BEARER)
    data = found[0]
    recipient = data.get("Recipient", "")
    checks.need("recipient", recipient == expected.sp.acs_url, recipient, expected.sp.acs_url)
    expected.need_request(data.get("InResponseTo"), checks)
    ends = _window(data, expected.now, checks)
    checks.need("confirmation", bool(ends), "without NotOnOrAfter", BEARER)
    return ends[0]


def _authentication(assertion: Element, now: dt.datetime, checks: Checks) -> tuple[Element, dt.datetime | None]:
    found = assertion.findall(A + "AuthnStatement")
    checks.need("authentication", bool(found), "no AuthnStatement")
    statement = found[0]
    if statement.get("SessionNotOnOrAfter") is None:
        return statement, None
    end = moment(statement.get("SessionNotOnOrAfter"), checks)
    checks.need("session_ended", now < end + SKEW, written(end), written(now))
    return statement, end


def _when(statement: Element, checks: Checks) -> dt.datetime | None:
    told = statement.get("AuthnInstant")
    return None if told is None else moment(told, checks)


def _attributes(assertion: Element, checks: Checks) -> dict[str, tuple[str, ...]]:
    """All values by name. An attribute that comes in several parts is one."""
    if assertion.find(f"{A}AttributeStatement/{A}EncryptedAttribute") is not None:
        checks.refuse("encryption_partial", "an attribute")
    found: dict[str, tuple[str, ...]] = {}
    for attribute in assertion.iterfind(f"{A}AttributeStatement/{A}Attribute"):
        name = attribute.get("Name", "")
        checks.need("attributes", bool(name))
        values = tuple(text_of(value) for value in attribute.findall(A + "AttributeValue"))
        found[name] = found.get(name, ()) + values
    return found
