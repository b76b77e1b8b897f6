"""A checker as it is written too often: any good signature will do, then the first assertion is read."""

import base64
import datetime as dt
from typing import Any

import xmlsec
from lxml import etree

from tests.saml.forge import Given
from tests.saml.said import NS, A, signer


def naive_subject(given: Given) -> str:
    """Whom the response names, once some signature in it holds. Raises where none does."""
    root = etree.fromstring(base64.b64decode(given.encoded), etree.XMLParser(resolve_entities=True, load_dtd=True))
    xmlsec.tree.add_ids(root, ["ID"])
    signature = root.find(".//ds:Signature", NS)
    if signature is None:
        _need_text(root)
    else:
        _verify(signature)
    assertion = next(root.iter(f"{{{A}}}Assertion"))
    subject: str = assertion.find(".//a:NameID", NS).text
    _need_now(assertion)
    return subject


def _need_text(root: Any) -> None:
    if root.find(".//a:NameID", NS) is None:
        raise ValueError("nobody is named")


def _verify(signature: Any) -> None:
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(signer().pem, xmlsec.KeyFormat.CERT_PEM)
    context.verify(signature)


def _need_now(assertion: Any) -> None:
    end = assertion.find("a:Conditions", NS).get("NotOnOrAfter")
    if dt.datetime.fromisoformat(end) < dt.datetime.now(dt.UTC):
        raise ValueError("expired")
