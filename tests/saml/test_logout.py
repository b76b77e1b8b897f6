"""Single logout: only the provider may end sessions, and only of the connection that is its own."""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from lxml import etree

from kit.errors import Refusal
from kit.saml import Form, Redirect, answer_logout, ask_logout, check_logout_answer, check_logout_request, is_answer
from tests.saml.logouts import REQUEST, answer, form, now, query, request
from tests.saml.marks import Style, sign
from tests.saml.said import DS, MORE, NS, OURS, SUCCESS, at, idp, signer, sp

PARTIAL = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout"


@pytest.mark.parametrize("binding", ["redirect", "form"])
def test_the_provider_ends_sessions(binding: str) -> None:
    by: dict[str, Any] = {"query": query(request())} if binding == "redirect" else {"form": form(request())}
    asked = check_logout_request(sp(), idp(), now=now(), **by)
    assert (asked.id, asked.subject, asked.session_indexes) == ("_theirs", "alice", ("one", "two"))
    assert asked.relay_state == "/back"
    assert not is_answer(**by)


def test_a_signature_on_a_curve_holds_beside_a_redirect() -> None:
    signed = query(request(), by=signer("ec"), algorithm=MORE + "ecdsa-sha256")
    assert check_logout_request(sp(), idp(signer("ec")), query=signed, now=now()).subject == "alice"


def test_any_key_of_the_connection_may_sign() -> None:
    signed = query(request(), by=signer("next"))
    assert check_logout_request(sp(), idp(signer(), signer("next")), query=signed, now=now()).subject == "alice"


@pytest.mark.parametrize(
    ("status", "whole"),
    [
        (f'<p:StatusCode Value="{SUCCESS}"/>', True),
        (f'<p:StatusCode Value="{SUCCESS}"><p:StatusCode Value="{PARTIAL}"/></p:StatusCode>', False),
        ('<p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Responder"/>', False),
    ],
)
def test_an_answer_says_whether_all_is_ended(status: str, whole: bool) -> None:
    said = query(answer(status), "SAMLResponse")
    assert is_answer(query=said)
    assert check_logout_answer(sp(), idp(), query=said, request_id=REQUEST, now=now()) is whole
    posted = form(answer(status), "SAMLResponse")
    assert check_logout_answer(sp(), idp(), form=posted, request_id=REQUEST, now=now()) is whole


def resigned(change: Callable[[str], str]) -> str:
    return change(query(request()))


def bomb() -> str:
    return query(b"<a>" + b" " * 50_000_000 + b"</a>")


