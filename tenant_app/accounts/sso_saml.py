"""One SAML connection in our own terms: who we are to it, whom it trusts, and what its assertions say of a person."""

import base64
from functools import lru_cache
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from kit import saml
from kit.vault import Vault
from tenant_app.accounts.sso_said import Said, bounded
from tenant_app.accounts.sso_traces import Trail
from tenant_app.contract import SignInConnection, seal_purpose

CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
# What providers call things when nobody said otherwise: plain names, Microsoft's, and the LDAP ones.
USUAL = {
    "email": ("email", "mail", "emailaddress", f"{CLAIMS}/emailaddress", "urn:oid:0.9.2342.19200300.100.1.3"),
    "name": (
        *("displayName", "name", "cn", "urn:oid:2.16.840.1.113730.3.1.241"),
        "http://schemas.microsoft.com/identity/claims/displayname",
    ),
    "given_name": ("givenName", "given_name", f"{CLAIMS}/givenname", "urn:oid:2.5.4.42"),
    "family_name": ("sn", "surname", "family_name", f"{CLAIMS}/surname", "urn:oid:2.5.4.4"),
    "groups": ("groups", "memberOf", "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"),
}
EMAIL_FORMAT = ":emailAddress"
# Entra sends this instead of more than 150 groups: where to ask for them.
GROUPS_ELSEWHERE = "http://schemas.microsoft.com/claims/groups.link"


@lru_cache(maxsize=512)
def _private(plain: str) -> RSAPrivateKey:
    pem = plain.startswith("-----BEGIN")
    key: Any = (
        load_pem_private_key(plain.encode(), None) if pem else load_der_private_key(base64.b64decode(plain), None)
    )
    assert isinstance(key, RSAPrivateKey)
    return key


@lru_cache(maxsize=512)
def _key(seals: Vault, connection_id: UUID, certificate: str, sealed: str) -> saml.Key:
    # Opening and reading an RSA key costs more than checking a response: each is read once.
    return saml.Key(base64.b64decode(certificate), _private(seals.open(sealed, seal_purpose(connection_id))))


def service_provider(connection: SignInConnection, origin: str, seals: Vault) -> saml.ServiceProvider:
    """Ourselves for this connection, at this workspace's address."""
    base = f"{origin}/saml/{connection.id}"
    keys = connection.settings.get("keys", ())
    return saml.ServiceProvider(
        entity_id=f"{base}/metadata",
        acs_url=f"{base}/acs",
        slo_url=f"{base}/slo",
        keys=tuple(_key(seals, connection.id, one["certificate"], one["key_sealed"]) for one in keys),
    )


def identity_provider(connection: SignInConnection) -> saml.IdentityProvider:
    """Whom it trusts: keys come from the record, never from a message."""
    told = connection.settings
    return saml.IdentityProvider(
        entity_id=told["entity_id"],
        sso_url=told["sso_url"],
        sso_binding="post" if told.get("sso_binding") == "post" else "redirect",
        slo_url=told.get("slo_url"),
        slo_binding="post" if told.get("slo_binding") == "post" else "redirect",
        certificates=tuple(base64.b64decode(one) for one in told.get("certificates", ())),
    )


def said(connection: SignInConnection, assertion: saml.Assertion, trail: Trail) -> Said:
    """What an assertion says of a person."""
    mapped = tuple(connection.attributes.values())
    usual = () if mapped else tuple(name for names in USUAL.values() for name in names)
    trail.claimed(assertion.subject, assertion.attributes, (*mapped, *usual))
    subject = _subject(connection, assertion)
    email = _first(connection, assertion, "email")
    if not email and "email" not in connection.attributes and (assertion.subject_format or "").endswith(EMAIL_FORMAT):
        email = assertion.subject
    index, groups = assertion.session_index, _values(connection, assertion, "groups")
    return Said(
        subject=subject,
        email=email,
        name=_first(connection, assertion, "name")
        or f"{_first(connection, assertion, 'given_name')} {_first(connection, assertion, 'family_name')}".strip(),
        groups=bounded(connection, groups),
        groups_left_out=not groups and GROUPS_ELSEWHERE in assertion.attributes,
        session=index[:255] if index else None,
        data={"name_id": assertion.subject, "format": assertion.subject_format, "index": index},
        until=assertion.session_not_on_or_after,
        proved_at=assertion.authenticated_at,
    )


def _subject(connection: SignInConnection, assertion: saml.Assertion) -> str:
    """The key of trust: the NameID, or the attribute that the connection names instead."""
    named = connection.attributes.get("subject")
    return next(iter(assertion.attributes.get(named, ())), "") if named else assertion.subject


def _values(connection: SignInConnection, assertion: saml.Assertion, ours: str) -> tuple[str, ...]:
    names = (connection.attributes[ours],) if ours in connection.attributes else USUAL[ours]
    return next((found for name in names if (found := assertion.attributes.get(name))), ())


def _first(connection: SignInConnection, assertion: saml.Assertion, ours: str) -> str:
    return next(iter(_values(connection, assertion, ours)), "")
