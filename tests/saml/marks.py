"""Signatures and encryption made byte by byte, rightly or wrongly, with lxml and cryptography only."""

import base64
import hashlib
import hmac
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree

from tests.saml.said import DS, ENVELOPED, EXCLUSIVE, INCLUSIVE, NS, RSA_SHA256, SHA256, XENC, A, Signer, signer


@dataclass(frozen=True)
class Style:
    """How a signature is made; each field may be wrong on purpose."""

    method: str = RSA_SHA256
    digest: str = SHA256
    transforms: Sequence[str] = (ENVELOPED, EXCLUSIVE)
    frame: str = EXCLUSIVE
    prefixes: str | None = None
    uri: str | None = None
    key_info: str | None = None
    in_method: str = ""
    in_transform: str = ""
    references: int = 1
    more: str = ""
    digest_value: str | None = None
    secret: bytes | None = None


PLAIN = Style()


class Witness:
    """Whoever wants to know what was signed, and what was encrypted into which text."""

    def signed(self, by: Signer, content: bytes, value: str) -> None:
        """`by` signed these canonical bytes with this SignatureValue."""

    def sealed(self, text: str, plain: bytes) -> None:
        """This CipherValue holds these bytes."""


WITNESSES: list[Witness] = []


def canonical(element: Any, *, exclusive: bool = True, prefixes: str | None = None) -> bytes:
    alone = etree.fromstring(etree.tostring(element, with_tail=False))
    kept = prefixes.split() if prefixes else None
    return etree.tostring(alone, method="c14n", exclusive=exclusive, with_comments=False, inclusive_ns_prefixes=kept)


def sign(element: Any, by: Signer, style: Style = PLAIN, position: int = 1) -> Any:
    """Put an enveloped signature over `element` into it; gives the signature."""
    exclusive = INCLUSIVE not in style.transforms
    content = canonical(element, exclusive=exclusive, prefixes=style.prefixes)
    algorithm = {"1": "sha1", "6": "sha256", "4": "sha384", "2": "sha512", "5": "md5"}[style.digest[-1]]
    digest = base64.b64encode(hashlib.new(algorithm, content).digest()).decode()
    signature = etree.fromstring(
        _signature(element, digest if style.digest_value is None else style.digest_value, style, by)
    )
    element.insert(position, signature)
    info = signature.find("ds:SignedInfo", NS)
    value = base64.b64encode(_value(canonical(info, exclusive=style.frame == EXCLUSIVE), by, style)).decode()
    signature.find("ds:SignatureValue", NS).text = value
    for witness in WITNESSES:
        witness.signed(by, content, value)
    return signature


def _signature(element: Any, digest: str, style: Style, by: Signer) -> str:
    kept = (
        ""
        if style.prefixes is None
        else f'<ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE}" PrefixList="{style.prefixes}"/>'
    )
    transforms = "".join(
        f'<ds:Transform Algorithm="{name}">{kept if name == EXCLUSIVE else ""}{style.in_transform}</ds:Transform>'
        for name in style.transforms
    )
    uri = "#" + element.get("ID", "") if style.uri is None else style.uri
    reference = (
        f'<ds:Reference URI="{uri}"><ds:Transforms>{transforms}</ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{style.digest}"/>'
        f"<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>"
    )
    key_info = style.key_info
    if key_info is None:
        key_info = (
            f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{by.base64}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        )
    return (
        f'<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{style.frame}"/>'
        f'<ds:SignatureMethod Algorithm="{style.method}">{style.in_method}</ds:SignatureMethod>'
        f"{reference * style.references}</ds:SignedInfo><ds:SignatureValue/>{key_info}{style.more}</ds:Signature>"
    )


def _value(info: bytes, by: Signer, style: Style) -> bytes:
    if style.secret is not None:
        return hmac.digest(style.secret, info, "sha256")
    digest = {"1": hashes.SHA1, "6": hashes.SHA256, "4": hashes.SHA384, "2": hashes.SHA512, "5": hashes.MD5}
    kind = digest.get(style.method[-1:], hashes.SHA256)()
    if isinstance(by.key, ec.EllipticCurvePrivateKey):
        r, s = utils.decode_dss_signature(by.key.sign(info, ec.ECDSA(kind)))
        return r.to_bytes(32) + s.to_bytes(32)
    return bytes(by.key.sign(info, rsa_padding.PKCS1v15(), kind))


@dataclass(frozen=True)
class Sealing:
    """How an assertion is encrypted; each field may be wrong on purpose."""

    cipher: str = XENC + "aes128-cbc"
    wrap: str = XENC + "rsa-oaep-mgf1p"
    wrap_more: str = ""
    digest: type[hashes.HashAlgorithm] = hashes.SHA1
    mask: type[hashes.HashAlgorithm] = hashes.SHA1
    to: str = "ours"
    keys: int = 1
    beside: bool = False
    change: Callable[[bytes], bytes] = bytes
    plain: Callable[[bytes], bytes] = bytes


def encrypted_xml(plain: bytes, how: Sealing) -> str:
    bits = int("".join(c for c in how.cipher.rpartition("#")[2] if c.isdigit()) or 128)
    secret = os.urandom(24 if "tripledes" in how.cipher else bits // 8)
    content = base64.b64encode(how.change(_encrypted(how.plain(plain), secret, how.cipher))).decode()
    for witness in WITNESSES:
        witness.sealed(content, how.plain(plain))
    public = signer(how.to).key.public_key()
    if how.wrap.endswith("rsa-1_5"):
        wrapped = public.encrypt(secret, rsa_padding.PKCS1v15())
    else:
        wrapped = public.encrypt(secret, rsa_padding.OAEP(rsa_padding.MGF1(how.mask()), how.digest(), None))
    key = (
        f'<x:EncryptedKey xmlns:x="{XENC}" xmlns:ds="{DS}"><x:EncryptionMethod Algorithm="{how.wrap}">{how.wrap_more}'
        f"</x:EncryptionMethod><x:CipherData><x:CipherValue>{base64.b64encode(wrapped).decode()}</x:CipherValue>"
        "</x:CipherData></x:EncryptedKey>"
    ) * how.keys
    inside = "" if how.beside else f'<ds:KeyInfo xmlns:ds="{DS}">{key}</ds:KeyInfo>'
    return (
        f'<a:EncryptedAssertion xmlns:a="{A}"><x:EncryptedData xmlns:x="{XENC}" Type="{XENC}Element">'
        f'<x:EncryptionMethod Algorithm="{how.cipher}"/>{inside}<x:CipherData><x:CipherValue>{content}</x:CipherValue>'
        f"</x:CipherData></x:EncryptedData>{key if how.beside else ''}</a:EncryptedAssertion>"
    )


def _encrypted(plain: bytes, secret: bytes, cipher: str) -> bytes:
    if cipher.endswith("-gcm"):
        nonce = os.urandom(12)
        return nonce + AESGCM(secret).encrypt(nonce, plain, None)
    if "tripledes" in cipher:
        return os.urandom(8 + (len(plain) // 8 + 1) * 8)
    filler = padding.PKCS7(128).padder()
    start = os.urandom(16)
    stream = Cipher(algorithms.AES(secret), modes.CBC(start)).encryptor()
    return start + stream.update(filler.update(plain) + filler.finalize()) + stream.finalize()