HOSTILE: dict[str, tuple[str, Callable[[], str]]] = {
    "unsigned": ("signature_required", lambda: query(request()).partition("&SigAlg")[0]),
    "without its signature": ("signature_required", lambda: query(request()).partition("&Signature")[0]),
    "by a stranger": ("signature_key", lambda: query(request(), by=signer("stranger"))),
    "by SHA-1": ("signature_algorithm", lambda: query(request(), algorithm=DS + "rsa-sha1")),
    "by no algorithm": ("signature_algorithm", lambda: query(request(), algorithm="")),
    "by HMAC": ("signature_algorithm", lambda: query(request(), algorithm=MORE + "hmac-sha256")),
    "said to be ECDSA": ("signature_key", lambda: query(request(), algorithm=MORE + "ecdsa-sha256")),
    "its relay state changed": ("signature_key", lambda: resigned(lambda q: q.replace("%2Fback", "%2Fevil"))),
    "its relay state gone": ("signature_key", lambda: resigned(lambda q: q.replace("RelayState=%2Fback&", ""))),
    "encoded otherwise": ("signature_key", lambda: resigned(lambda q: q.replace("%2Fback", "%2fback"))),
    "two messages": ("query", lambda: f"{query(request())}&SAMLRequest=x"),
    "an answer as well": ("query", lambda: f"{query(request())}&SAMLResponse=x"),
    "a name encoded": ("query", lambda: resigned(lambda q: q.replace("SigAlg", "Sig%41lg"))),
    "no message": ("query", lambda: "RelayState=x"),
    "an answer for a request": ("query", lambda: query(answer(), "SAMLResponse")),
    "an answer called a request": ("root", lambda: query(answer())),
    "not deflated": ("signature_key", lambda: resigned(lambda q: "SAMLRequest=QUJD&" + q.partition("&")[2])),
    "a bomb": ("too_large", bomb),
    "with entities": ("doctype", lambda: query(b'<!DOCTYPE x [<!ENTITY a "b">]><x/>')),
    "of another provider": ("issuer", lambda: query(request(issuer="https://evil.test/"))),
    "of nobody": ("issuer", lambda: query(request(issuer=None))),
    "for another service": ("destination", lambda: query(request(Destination="https://other.test/slo"))),
    "for nobody": ("destination", lambda: query(request(Destination=None))),
    "of yesterday": ("issue_instant", lambda: query(request(IssueInstant=at(-1440)))),
    "of tomorrow": ("issue_instant", lambda: query(request(IssueInstant=at(1440)))),
    "over": ("expired", lambda: query(request(NotOnOrAfter=at(-2)))),
    "of version 1.1": ("version", lambda: query(request(Version="1.1"))),
    "about nobody": ("subject", lambda: query(request(""))),
    "about two": ("subject", lambda: query(request("<a:NameID>alice</a:NameID><a:NameID>bob</a:NameID>"))),
    "about somebody encrypted": ("encryption_partial", lambda: query(request("<a:EncryptedID/>"))),
    "with a comment": ("comment", lambda: query(request("<a:NameID>al<!-- -->ice</a:NameID>"))),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_logout_ends_nothing(name: str) -> None:
    check, make = HOSTILE[name]
    with pytest.raises(Refusal) as refused:
        check_logout_request(sp(), idp(), query=make(), now=now())
    assert refused.value.code == f"saml_{check}"


def unsigned_form() -> dict[str, str]:
    return {"SAMLRequest": base64.b64encode(etree.tostring(request())).decode()}


def wrapped_form() -> dict[str, str]:
    signed = request()
    sign(signed, signer())
    outer = request("<a:NameID>mallory</a:NameID>", ID="_outer")
    outer.append(signed)
    return {"SAMLRequest": base64.b64encode(etree.tostring(outer)).decode()}


def tampered_form() -> dict[str, str]:
    signed = request()
    sign(signed, signer())
    signed.find("a:NameID", NS).text = "mallory"
    return {"SAMLRequest": base64.b64encode(etree.tostring(signed)).decode()}


FORMS: dict[str, tuple[str, Callable[[], dict[str, str]]]] = {
    "unsigned": ("signature_required", unsigned_form),
    "nothing": ("missing", dict),
    "by a stranger": ("signature_key", lambda: form(request(), by=signer("stranger"))),
    "by SHA-1": ("signature_algorithm", lambda: form(request(), style=Style(method=DS + "rsa-sha1"))),
    "wrapped": ("signature_place", wrapped_form),
    "tampered": ("signature_content", tampered_form),
    "signed beside it, as by redirect": ("signature_required", lambda: unsigned_form() | {"Signature": "QUJD"}),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_hostile_logout_by_form_ends_nothing(name: str) -> None:
    check, make = FORMS[name]
    with pytest.raises(Refusal) as refused:
        check_logout_request(sp(), idp(), form=make(), now=now())
    assert refused.value.code == f"saml_{check}"


def test_an_answer_to_another_browser_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        check_logout_answer(sp(), idp(), query=query(answer(), "SAMLResponse"), request_id="_other", now=now())
    assert refused.value.code == "saml_logout_in_response_to"


def test_a_provider_without_a_logout_address_is_not_asked() -> None:
    silent = replace(idp(), slo_url=None)
    asked = check_logout_request(sp(), idp(), query=query(request()), now=now())
    given: dict[str, Any] = {"request_id": "_x", "subject": "alice", "subject_format": None, "session_index": None}
    assert ask_logout(sp(), silent, relay_state="", now=now(), **given) is None
    assert answer_logout(sp(), silent, asked, now=now()) is None


@pytest.mark.parametrize("binding", ["redirect", "post"])
def test_what_we_send_is_what_we_would_believe(binding: Any) -> None:
    """Our requests and answers, read by our own strict eyes as if we were the provider."""
    us = replace(idp(signer("ours")), entity_id=sp().entity_id, slo_url=OURS + "slo", slo_binding=binding)
    given: dict[str, Any] = {"subject": "Zoë & co", "subject_format": "f", "session_index": "one"}
    sent = ask_logout(sp(), us, request_id=REQUEST, relay_state="a b&c", now=now(), **given)
    asked = check_logout_request(sp(), us, now=now(), **_arrived(sent))
    assert (asked.subject, asked.subject_format, asked.session_indexes) == ("Zoë & co", "f", ("one",))
    assert asked.relay_state == "a b&c"
    for success in (True, False):
        told = answer_logout(sp(), us, asked, success=success, now=now())
        found = check_logout_answer(sp(), us, request_id=REQUEST, now=now(), **_arrived(told))
        assert found is success


def _arrived(sent: Redirect | Form | None) -> dict[str, Any]:
    assert sent is not None
    return {"form": sent.fields} if isinstance(sent, Form) else {"query": sent.url.partition("?")[2]}
