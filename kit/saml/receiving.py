"""Messages of a provider at the logout address: by redirect or by form, and always signed."""

import datetime as dt
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from lxml.etree import _Element as Element

from kit.saml.certificates import current
from kit.saml.checks import Checks
from kit.saml.documents import decoded, inflated, local, parse, survey
from kit.saml.signatures import is_signed, verified

MORE = "http://www.w3.org/2001/04/xmldsig-more#"
RSA: dict[str, hashes.HashAlgorithm] = {
    MORE + "rsa-sha256": hashes.SHA256(),
    MORE + "rsa-sha384": hashes.SHA384(),
    MORE + "rsa-sha512": hashes.SHA512(),
}
ECDSA: dict[str, hashes.HashAlgorithm] = {
    MORE + "ecdsa-sha256": hashes.SHA256(),
    MORE + "ecdsa-sha384": hashes.SHA384(),
    MORE + "ecdsa-sha512": hashes.SHA512(),
}
FIELDS = frozenset({"SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature"})


@dataclass(frozen=True)
class Received:
    """A message by redirect (`query`, the query string as it came) or by form (`form`, its fields)."""

    query: str = ""
    form: Mapping[str, str] | None = None

    @property
    def fields(self) -> Mapping[str, str]:
        """The decoded fields; of a repeated one, the last."""
        return dict(urllib.parse.parse_qsl(self.query)) if self.form is None else self.form

    def read(self, kind: str, tag: str, certificates: Sequence[bytes], now: dt.datetime, checks: Checks) -> Element:
        """The `tag` that came as `kind` (SAMLRequest or SAMLResponse), once its signature holds."""
        if self.form is not None:
            root = parse(decoded(self.form.get(kind, ""), checks), checks)
            _need_message(root, tag, checks)
            checks.need("signature_required", is_signed(root), local(root))
            return verified(root, certificates, now, checks)
        raw = _raw(self.query, kind, checks)
        _need_signature(raw, kind, certificates, now, checks)
        root = parse(inflated(decoded(urllib.parse.unquote_plus(raw[kind]), checks), checks), checks)
        _need_message(root, tag, checks)
        return root


def _need_message(root: Element, tag: str, checks: Checks) -> None:
    checks.need("root", root.tag == tag, local(root), tag.rpartition("}")[2])
    survey(root, checks)


def _raw(query: str, kind: str, checks: Checks) -> dict[str, str]:
    """The fields as they were encoded by the sender: these are the bytes that were signed."""
    found: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        plain = urllib.parse.unquote_plus(name)
        if plain in FIELDS:
            checks.need("query", plain == name and plain not in found, plain)
            found[plain] = value
    checks.need("query", kind in found and not {"SAMLRequest", "SAMLResponse"} <= set(found), kind)
    return found


def _need_signature(
    raw: dict[str, str], kind: str, certificates: Sequence[bytes], now: dt.datetime, checks: Checks
) -> None:
    """The signature beside the message covers it, its relay state and the name of its own algorithm."""
    checks.need("signature_required", "Signature" in raw, kind)
    algorithm = urllib.parse.unquote_plus(raw.get("SigAlg", ""))
    checks.need("signature_algorithm", algorithm in {**RSA, **ECDSA}, algorithm, "SHA-256")
    signed = "&".join(f"{name}={raw[name]}" for name in (kind, "RelayState", "SigAlg") if name in raw).encode()
    signature = decoded(urllib.parse.unquote_plus(raw["Signature"]), checks)
    valid = current(certificates, now, checks)
    ok = any(_holds(certificate, algorithm, signature, signed) for certificate in valid)
    checks.need("signature_key", ok, "none", f"{len(valid)} certificates")


def _holds(certificate: x509.Certificate, algorithm: str, signature: bytes, signed: bytes) -> bool:
    key = certificate.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey) and algorithm in RSA:
            key.verify(signature, signed, padding.PKCS1v15(), RSA[algorithm])
            return True
        if isinstance(key, ec.EllipticCurvePublicKey) and algorithm in ECDSA:
            half = (key.key_size + 7) // 8
            numbers = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
            key.verify(utils.encode_dss_signature(*numbers), signed, ec.ECDSA(ECDSA[algorithm]))
            return len(signature) == 2 * half
    except InvalidSignature:
        return False
    return False
