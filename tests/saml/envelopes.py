"""Well-signed responses that are not for us, not now, or not about anybody."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from tests.saml.forge import Given
from tests.saml.hostile import MODES, Hostile, build, given, hostile
from tests.saml.said import BEARER, DS, OURS, REQUEST, THEIRS, Said, at, idp, signer, sp

ACS, US = OURS + "acs", OURS + "metadata"


def cases() -> Iterator[Hostile]:
    for family, name, checks, said in (*WRONG, *TIMES, *SHAPES):
        yield hostile(family, name, checks, partial(saying, said))
    yield from _unasked()
    yield from _others()


def saying(said: dict[str, Any], mode: str = "both") -> Any:
    # Moments are counted when the case is made, not when it is read.
    now = {name: value() if callable(value) else value for name, value in said.items()}
    return build(Said(**now), mode)


def _status(*codes: str) -> str:
    found = "".join(f'<p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:{code}">' for code in codes)
    return f"<p:Status>{found}{'</p:StatusCode>' * len(codes)}</p:Status>"


def _restricted(*audiences: str) -> str:
    return "".join(
        f"<a:AudienceRestriction><a:Audience>{one}</a:Audience></a:AudienceRestriction>" for one in audiences
    )


WRONG: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    *(
        ("audience", name, "audience", {"audiences": audiences})
        for name, audiences in (
            ("another service", ["https://other.test/metadata"]),
            ("another connection of the same organisation", [OURS.replace("/7/", "/8/") + "metadata"]),
            ("another organisation", [US.replace("acme", "evil")]),
            ("ours with a slash more", [US + "/"]),
            ("ours with something before", ["x" + US]),
            ("in capitals", [US.upper()]),
            ("empty", [""]),
            ("none in the restriction", []),
            ("no restriction", None),
        )
    ),
    (
        "audience",
        "a second restriction is for another",
        "audience",
        {"more_conditions": _restricted("https://other.test/")},
    ),
    ("audience", "no conditions at all", "audience", {"conditions_xml": ""}),
    *(
        ("recipient", name, "recipient", {"recipient": recipient})
        for name, recipient in (
            ("another service", "https://other.test/acs"),
            ("another connection of the same organisation", ACS.replace("/7/", "/8/")),
            ("another organisation", ACS.replace("acme", "evil")),
            ("ours with a slash more", ACS + "/"),
            ("ours with a query", ACS + "?x=1"),
            ("without TLS", ACS.replace("https", "http")),
            ("empty", ""),
            ("missing", None),
        )
    ),
    *(
        ("destination", name, "destination", {"destination": destination})
        for name, destination in (
            ("another service", "https://other.test/acs"),
            ("another organisation", ACS.replace("acme", "evil")),
            ("ours with a slash more", ACS + "/"),
            ("ours with a user", ACS.replace("https://", "https://acme@")),
            ("empty", ""),
        )
    ),
    ("request", "both name another", "in_response_to", {"in_response_to": "_x", "confirmed_request": "_x"}),
    ("request", "the response names another", "in_response_to", {"in_response_to": "_x"}),
    ("request", "the subject names another", "in_response_to", {"confirmed_request": "_x"}),
    ("request", "empty", "in_response_to", {"in_response_to": "", "confirmed_request": ""}),
    ("request", "the subject names an empty one", "in_response_to", {"confirmed_request": ""}),
    ("request", "ours with a space", "in_response_to", {"confirmed_request": REQUEST + " "}),
    ("request", "only the response names ours", "unsolicited", {"confirmed_request": None}),
    ("request", "only the subject names ours", "unsolicited", {"in_response_to": None}),
    (
        "request",
        "none is named though one was begun",
        "unsolicited",
        {"in_response_to": None, "confirmed_request": None},
    ),
    *(
        ("issuer", name, "issuer", said)
        for name, said in (
            ("the assertion's is another", {"issuer": "https://other.test/"}),
            ("the response's is another", {"response_issuer": "https://other.test/"}),
            ("both are another", {"issuer": "https://other.test/", "response_issuer": "https://other.test/"}),
            ("ours", {"issuer": US, "response_issuer": US}),
            ("with a slash more", {"issuer": THEIRS + "/"}),
            ("empty", {"issuer": ""}),
            ("missing in the assertion", {"issuer": None}),
        )
    ),
    *(
        ("status", ", ".join(codes), "status", {"status_xml": _status(*codes)})
        for codes in (
            ("Requester",),
            ("Responder",),
            ("Responder", "AuthnFailed"),
            ("Requester", "RequestDenied"),
            ("VersionMismatch",),
            ("Responder", "Success"),
        )
    ),
    ("status", "missing", "status", {"status_xml": ""}),
    ("status", "two of them", "status", {"status_xml": _status("Success") + _status("Responder")}),
    ("status", "without a code", "status", {"status_xml": "<p:Status/>"}),
    ("status", "an unknown word", "status", {"status_xml": '<p:Status><p:StatusCode Value="Success"/></p:Status>'}),
)

TIMES: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("time", "the conditions ended 2 minutes ago", "expired", {"not_on_or_after": partial(at, -2)}),
    ("time", "the conditions ended yesterday", "expired", {"not_on_or_after": partial(at, -1440)}),
    ("time", "the confirmation ended 2 minutes ago", "expired", {"confirmed_until": partial(at, -2)}),
    ("time", "the conditions begin in 2 minutes", "not_yet", {"not_before": partial(at, 2)}),
    ("time", "issued in 2 minutes", "issue_instant", {"issued": partial(at, 2)}),
    ("time", "issued 2 hours ago, valid for long", "issue_instant", {"issued": partial(at, -120)}),
    ("time", "the session has ended", "session_ended", {"session_until": partial(at, -2)}),
    ("time", "no moment of issue", "time", {"issued": None}),
    *(
        ("time", f"{value!r} as end", "time", {"not_on_or_after": value})
        for value in (
            "",
            "tomorrow",
            "2099-01-01",
            "2099-01-01T00:00:00",
            "2099-13-01T00:00:00Z",
            "9999999999",
            "٢٠٩٩-01-01T00:00:00Z",
        )
    ),
    ("time", "a confirmation without an end", "confirmation", {"confirmed_until": None}),
)

CONFIRMED = f'<a:SubjectConfirmation Method="{BEARER}"/>'
HOLDER = BEARER.replace("bearer", "holder-of-key")
SHAPES: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("version", "1.1", "version", {"version": "1.1"}),
    ("version", "missing", "version", {"version": None}),
    ("version", "1.1 in the assertion", "version", {"assertion_version": "1.1"}),
    ("ids", "the response has none", "ids", {"response_id": None}),
    ("ids", "the response's is empty", "ids", {"response_id": ""}),
    ("ids", "the assertion's is an expression", "ids", {"assertion_id": "x' or '1'='1"}),
    ("subject", "missing", "subject", {"subject_xml": ""}),
    ("subject", "two subjects", "subject", {"more_xml": "<a:Subject><a:NameID>mallory</a:NameID></a:Subject>"}),
    ("subject", "empty", "subject", {"subject": ""}),
    ("subject", "spaces", "subject", {"subject": "  "}),
    ("subject", "endless", "subject", {"subject": "a" * 257}),
    ("subject", "an element in the name", "subject", {"subject": "al<b/>ice"}),
    ("subject", "changes each time", "transient", {"format": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"}),
    (
        "subject",
        "encrypted on its own",
        "encryption_partial",
        {"subject_xml": "<a:Subject><a:EncryptedID/></a:Subject>"},
    ),
    ("subject", "a BaseID", "subject", {"subject_xml": "<a:Subject><a:BaseID>alice</a:BaseID></a:Subject>"}),
    (
        "subject",
        "two names",
        "subject",
        {"subject_xml": f"<a:Subject><a:NameID>alice</a:NameID><a:NameID>mallory</a:NameID>{CONFIRMED}</a:Subject>"},
    ),
    ("confirmation", "none", "confirmation", {"confirmation_xml": ""}),
    ("confirmation", "without data", "confirmation", {"confirmation_xml": CONFIRMED}),
    ("confirmation", "sender-vouches", "confirmation", {"method": BEARER.replace("bearer", "sender-vouches")}),
    ("confirmation", "holder-of-key", "confirmation", {"method": HOLDER}),
    ("confirmation", "no method", "confirmation", {"method": None}),
    ("confirmation", "many", "confirmation", {"confirmation_xml": CONFIRMED * 5}),
    ("conditions", "one that nobody knows", "conditions", {"more_conditions": "<a:Condition/>"}),
    ("conditions", "one of a stranger", "conditions", {"more_conditions": f'<s:Only xmlns:s="{DS}"/>'}),
    ("conditions", "twice", "conditions", {"more_xml": "<a:Conditions/>"}),
    ("authentication", "nothing said of it", "authentication", {"statement_xml": ""}),
    ("attributes", "one without a name", "attributes", {"values": {"": ["x"]}}),
    (
        "attributes",
        "one encrypted on its own",
        "encryption_partial",
        {"values": {}, "more_xml": "<a:AttributeStatement><a:EncryptedAttribute/></a:AttributeStatement>"},
    ),
)


def _unasked() -> Iterator[Hostile]:
    unasked = Said(in_response_to=None, confirmed_request=None)
    for mode in MODES:
        make = partial(_given, unasked, mode, request_id=None)
        yield hostile("unsolicited", f"nobody asked, {mode} signed", "unsolicited", make)
        make = partial(_given, Said(), mode, request_id=None)
        yield hostile("unsolicited", f"it answers a request of another browser, {mode} signed", "in_response_to", make)
        make = partial(_given, Said(), mode, request_id=None, allow_unsolicited=True)
        name = f"it answers a request of another browser, though unsolicited ones are allowed, {mode} signed"
        yield hostile("unsolicited", name, "in_response_to", make)


def _given(said: Said, mode: str, **others: Any) -> Given:
    return given(build(said, mode), **others)


def _others() -> Iterator[Hostile]:
    """Another organisation's provider, whose responses are perfect in themselves."""
    stranger = signer("stranger")
    for mode in MODES:
        make = partial(_stranger, mode, {})
        yield hostile("other provider", f"it claims our provider's name, {mode} signed", "signature_key", make)
        foreign = {"issuer": "https://evil.test/", "response_issuer": "https://evil.test/"}
        make = partial(_stranger, mode, foreign)
        yield hostile("other provider", f"in its own name, {mode} signed", "signature_key issuer", make)
        make = partial(_ours_elsewhere, mode)
        yield hostile("other provider", f"ours, sent on to another organisation, {mode} signed", "destination", make)
    one_key = replace(idp(stranger), entity_id="https://another.test/")
    make = partial(_given, Said(), "both", idp=replace(one_key, certificates=idp().certificates))
    yield hostile("other provider", "two providers share a key, but not a name", "issuer", make)


def _stranger(mode: str, said: dict[str, Any]) -> Any:
    return build(Said(**said), mode, by=signer("stranger"))


def _ours_elsewhere(mode: str) -> Given:
    elsewhere = OURS.replace("acme", "evil")
    other = replace(sp(), entity_id=elsewhere + "metadata", acs_url=elsewhere + "acs")
    return given(build(signed=mode), sp=other)
