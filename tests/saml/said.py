"""The keys of the play, and what a response says, as text. It shares no code with what it tests."""

import base64
import datetime as dt
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from kit.saml import IdentityProvider, Key, ServiceProvider

P = "urn:oasis:names:tc:SAML:2.0:protocol"
A = "urn:oasis:names:tc:SAML:2.0:assertion"
DS = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
NS = {"p": P, "a": A, "ds": DS, "x": XENC}
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
RSA_SHA256, SHA256 = MORE + "rsa-sha256", XENC + "sha256"
ENVELOPED, EXCLUSIVE = DS + "enveloped-signature", "http://www.w3.org/2001/10/xml-exc-c14n#"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
OURS = "https://acme.parvis.test/saml/7/"
THEIRS = "https://idp.acme.test/metadata"
REQUEST = "_request0123456789"
ALICE, MALLORY = "alice", "mallory"


def fresh_key(name: str) -> Any:
    """Names with "ec" have a key on a curve."""
    if name.startswith("ec"):
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Play:
    """What differs from run to run; the fuzzer fixes it, so that what it keeps means the same tomorrow."""

    key: Callable[[str], Any] = fresh_key
    moment: dt.datetime | None = None

    def now(self) -> dt.datetime:
        return self.moment or dt.datetime.now(dt.UTC)


PLAY = Play()


@dataclass(frozen=True)
class Signer:
    """A key with its certificate, ours or a stranger's."""

    key: Any
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def base64(self) -> str:
        return base64.b64encode(self.der).decode()

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def make_signer(name: str, key: Any, begins: int = -1, ends: int = 365) -> Signer:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = PLAY.now()
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(4711)
        .not_valid_before(now + dt.timedelta(days=begins))
        .not_valid_after(now + dt.timedelta(days=ends))
    )
    return Signer(key, built.sign(key, hashes.SHA256()))


@functools.cache
def signer(name: str = "provider", *, begins: int = -1, ends: int = 365) -> Signer:
    """The same name is the same key, once made."""
    return make_signer(name, PLAY.key(name), begins, ends)


@functools.cache
def our_key(name: str = "ours") -> Key:
    made = signer(name)
    return Key(made.der, made.key)


def sp(*keys: Key) -> ServiceProvider:
    return ServiceProvider(OURS + "metadata", OURS + "acs", OURS + "slo", keys or (our_key(),))


def idp(*signers: Signer) -> IdentityProvider:
    certificates = tuple(one.der for one in signers or (signer(),))
    return IdentityProvider(THEIRS, "https://idp.acme.test/sso", "redirect", "https://idp.acme.test/slo", certificates)


def at(minutes: float = 0) -> str:
    moment = PLAY.now() + dt.timedelta(minutes=minutes)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def attributes(**given: Any) -> dict[str, str]:
    return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class Said:
    """What a response says. None leaves a part out; the `…_xml` take its place whole."""

    response_id: str | None = "_response"
    assertion_id: str | None = "_assertion"
    version: str | None = "2.0"
    assertion_version: str | None = "2.0"
    response_issuer: str | None = THEIRS
    issuer: str | None = THEIRS
    issued: str | None = field(default_factory=at)
    destination: str | None = OURS + "acs"
    in_response_to: str | None = REQUEST
    confirmed_request: str | None = REQUEST
    recipient: str | None = OURS + "acs"
    confirmed_until: str | None = field(default_factory=lambda: at(5))
    method: str | None = BEARER
    audiences: Sequence[str] | None = (OURS + "metadata",)
    not_before: str | None = field(default_factory=lambda: at(-5))
    not_on_or_after: str | None = field(default_factory=lambda: at(5))
    subject: str = ALICE
    format: str | None = PERSISTENT
    values: dict[str, Sequence[str]] = field(
        default_factory=lambda: {"mail": ["alice@acme.test"], "groups": ["a", "b"]}
    )
    session: str | None = "_session"
    session_until: str | None = None
    status_xml: str = f'<p:Status><p:StatusCode Value="{SUCCESS}"/></p:Status>'
    subject_xml: str | None = None
    confirmation_xml: str | None = None
    conditions_xml: str | None = None
    more_conditions: str = ""
    statement_xml: str | None = None
    more_xml: str = ""

    def xml(self) -> str:
        head = attributes(
            ID=self.response_id,
            Version=self.version,
            IssueInstant=self.issued,
            Destination=self.destination,
            InResponseTo=self.in_response_to,
        )
        issuer = "" if self.response_issuer is None else f"<a:Issuer>{self.response_issuer}</a:Issuer>"
        inside = f"{issuer}{self.status_xml}{self.assertion_xml()}"
        return f'<p:Response xmlns:p="{P}" xmlns:a="{A}"{written(head)}>{inside}</p:Response>'

    def assertion_xml(self) -> str:
        head = attributes(ID=self.assertion_id, Version=self.assertion_version, IssueInstant=self.issued)
        issuer = "" if self.issuer is None else f"<a:Issuer>{self.issuer}</a:Issuer>"
        parts = (self._subject(), self._conditions(), self._statement(), self._values(), self.more_xml)
        return f"<a:Assertion{written(head)}>{issuer}{''.join(parts)}</a:Assertion>"

    def _subject(self) -> str:
        if self.subject_xml is not None:
            return self.subject_xml
        return f"<a:Subject>{self.name_xml()}{self.confirmation()}</a:Subject>"

    def name_xml(self) -> str:
        return f"<a:NameID{written(attributes(Format=self.format))}>{self.subject}</a:NameID>"

    def confirmation(self) -> str:
        if self.confirmation_xml is not None:
            return self.confirmation_xml
        data = attributes(
            InResponseTo=self.confirmed_request, NotOnOrAfter=self.confirmed_until, Recipient=self.recipient
        )
        method = written(attributes(Method=self.method))
        inside = f"<a:SubjectConfirmationData{written(data)}/>"
        return f"<a:SubjectConfirmation{method}>{inside}</a:SubjectConfirmation>"

    def _conditions(self) -> str:
        if self.conditions_xml is not None:
            return self.conditions_xml
        times = written(attributes(NotBefore=self.not_before, NotOnOrAfter=self.not_on_or_after))
        audiences = "".join(f"<a:Audience>{one}</a:Audience>" for one in self.audiences or ())
        restriction = "" if self.audiences is None else f"<a:AudienceRestriction>{audiences}</a:AudienceRestriction>"
        return f"<a:Conditions{times}>{restriction}{self.more_conditions}</a:Conditions>"

    def _statement(self) -> str:
        if self.statement_xml is not None:
            return self.statement_xml
        head = attributes(AuthnInstant=self.issued, SessionIndex=self.session, SessionNotOnOrAfter=self.session_until)
        how = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
        context = f"<a:AuthnContext><a:AuthnContextClassRef>{how}</a:AuthnContextClassRef></a:AuthnContext>"
        return f"<a:AuthnStatement{written(head)}>{context}</a:AuthnStatement>"

    def _values(self) -> str:
        found = "".join(
            f'<a:Attribute Name="{name}">'
            + "".join(f"<a:AttributeValue>{value}</a:AttributeValue>" for value in values)
            + "</a:Attribute>"
            for name, values in self.values.items()
        )
        return f"<a:AttributeStatement>{found}</a:AttributeStatement>" if found else ""


def written(given: dict[str, str]) -> str:
    return "".join(f' {name}="{value}"' for name, value in given.items())
