"""Messages of logout, as a provider writes and signs them."""

import base64
import datetime as dt
import urllib.parse
import zlib
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from lxml import etree

from tests.saml.marks import Style, sign
from tests.saml.said import OURS, RSA_SHA256, SUCCESS, THEIRS, A, P, Signer, at, signer, written

REQUEST = "_ours"


def head(name: str, **given: str | None) -> tuple[str, str]:
    told = {"ID": "_theirs", "Version": "2.0", "IssueInstant": at(), "Destination": OURS + "slo"} | given
    issuer = told.pop("issuer", THEIRS)
    attributes = written({key: value for key, value in told.items() if value is not None})
    begin = f'<p:{name} xmlns:p="{P}" xmlns:a="{A}"{attributes}>'
    return begin + ("" if issuer is None else f"<a:Issuer>{issuer}</a:Issuer>"), f"</p:{name}>"


def request(inside: str | None = None, **given: str | None) -> Any:
    begin, end = head("LogoutRequest", **given)
    named = "<a:NameID>alice</a:NameID><p:SessionIndex>one</p:SessionIndex><p:SessionIndex>two</p:SessionIndex>"
    return etree.fromstring(begin + (named if inside is None else inside) + end)


def answer(status: str = f'<p:StatusCode Value="{SUCCESS}"/>', **given: str | None) -> Any:
    begin, end = head("LogoutResponse", **({"InResponseTo": REQUEST} | given))
    return etree.fromstring(f"{begin}<p:Status>{status}</p:Status>{end}")


def query(root: Any, kind: str = "SAMLRequest", by: Signer | None = None, algorithm: str = RSA_SHA256) -> str:
    """The message by redirect, signed beside it."""
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -15)
    raw = root if isinstance(root, bytes) else etree.tostring(root)
    content = squeezed.compress(raw) + squeezed.flush()
    plain = {kind: base64.b64encode(content).decode(), "RelayState": "/back", "SigAlg": algorithm}
    told = urllib.parse.urlencode(plain)
    key = (by or signer()).key
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = utils.decode_dss_signature(key.sign(told.encode(), ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32) + s.to_bytes(32)
    else:
        signature = key.sign(told.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{told}&{urllib.parse.urlencode({'Signature': base64.b64encode(signature).decode()})}"


def form(root: Any, kind: str = "SAMLRequest", by: Signer | None = None, style: Style | None = None) -> dict[str, str]:
    sign(root, by or signer(), style or Style())
    return {kind: base64.b64encode(etree.tostring(root)).decode(), "RelayState": "/back"}


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
