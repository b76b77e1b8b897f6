"""Signatures inside XML: the plain enveloped one, by a key of the connection, and nothing else.

signxml computes; what a signature may look like is decided here first, so that no transform of a stranger ever runs.
"""

import datetime as dt
import logging
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml.etree import _Element as Element
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.exceptions import InvalidDigest
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from kit.saml.certificates import current, fingerprint, read_certificate
from kit.saml.checks import Checks
from kit.saml.documents import DS, PARSER, alone, children, local, text_of
from kit.saml.model import Key

# It prints what it canonicalises: people's names.
logging.getLogger("signxml").setLevel(logging.INFO)

EXCLUSIVE = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
ENVELOPED = SignatureConstructionMethod.enveloped.value
METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)
DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
METHOD_NAMES = frozenset(method.value for method in METHODS)
DIGEST_NAMES = frozenset(digest.value for digest in DIGESTS)
# The signature's own frame may be canonicalised with the namespaces around it: some providers do.
FRAME_NAMES = frozenset({EXCLUSIVE.value, CanonicalizationMethod.CANONICAL_XML_1_0.value})
INCLUSIVE = "{http://www.w3.org/2001/10/xml-exc-c14n#}InclusiveNamespaces"
LONGEST_PREFIXES = 512

FRAME = ("SignedInfo", "SignatureValue")
INFO = ("CanonicalizationMethod", "SignatureMethod", "Reference")
REFERENCE = ("Transforms", "DigestMethod", "DigestValue")


def is_signed(element: Element) -> bool:
    """Whether a signature stands directly in `element`. Only `verified` says whether it is good."""
    return element.find(DS + "Signature") is not None


def verified(element: Element, certificates: Sequence[bytes], now: dt.datetime, checks: Checks) -> Element:
    """What the signature of `element` covers, read anew from the very bytes that were signed: `element` without it."""
    # A document of its own: nothing outside of it can be referred to.
    element = alone(element, checks)
    signature = _signature(element, checks)
    signed = _by_one_of(element, signature, current(certificates, now, checks), now, checks)
    if signed is None or signed.tag != element.tag or signed.get("ID") != element.get("ID"):
        checks.refuse("signature_reference", "" if signed is None else local(signed), local(element))
    return signed


def _signature(element: Element, checks: Checks) -> Element:
    """The one signature of `element`, whose form is as plain as it must be."""
    found = element.findall(DS + "Signature")
    checks.need("signature_shape", len(found) == 1, f"{len(found)} signatures", "1 signature")
    signature = found[0]
    parts = _parts(signature, FRAME, checks, more="KeyInfo")
    method, reference = _info(parts[0], checks)
    _need_algorithm(method, METHOD_NAMES, checks)
    _need_leaf(parts[1], checks)
    _need_reference(reference, element, checks)
    return signature


def _parts(element: Element, names: tuple[str, ...], checks: Checks, more: str | None = None) -> list[Element]:
    """The children of an element of a signature: just these, in this order, perhaps followed by one `more`."""
    found = children(element)
    tags = [child.tag for child in found]
    wanted = [DS + name for name in names]
    if tags != wanted and (more is None or tags != [*wanted, DS + more]):
        checks.refuse("signature_shape", ", ".join(map(local, found)) or local(element), ", ".join(names))
    return found


def _need_leaf(element: Element, checks: Checks) -> None:
    checks.need("signature_shape", len(element) == 0, local(element), "text")


def _need_algorithm(element: Element, allowed: frozenset[str], checks: Checks) -> None:
    name = element.get("Algorithm", "")
    checks.need("signature_algorithm", name in allowed, name, "SHA-256")
    _need_leaf(element, checks)


def _info(info: Element, checks: Checks) -> tuple[Element, Element]:
    canonical, method, reference = _parts(info, INFO, checks)
    name = canonical.get("Algorithm", "")
    checks.need("signature_transform", name in FRAME_NAMES, name, EXCLUSIVE.value)
    _need_prefixes(canonical, checks)
    return method, reference


