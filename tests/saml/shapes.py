"""How well-known providers write their responses: namespaces, order, formats and names as theirs, the values ours."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from tests.saml.forge import Given, encode
from tests.saml.marks import Style, sign
from tests.saml.said import BEARER, OURS, REQUEST, SUCCESS, THEIRS, A, P, at, signer

EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
MICROSOFT = "http://schemas.microsoft.com/"
ACS, US = OURS + "acs", OURS + "metadata"
CLASSES = "urn:oasis:names:tc:SAML:2.0:ac:classes:"


@dataclass(frozen=True)
class Shape:
    """A provider's way of writing. `signed`: "assertion", "response" or "both"; the assertion is `{A}Assertion`."""

    name: str
    xml: Callable[[], str]
    signed: str
    subject: str
    values: dict[str, tuple[str, ...]]
    style: Style = field(default_factory=Style)
    refuses: dict[str, str] = field(default_factory=dict)


def shaped(shape: Shape) -> Given:
    root: Any = etree.fromstring(shape.xml())
    if shape.signed in {"assertion", "both"}:
        sign(root.find(f"{{{A}}}Assertion"), signer(), shape.style)
    if shape.signed in {"response", "both"}:
        sign(root, signer(), shape.style)
    return Given(encode(root))


def entra() -> str:
    """Only the assertion is signed; the assertion's namespace is the default one; claims are long addresses."""
    values = {
        f"{MICROSOFT}identity/claims/tenantid": "1f7c",
        f"{MICROSOFT}identity/claims/objectidentifier": "9b2d",
        f"{CLAIMS}emailaddress": "alice@acme.test",
        f"{CLAIMS}name": "alice@acme.test",
    }
    found = "".join(
        f'<Attribute Name="{n}"><AttributeValue>{v}</AttributeValue></Attribute>' for n, v in values.items()
    )
    groups = "".join(f"<AttributeValue>{n}</AttributeValue>" for n in ("3c1e", "77aa"))
    found += f'<Attribute Name="{MICROSOFT}ws/2008/06/identity/claims/groups">{groups}</Attribute>'
    end, now = at(60).replace("Z", ".123Z"), at().replace("Z", ".123Z")
    return (
        f'<samlp:Response ID="_f2a" Version="2.0" IssueInstant="{now}" Destination="{ACS}" '
        f'InResponseTo="{REQUEST}" xmlns:samlp="{P}"><Issuer xmlns="{A}">{THEIRS}</Issuer>'
        f'<samlp:Status><samlp:StatusCode Value="{SUCCESS}"/></samlp:Status>'
        f'<Assertion ID="_c1d" IssueInstant="{now}" Version="2.0" xmlns="{A}">'
        f"<Issuer>{THEIRS}</Issuer>"
        f'<Subject><NameID Format="{EMAIL}">alice@acme.test</NameID><SubjectConfirmation Method="{BEARER}">'
        f'<SubjectConfirmationData InResponseTo="{REQUEST}" NotOnOrAfter="{end}" Recipient="{ACS}"/>'
        f'</SubjectConfirmation></Subject><Conditions NotBefore="{at(-5)}" NotOnOrAfter="{end}">'
        f"<AudienceRestriction><Audience>{US}</Audience></AudienceRestriction></Conditions><AttributeStatement>{found}</AttributeStatement>"
        f'<AuthnStatement AuthnInstant="{at(-30)}" SessionIndex="_c1d"><AuthnContext>'
        f"<AuthnContextClassRef>{CLASSES}Password</AuthnContextClassRef></AuthnContext></AuthnStatement></Assertion>"
        "</samlp:Response>"
    )


