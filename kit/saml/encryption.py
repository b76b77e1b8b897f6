"""Opening encrypted assertions: RSA-OAEP for the key, AES for the data. Called for signed bytes only.

AES-CBC says by its errors whether a guess at its padding was right. So the caller has verified a signature over the
encrypted bytes before: nobody but the provider can make us decrypt anything.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml.etree import _Element as Element

from kit.saml.checks import Checks
from kit.saml.documents import DS, XENC, A, alone, children, local, parse, text_of
from kit.saml.model import Key

XENC11 = "{http://www.w3.org/2009/xmlenc11#}"
SHA1 = DS[1:-1] + "sha1"
DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {
    # OAEP does not lean on collision resistance, and SHA-1 is its default everywhere.
    SHA1: hashes.SHA1,
    XENC[1:-1] + "sha256": hashes.SHA256,
    XENC[1:-1] + "sha512": hashes.SHA512,
}
MASKS: dict[str, type[hashes.HashAlgorithm]] = {
    XENC11[1:-1] + "mgf1sha1": hashes.SHA1,
    XENC11[1:-1] + "mgf1sha256": hashes.SHA256,
    XENC11[1:-1] + "mgf1sha512": hashes.SHA512,
}
OAEP = frozenset({XENC[1:-1] + "rsa-oaep-mgf1p", XENC11[1:-1] + "rsa-oaep"})
CBC = {f"{XENC[1:-1]}aes{bits}-cbc": bits // 8 for bits in (128, 192, 256)}
GCM = {f"{XENC11[1:-1]}aes{bits}-gcm": bits // 8 for bits in (128, 192, 256)}
# What our metadata asks for, the best first. Some old providers know only the last of each kind.
OFFERED = tuple(
    f"{space[1:-1]}{name}"
    for space, name in (
        (XENC11, "aes256-gcm"),
        (XENC11, "aes128-gcm"),
        (XENC, "aes256-cbc"),
        (XENC, "aes128-cbc"),
        (XENC, "rsa-oaep-mgf1p"),
    )
)
BLOCK, NONCE = 16, 12
MOST_KEYS = 4
DECLARATION = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*<\?xml[^>]*\?>")


def decrypted(encrypted: Element, keys: Sequence[Key], checks: Checks) -> Element:
    """The assertion in an EncryptedAssertion, as a document of its own."""
    data = _only(encrypted, XENC + "EncryptedData", checks)
    cipher = _algorithm(data, {**CBC, **GCM}, checks)
    content, wrapped = _value(data, checks), list(_wrapped(encrypted, data, checks))
    if not 1 <= len(wrapped) <= MOST_KEYS:
        checks.refuse("encryption_shape", f"{len(wrapped)} EncryptedKey")
    tried = (_opened(key, secret, oaep, cipher, content) for key in keys for secret, oaep in wrapped)
    plain = next((found for found in tried if found is not None), None)
    if plain is None:
        checks.refuse("decryption")
    checks.need("decryption", ok=True, seen=cipher.rpartition("#")[2])
    return _read(plain, encrypted, checks)


def _only(element: Element, tag: str, checks: Checks) -> Element:
    found = element.findall(tag)
    if len(found) != 1:
        checks.refuse("encryption_shape", f"{len(found)} {tag.rpartition('}')[2]}")
    return found[0]


def _algorithm(element: Element, allowed: dict[str, int] | frozenset[str], checks: Checks) -> str:
    name = _only(element, XENC + "EncryptionMethod", checks).get("Algorithm", "")
    if name not in allowed:
        checks.refuse("encryption_algorithm", name)
    return name


def _value(element: Element, checks: Checks) -> bytes:
    value = _only(_only(element, XENC + "CipherData", checks), XENC + "CipherValue", checks)
    try:
        return base64.b64decode("".join(text_of(value).split()), validate=True)
    except (binascii.Error, ValueError):
        checks.refuse("encryption_shape", "CipherValue")


def _wrapped(encrypted: Element, data: Element, checks: Checks) -> Iterator[tuple[bytes, padding.OAEP]]:
    """The keys of the data, which stand within it or beside it, and how each is wrapped."""
    inside = data.findall(f"{DS}KeyInfo/{XENC}EncryptedKey")
    for element in [*inside, *encrypted.findall(XENC + "EncryptedKey")]:
        name = _algorithm(element, OAEP, checks)
        yield _value(element, checks), _oaep(_only(element, XENC + "EncryptionMethod", checks), name, checks)


def _oaep(method: Element, name: str, checks: Checks) -> padding.OAEP:
    digest, mask = SHA1, XENC11[1:-1] + "mgf1sha1"
    for child in children(method):
        if child.tag == DS + "DigestMethod":
            digest = child.get("Algorithm", "")
        elif child.tag == XENC11 + "MGF" and name.endswith("#rsa-oaep"):
            mask = child.get("Algorithm", "")
        else:
            checks.refuse("encryption_shape", local(child))
    if digest not in DIGESTS or mask not in MASKS:
        checks.refuse("encryption_algorithm", mask if digest in DIGESTS else digest)
    return padding.OAEP(padding.MGF1(MASKS[mask]()), DIGESTS[digest](), None)


def _opened(key: Key, secret: bytes, oaep: padding.OAEP, cipher: str, content: bytes) -> bytes | None:
    try:
        opened = key.private.decrypt(secret, oaep)
        if len(opened) != {**CBC, **GCM}[cipher]:
            return None
        if cipher in GCM:
            return AESGCM(opened).decrypt(content[:NONCE], content[NONCE:], None)
        return _cbc(opened, content)
    except (ValueError, InvalidTag):
        return None


def _cbc(secret: bytes, content: bytes) -> bytes | None:
    if len(content) < 2 * BLOCK or len(content) % BLOCK:
        return None
    stream = Cipher(algorithms.AES(secret), modes.CBC(content[:BLOCK])).decryptor()
    plain = stream.update(content[BLOCK:]) + stream.finalize()
    # XML encryption fills up with anything; only the last byte says how much.
    return plain[: -plain[-1]] if 1 <= plain[-1] <= BLOCK else None


def _read(plain: bytes, encrypted: Element, checks: Checks) -> Element:
    """The decrypted element as if it stood where the encrypted one did: some providers count on its namespaces."""
    names = "".join(
        f' xmlns{":" + prefix if prefix else ""}="{uri}"'
        for prefix, uri in encrypted.nsmap.items()
        if not set(uri) & set('"<&')
    )
    framed = f"<frame{names}>".encode() + DECLARATION.sub(b"", plain, count=1) + b"</frame>"
    found = children(parse(framed, checks))
    if [child.tag for child in found] != [A + "Assertion"]:
        checks.refuse("assertions", ", ".join(map(local, found)) or "0")
    return alone(found[0], checks)
