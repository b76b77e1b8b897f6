"""Certificates of identity providers: a frame around a public key, trusted because an administrator entered it."""

import base64
import binascii
import datetime as dt
import functools
import hashlib
import re
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from kit.saml.checks import Checks
from kit.saml.times import written

LEAST_RSA = 2048
LEAST_CURVE = 256
MOST = 8
PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


def read_certificate(given: str | bytes, checks: Checks | None = None) -> bytes:
    """The DER of a certificate in PEM, bare base64 or DER. Its dates are judged when it is used."""
    checks = checks or Checks()
    der = given if isinstance(given, bytes) and given[:1] == b"\x30" else _from_text(given, checks)
    certificate = loaded(der, checks)
    strong, what = _strength(certificate)
    checks.need("certificate_weak", strong, what, LEAST_RSA)
    return certificate.public_bytes(Encoding.DER)


def _from_text(given: str | bytes, checks: Checks) -> bytes:
    text = given.decode("ascii", "replace") if isinstance(given, bytes) else given
    framed = PEM.search(text)
    try:
        return base64.b64decode("".join((framed.group(1) if framed else text).split()), validate=True)
    except (binascii.Error, ValueError):
        checks.refuse("certificate_unreadable")


def _strength(certificate: x509.Certificate) -> tuple[bool, str]:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= LEAST_RSA and key.public_numbers().e > 2, f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.key_size >= LEAST_CURVE, f"EC {key.key_size}"
    return False, type(key).__name__.removesuffix("PublicKey").strip("_")


@functools.lru_cache(maxsize=4096)
def _load(der: bytes) -> x509.Certificate:
    certificate = x509.load_der_x509_certificate(der)
    # These are read when they are asked for: what cannot be read shall show here.
    certificate.public_key()
    if certificate.not_valid_before_utc > certificate.not_valid_after_utc:
        raise ValueError("it ends before it begins")
    return certificate


def loaded(der: bytes, checks: Checks) -> x509.Certificate:
    """The certificate of this DER."""
    try:
        return _load(der)
    except (ValueError, UnsupportedAlgorithm):
        checks.refuse("certificate_unreadable")


def current(ders: Sequence[bytes], now: dt.datetime, checks: Checks) -> list[x509.Certificate]:
    """Those that are valid at `now`; refused where none is."""
    checks.need("no_certificate", bool(ders))
    all_of_them = [loaded(der, checks) for der in ders]
    valid = [c for c in all_of_them if c.not_valid_before_utc <= now <= c.not_valid_after_utc]
    if not valid:
        last = max(all_of_them, key=lambda c: c.not_valid_after_utc)
        if last.not_valid_after_utc < now:
            checks.refuse("certificate_expired", written(last.not_valid_after_utc))
        checks.refuse("certificate_not_yet", written(last.not_valid_before_utc))
    return valid


def require_current(ders: Sequence[bytes], now: dt.datetime) -> None:
    """Refuse where none of them is valid at `now`: by such, nobody would ever get in."""
    current(ders, now, Checks())


def fingerprint(der: bytes) -> str:
    """What people compare: the first ten bytes of its SHA-256."""
    return hashlib.sha256(der).digest()[:10].hex(":").upper()