def okta() -> str:
    """saml2 and saml2p, both parts signed, values typed with prefixes that the signature lists."""
    schema = 'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    entity = 'Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity"'
    found = "".join(
        f'<saml2:Attribute Name="{name}" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified">'
        f'<saml2:AttributeValue {schema} xsi:type="xs:string">{value}</saml2:AttributeValue></saml2:Attribute>'
        for name, value in (("email", "alice@acme.test"), ("firstName", "Alice"))
    )
    return (
        f'<saml2p:Response Destination="{ACS}" ID="id4711" InResponseTo="{REQUEST}" IssueInstant="{at()[:-1]}.512Z" '
        f'Version="2.0" xmlns:saml2p="{P}" xmlns:xs="http://www.w3.org/2001/XMLSchema">'
        f'<saml2:Issuer {entity} xmlns:saml2="{A}">{THEIRS}</saml2:Issuer>'
        f'<saml2p:Status xmlns:saml2p="{P}"><saml2p:StatusCode Value="{SUCCESS}"/></saml2p:Status>'
        f'<saml2:Assertion ID="id4712" IssueInstant="{at()[:-1]}.512Z" Version="2.0" xmlns:saml2="{A}" '
        f'xmlns:xs="http://www.w3.org/2001/XMLSchema"><saml2:Issuer {entity} xmlns:saml2="{A}">{THEIRS}</saml2:Issuer>'
        f'<saml2:Subject xmlns:saml2="{A}"><saml2:NameID Format="{EMAIL}">alice@acme.test</saml2:NameID>'
        f'<saml2:SubjectConfirmation Method="{BEARER}"><saml2:SubjectConfirmationData InResponseTo="{REQUEST}" '
        f'NotOnOrAfter="{at(5)[:-1]}.512Z" Recipient="{ACS}"/></saml2:SubjectConfirmation></saml2:Subject>'
        f'<saml2:Conditions NotBefore="{at(-5)}" NotOnOrAfter="{at(5)}"><saml2:AudienceRestriction>'
        f"<saml2:Audience>{US}</saml2:Audience></saml2:AudienceRestriction></saml2:Conditions>"
        f'<saml2:AuthnStatement AuthnInstant="{at()}" SessionIndex="{REQUEST}"><saml2:AuthnContext>'
        f"<saml2:AuthnContextClassRef>{CLASSES}PasswordProtectedTransport</saml2:AuthnContextClassRef>"
        f"</saml2:AuthnContext></saml2:AuthnStatement><saml2:AttributeStatement>{found}</saml2:AttributeStatement>"
        "</saml2:Assertion></saml2p:Response>"
    )


def google() -> str:
    """The response is signed, the assertion is not; an attribute without values stands there too."""
    empty = '<saml2:Attribute Name="phone"/></saml2:AttributeStatement>'
    return okta().replace("</saml2:AttributeStatement>", empty)


def keycloak() -> str:
    """Both signed; each role is a value of its own attribute of the same name; a session index in two parts."""
    role = '<saml:Attribute FriendlyName="r" Name="Role"><saml:AttributeValue>{}</saml:AttributeValue></saml:Attribute>'
    return (
        f'<samlp:Response xmlns:samlp="{P}" xmlns:saml="{A}" Destination="{ACS}" ID="ID_6f2c-1" '
        f'InResponseTo="{REQUEST}" IssueInstant="{at()[:-1]}.007Z" Version="2.0"><saml:Issuer>{THEIRS}</saml:Issuer>'
        f'<samlp:Status><samlp:StatusCode Value="{SUCCESS}"/></samlp:Status>'
        f'<saml:Assertion xmlns="{A}" ID="ID_6f2c-2" IssueInstant="{at()[:-1]}.006Z" Version="2.0">'
        f"<saml:Issuer>{THEIRS}</saml:Issuer><saml:Subject>"
        f'<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">G-51f0</saml:NameID>'
        f'<saml:SubjectConfirmation Method="{BEARER}"><saml:SubjectConfirmationData InResponseTo="{REQUEST}" '
        f'NotOnOrAfter="{at(1)}" Recipient="{ACS}"/></saml:SubjectConfirmation></saml:Subject>'
        f'<saml:Conditions NotBefore="{at()}" NotOnOrAfter="{at(1)}"><saml:AudienceRestriction>'
        f"<saml:Audience>{US}</saml:Audience></saml:AudienceRestriction></saml:Conditions>"
        f'<saml:AuthnStatement AuthnInstant="{at()}" SessionIndex="8be1::44d0" SessionNotOnOrAfter="{at(600)}">'
        f"<saml:AuthnContext><saml:AuthnContextClassRef>{CLASSES}unspecified</saml:AuthnContextClassRef>"
        "</saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>"
        f"{role.format('admin')}{role.format('staff')}</saml:AttributeStatement></saml:Assertion></samlp:Response>"
    )


def adfs() -> str:
    """As Entra, with the issuer's format and a name for people, and no address of the subject's format."""
    return entra().replace(f' Format="{EMAIL}"', "").replace("_f2a", "_3f0e9b6c").replace("_c1d", "_77c1d2aa")


ENTRA = {
    f"{MICROSOFT}identity/claims/tenantid": ("1f7c",),
    f"{MICROSOFT}identity/claims/objectidentifier": ("9b2d",),
    f"{CLAIMS}emailaddress": ("alice@acme.test",),
    f"{CLAIMS}name": ("alice@acme.test",),
    f"{MICROSOFT}ws/2008/06/identity/claims/groups": ("3c1e", "77aa"),
}
OKTA = {"email": ("alice@acme.test",), "firstName": ("Alice",)}
LISTED = Style(prefixes="xs")
SHAPES = (
    Shape("Entra ID", entra, "assertion", "alice@acme.test", ENTRA),
    Shape("AD FS", adfs, "assertion", "alice@acme.test", ENTRA),
    Shape("Okta", okta, "both", "alice@acme.test", OKTA, LISTED),
    Shape("Google", google, "response", "alice@acme.test", {**OKTA, "phone": ()}, LISTED),
    Shape("Keycloak", keycloak, "both", "G-51f0", {"Role": ("admin", "staff")}),
)
