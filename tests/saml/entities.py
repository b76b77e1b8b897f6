"""Metadata of providers, as text."""

from typing import Any

from tests.saml.said import DS, P, signer

MD = "urn:oasis:names:tc:SAML:2.0:metadata"
BINDINGS = "urn:oasis:names:tc:SAML:2.0:bindings:"


def key_xml(certificate: str, use: str | None = "signing") -> str:
    told = "" if use is None else f' use="{use}"'
    return (
        f'<KeyDescriptor{told}><ds:KeyInfo xmlns:ds="{DS}"><ds:X509Data><ds:X509Certificate>{certificate}'
        "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>"
    )


def place(name: str, binding: str, url: str) -> str:
    return f'<{name} Binding="{BINDINGS}{binding}" Location="{url}"/>'


def entity(**given: Any) -> bytes:
    """A provider's metadata; `keys`, `places`, `head`, `role`, `entity_id` and `protocols` may be told otherwise."""
    keys = given.get("keys", key_xml(signer().base64))
    sso = place("SingleSignOnService", "HTTP-Redirect", "https://idp.acme.test/sso")
    role, head = given.get("role", "IDPSSODescriptor"), given.get("head", "")
    return (
        f'<EntityDescriptor xmlns="{MD}" entityID="{given.get("entity_id", "https://idp.acme.test/")}"{head}>'
        f'<{role} protocolSupportEnumeration="{given.get("protocols", P)}">{keys}{given.get("places", sso)}</{role}>'
        "</EntityDescriptor>"
    ).encode()
