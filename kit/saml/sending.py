"""Messages of ours on their way: by redirect (deflated, signed beside) or by a form (signed inside)."""

import base64
import urllib.parse
import zlib

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree
from lxml.etree import _Element as Element

from kit.saml.documents import DS
from kit.saml.model import Form, Key, Redirect, SsoBinding
from kit.saml.signatures import sign

POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"


def send(
    message: Element, kind: str, url: str, binding: SsoBinding, *, relay_state: str, key: Key | None
) -> Redirect | Form:
    """`message` as `kind` (SAMLRequest or SAMLResponse) to `url`, signed by `key` where there is one."""
    if binding == "redirect":
        return Redirect(_redirect(message, kind, url, relay_state, key))
    if key is not None:
        # The schema wants it right after the issuer.
        message.insert(1, etree.Element(DS + "Signature", Id="placeholder", nsmap={"ds": DS[1:-1]}))
        message = sign(message, key)
    fields = {kind: base64.b64encode(etree.tostring(message)).decode()}
    return Form(url, fields | ({"RelayState": relay_state} if relay_state else {}))


def _redirect(message: Element, kind: str, url: str, relay_state: str, key: Key | None) -> str:
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = squeezed.compress(etree.tostring(message)) + squeezed.flush()
    fields = {kind: base64.b64encode(content).decode()}
    if relay_state:
        fields["RelayState"] = relay_state
    if key is not None:
        fields["SigAlg"] = RSA_SHA256
    query = urllib.parse.urlencode(fields)
    if key is not None:
        signature = key.private.sign(query.encode(), padding.PKCS1v15(), hashes.SHA256())
        query += "&" + urllib.parse.urlencode({"Signature": base64.b64encode(signature).decode()})
    return url + ("&" if "?" in url else "?") + query
