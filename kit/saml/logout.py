"""Single logout, begun by us or by the provider."""

import datetime as dt
from collections.abc import Mapping

from lxml import etree
from lxml.etree import _Element as Element

from kit.checking import Check
from kit.saml.checks import Checks
from kit.saml.documents import A, P, text_of
from kit.saml.model import Form, IdentityProvider, LogoutRequest, Redirect, ServiceProvider
from kit.saml.receiving import Received
from kit.saml.requests import message, new_id
from kit.saml.responses import SUCCESS
from kit.saml.sending import send
from kit.saml.times import SKEW, moment, need_fresh, written

PARTIAL = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout"
RESPONDER = "urn:oasis:names:tc:SAML:2.0:status:Responder"
OLDEST = dt.timedelta(minutes=10)


def ask_logout(
    sp: ServiceProvider,
    idp: IdentityProvider,
    *,
    request_id: str,
    subject: str,
    subject_format: str | None,
    session_index: str | None,
    relay_state: str,
    now: dt.datetime,
) -> Redirect | Form | None:
    """Ask the provider to end its session; None where it has no address for that."""
    if idp.slo_url is None:
        return None
    request = message("LogoutRequest", sp, request_id, idp.slo_url, now)
    request.set("NotOnOrAfter", written(now + OLDEST))
    name = etree.SubElement(request, A + "NameID")
    name.text = subject
    if subject_format:
        name.set("Format", subject_format)
    if session_index:
        etree.SubElement(request, P + "SessionIndex").text = session_index
    key = sp.keys[0]
    return send(request, "SAMLRequest", idp.slo_url, idp.slo_binding, relay_state=relay_state, key=key)


def is_answer(*, query: str = "", form: Mapping[str, str] | None = None) -> bool:
    """Whether what came to the logout address answers us, rather than asks."""
    return "SAMLResponse" in Received(query, form).fields


def check_logout_request(
    sp: ServiceProvider,
    idp: IdentityProvider,
    *,
    query: str = "",
    form: Mapping[str, str] | None = None,
    now: dt.datetime,
    trail: list[Check] | None = None,
) -> LogoutRequest:
    """Whose sessions a provider ends. `query`: the query string of a GET as received, `form`: the fields of a POST."""
    checks, received = Checks(trail), Received(query, form)
    request = received.read("SAMLRequest", P + "LogoutRequest", idp.certificates, now, checks)
    _need_head(request, sp, idp, now, checks)
    if request.get("NotOnOrAfter") is not None:
        end = moment(request.get("NotOnOrAfter"), checks)
        checks.need("expired", now < end + SKEW, written(end), written(now))
    if request.find(A + "EncryptedID") is not None:
        checks.refuse("encryption_partial", "the NameID")
    names = request.findall(A + "NameID")
    checks.need("subject", len(names) == 1 and bool(text_of(names[0])), f"{len(names)} NameID")
    return LogoutRequest(
        id=request.get("ID", ""),
        subject=text_of(names[0]),
        subject_format=names[0].get("Format"),
        session_indexes=tuple(text_of(element) for element in request.findall(P + "SessionIndex")),
        relay_state=received.fields.get("RelayState", ""),
    )


def answer_logout(
    sp: ServiceProvider,
    idp: IdentityProvider,
    request: LogoutRequest,
    *,
    success: bool = True,
    now: dt.datetime,
) -> Redirect | Form | None:
    """Tell the provider that the sessions are ended; None where it has no address for that."""
    if idp.slo_url is None:
        return None
    answer = message("LogoutResponse", sp, new_id(), idp.slo_url, now)
    answer.set("InResponseTo", request.id)
    status = etree.SubElement(answer, P + "Status")
    etree.SubElement(status, P + "StatusCode", Value=SUCCESS if success else RESPONDER)
    relay_state, key = request.relay_state, sp.keys[0]
    return send(answer, "SAMLResponse", idp.slo_url, idp.slo_binding, relay_state=relay_state, key=key)


def check_logout_answer(
    sp: ServiceProvider,
    idp: IdentityProvider,
    *,
    query: str = "",
    form: Mapping[str, str] | None = None,
    request_id: str,
    now: dt.datetime,
    trail: list[Check] | None = None,
) -> bool:
    """Whether the provider ended the session that `request_id` asked to end; False where it did so in part or not."""
    checks = Checks(trail)
    answer = Received(query, form).read("SAMLResponse", P + "LogoutResponse", idp.certificates, now, checks)
    _need_head(answer, sp, idp, now, checks)
    answered = answer.get("InResponseTo", "")
    checks.need("logout_in_response_to", answered == request_id, answered, request_id)
    codes = [code.get("Value") for code in answer.iterfind(f"{P}Status//{P}StatusCode")]
    return codes[:1] == [SUCCESS] and PARTIAL not in codes


def _need_head(received: Element, sp: ServiceProvider, idp: IdentityProvider, now: dt.datetime, checks: Checks) -> None:
    checks.need("version", received.get("Version") == "2.0", received.get("Version"), "2.0")
    issuer = ", ".join(text_of(element) for element in received.findall(A + "Issuer"))
    checks.need("issuer", issuer == idp.entity_id, issuer, idp.entity_id)
    # A signed message must say whom it is for, or it could be sent on to another.
    destination = received.get("Destination", "")
    checks.need("destination", destination == sp.slo_url, destination, sp.slo_url)
    need_fresh(moment(received.get("IssueInstant"), checks), now, OLDEST, checks)
