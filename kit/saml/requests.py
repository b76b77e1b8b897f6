"""Asking an identity provider who somebody is."""

import datetime as dt
import secrets

from lxml import etree
from lxml.etree import _Element as Element

from kit.saml.documents import A, P
from kit.saml.model import Form, IdentityProvider, Redirect, ServiceProvider
from kit.saml.sending import POST, send
from kit.saml.times import written


def new_id() -> str:
    """An id for a message: unguessable, and a valid XML id."""
    return "_" + secrets.token_hex(20)


def ask(
    sp: ServiceProvider,
    idp: IdentityProvider,
    *,
    request_id: str,
    relay_state: str,
    force: bool = False,
    sign: bool = True,
    now: dt.datetime,
) -> Redirect | Form:
    """Send the browser to the provider with an AuthnRequest; `force` asks to prove oneself anew."""
    request = message("AuthnRequest", sp, request_id, idp.sso_url, now)
    request.set("ProtocolBinding", POST)
    request.set("AssertionConsumerServiceURL", sp.acs_url)
    if force:
        request.set("ForceAuthn", "true")
    # No format is asked for: the administrator has chosen one at the provider.
    etree.SubElement(request, P + "NameIDPolicy", AllowCreate="true")
    key = sp.keys[0] if sign else None
    return send(request, "SAMLRequest", idp.sso_url, idp.sso_binding, relay_state=relay_state, key=key)


def message(name: str, sp: ServiceProvider, message_id: str, destination: str, now: dt.datetime) -> Element:
    """A message of ours with its head: id, time, destination and issuer."""
    root = etree.Element(P + name, nsmap={"samlp": P[1:-1], "saml": A[1:-1]})
    root.set("ID", message_id)
    root.set("Version", "2.0")
    root.set("IssueInstant", written(now))
    root.set("Destination", destination)
    etree.SubElement(root, A + "Issuer").text = sp.entity_id
    return root