def _need_reference(reference: Element, element: Element, checks: Checks) -> None:
    transforms, digest, value = _parts(reference, REFERENCE, checks)
    wanted = "#" + element.get("ID", "")
    checks.need("signature_reference", reference.get("URI") == wanted != "#", reference.get("URI"), wanted)
    _need_algorithm(digest, DIGEST_NAMES, checks)
    _need_leaf(value, checks)
    checks.need("signature_shape", bool(text_of(value)), "DigestValue", "text")
    _need_transforms(transforms, checks)


def _need_transforms(transforms: Element, checks: Checks) -> None:
    found = children(transforms)
    names = [child.get("Algorithm", "") for child in found]
    for name in names:
        checks.need("signature_transform", name in {ENVELOPED, EXCLUSIVE.value}, name, EXCLUSIVE.value)
    plain = names == [ENVELOPED, EXCLUSIVE.value] and {child.tag for child in found} == {DS + "Transform"}
    checks.need("signature_shape", plain, f"{len(names)} transforms", "enveloped-signature, exclusive c14n")
    _need_leaf(found[0], checks)
    _need_prefixes(found[1], checks)


def _need_prefixes(canonical: Element, checks: Checks) -> None:
    """Below a canonicalisation, at most a list of prefixes that it keeps."""
    for child in children(canonical):
        plain = child.tag == INCLUSIVE and not len(child) and len(child.get("PrefixList", "")) <= LONGEST_PREFIXES
        checks.need("signature_shape", plain and len(canonical) == 1, local(child), "InclusiveNamespaces")


def _by_one_of(
    element: Element, signature: Element, certificates: Sequence[x509.Certificate], now: dt.datetime, checks: Checks
) -> Element | None:
    how = SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=METHODS,
        digest_algorithms=DIGESTS,
        ignore_ambiguous_key_info=True,
        verification_time=now,
        default_reference_c14n_method=EXCLUSIVE,
    )
    prints = [fingerprint(certificate.public_bytes(Encoding.DER)) for certificate in certificates]
    results = (_by(certificate, element, how, checks) for certificate in certificates)
    good = next(((result, name) for result, name in zip(results, prints, strict=False) if result is not None), None)
    if good is None:
        checks.refuse("signature_key", _named_key(signature), ", ".join(prints))
    checks.need("signature_key", ok=True, seen=good[1], wanted=", ".join(prints))
    return good[0].signed_xml


def _by(
    certificate: x509.Certificate, element: Element, how: SignatureConfiguration, checks: Checks
) -> VerifyResult | None:
    try:
        result = XMLVerifier().verify(
            element, x509_cert=certificate, expect_config=how, id_attribute="ID", parser=PARSER, validate_schema=False
        )
    except InvalidDigest:
        # The signature itself is good, so no other key can be meant.
        checks.refuse("signature_content")
    except Exception:  # noqa: BLE001 - whatever breaks on hostile bytes is a signature that does not hold
        return None
    return result if isinstance(result, VerifyResult) else None


def _named_key(signature: Element) -> str:
    """The certificate that a signature names: to find a mistake by, never to trust."""
    found = signature.find(f"{DS}KeyInfo/{DS}X509Data/{DS}X509Certificate")
    if found is None:
        return "none"
    try:
        return fingerprint(read_certificate(text_of(found)))
    except Exception:  # noqa: BLE001 - it is a hint only
        return "unreadable"


def sign(element: Element, key: Key) -> Element:
    """`element` with our signature where a `Signature` with the id "placeholder" stands."""
    signer = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=EXCLUSIVE,
    )
    signer.namespaces = {"ds": DS[1:-1]}
    certificate = x509.load_der_x509_certificate(key.certificate).public_bytes(Encoding.PEM).decode()
    return signer.sign(
        element, key=key.private, cert=certificate, reference_uri="#" + element.get("ID", ""), id_attribute="ID"
    )
