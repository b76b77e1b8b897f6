"""Metadata: reading a provider's, making our own.

A provider's metadata is believed because an administrator brought it or named its https address; a signature over it
would say nothing more, for there is no key to check it by.
"""

import base64
import datetime as dt
import urllib.parse
from collections.abc import Iterator

from lxml import etree
from lxml.etree import _Element as Element

from kit.saml.certificates import MOST, current, loaded, read_certificate
from kit.saml.checks import Checks
from kit.saml.documents import DS, MD, children, local, parse, text_of
from kit.saml.encryption import OFFERED
from kit.saml.model import IdentityProvider, ServiceProvider, SsoBinding
from kit.saml.sending import POST, REDIRECT
from kit.saml.times import moment, written

LARGEST = 1024 * 1024
LONGEST_ENTITY = 1024
PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
FORMATS = (
    "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
    "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
    "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
)
BINDINGS: dict[str, SsoBinding] = {REDIRECT: "redirect", POST: "post"}


def read_metadata(xml: bytes, now: dt.datetime | None = None) -> IdentityProvider:
    """The provider that this metadata describes. `Refusal` names what is wrong with it and the cure."""
    checks, now = Checks(), now or dt.datetime.now(dt.UTC)
    checks.need("metadata_html", not _is_page(xml))
    entity = _entity(parse(xml, checks, LARGEST), checks)
    descriptor = entity.find(MD + "IDPSSODescriptor")
    if descriptor is None:
        checks.need("metadata_of_sp", entity.find(MD + "SPSSODescriptor") is None)
        checks.refuse("metadata_kind", ", ".join(map(local, children(entity))) or local(entity), "IDPSSODescriptor")
    protocols = descriptor.get("protocolSupportEnumeration", "").split()
    checks.need("metadata_protocol", PROTOCOL in protocols)
    for element in (entity, descriptor):
        _need_valid(element, now, checks)
    entity_id = entity.get("entityID", "").strip()
    checks.need("entity_id", 0 < len(entity_id) <= LONGEST_ENTITY)
    sso, slo = _address(descriptor, "SingleSignOnService"), _address(descriptor, "SingleLogoutService")
    if sso is None:
        checks.refuse("no_sso_address")
    for url, _ in (sso, *([slo] if slo else [])):
        checks.need("address", usable(url), url)
    return IdentityProvider(
        entity_id=entity_id,
        sso_url=sso[0],
        sso_binding=sso[1],
        slo_url=slo[0] if slo else None,
        certificates=_certificates(descriptor, now, checks),
        slo_binding=slo[1] if slo else "redirect",
        wants_signed_requests=descriptor.get("WantAuthnRequestsSigned") in {"true", "1"},
    )


def _is_page(xml: bytes) -> bool:
    head = xml[:2000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return head.startswith((b"<!doctype html", b"<html"))


def _entity(root: Element, checks: Checks) -> Element:
    """The one entity: at the root, or the only provider of a list."""
    if root.tag == MD + "EntitiesDescriptor":
        found = [
            entity for entity in root.iter(MD + "EntityDescriptor") if entity.find(MD + "IDPSSODescriptor") is not None
        ]
        checks.need("metadata_many", len(found) == 1, len(found))
        return found[0]
    checks.need("metadata_kind", root.tag == MD + "EntityDescriptor", local(root), "EntityDescriptor")
    return root


def _need_valid(element: Element, now: dt.datetime, checks: Checks) -> None:
    if element.get("validUntil") is not None:
        end = moment(element.get("validUntil"), checks)
        checks.need("metadata_expired", now < end, written(end))


def _address(descriptor: Element, name: str) -> tuple[str, SsoBinding] | None:
    """Where a service is: by redirect where there is one, else by form."""
    found = {element.get("Binding"): element.get("Location", "").strip() for element in descriptor.findall(MD + name)}
    return next(((found[binding], short) for binding, short in BINDINGS.items() if binding in found), None)


def usable(url: str) -> bool:
    """Whether a browser may be sent there: https, or http on the machine itself."""
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    here = host in {"localhost", "127.0.0.1", "::1"} or host.endswith(".localhost")
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and here)) and url.isprintable()


def _certificates(descriptor: Element, now: dt.datetime, checks: Checks) -> tuple[bytes, ...]:
    """Those for signing that are not expired, the newest last; refused where none is valid today."""
    found = tuple(dict.fromkeys(read_certificate(text, checks) for text in _signing(descriptor)))
    checks.need("certificates_many", len(found) <= MOST, len(found), MOST)
    current(found, now, checks)
    return tuple(der for der in found if loaded(der, checks).not_valid_after_utc >= now)


def _signing(descriptor: Element) -> Iterator[str]:
    for key in descriptor.findall(MD + "KeyDescriptor"):
        if key.get("use", "signing") == "signing":
            for certificate in key.iterfind(f"{DS}KeyInfo/{DS}X509Data/{DS}X509Certificate"):
                yield text_of(certificate)


def metadata_of(sp: ServiceProvider) -> bytes:
    """Our own metadata, for the provider's administrator: addresses, keys in use and keys announced."""
    root = etree.Element(MD + "EntityDescriptor", nsmap={"md": MD[1:-1], "ds": DS[1:-1]}, entityID=sp.entity_id)
    service = etree.SubElement(
        root,
        MD + "SPSSODescriptor",
        AuthnRequestsSigned="true",
        WantAssertionsSigned="true",
        protocolSupportEnumeration=PROTOCOL,
    )
    for certificate in dict.fromkeys((*(key.certificate for key in sp.keys), *sp.announced)):
        _key(service, "signing", certificate)
    # Only what the first key opens is asked for; the others go on opening what is under way.
    encryption = _key(service, "encryption", sp.keys[0].certificate)
    for algorithm in OFFERED:
        etree.SubElement(encryption, MD + "EncryptionMethod", Algorithm=algorithm)
    for binding in BINDINGS:
        etree.SubElement(service, MD + "SingleLogoutService", Binding=binding, Location=sp.slo_url)
    for form in FORMATS:
        etree.SubElement(service, MD + "NameIDFormat").text = form
    acs = {"Binding": POST, "Location": sp.acs_url, "index": "0", "isDefault": "true"}
    etree.SubElement(service, MD + "AssertionConsumerService", acs)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _key(service: Element, use: str, certificate: bytes) -> Element:
    descriptor = etree.SubElement(service, MD + "KeyDescriptor", use=use)
    data = etree.SubElement(etree.SubElement(descriptor, DS + "KeyInfo"), DS + "X509Data")
    etree.SubElement(data, DS + "X509Certificate").text = base64.b64encode(certificate).decode()
    return descriptor
