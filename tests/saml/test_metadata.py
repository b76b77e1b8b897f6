"""Reading a provider's metadata: each mistake is named with its cure. Making ours: others can read it."""

import base64
import datetime as dt
import warnings
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from lxml import etree
from saml2.mdstore import InMemoryMetaData

from kit.errors import Refusal
from kit.interface.i18n import translator
from kit.saml import IdentityProvider, Key, fingerprint, metadata_of, read_certificate, read_metadata
from kit.saml.words import WORDS
from tests.saml.entities import MD, entity, key_xml, place
from tests.saml.said import DS, OURS, Signer, make_signer, our_key, signer, sp


def test_a_provider_is_read() -> None:
    both = "".join(
        place("SingleSignOnService", binding, f"https://i/{binding}") for binding in ("HTTP-POST", "HTTP-Redirect")
    )
    slo = place("SingleLogoutService", "HTTP-POST", "https://i/slo")
    keys = key_xml(signer("a").base64) + key_xml(signer("b").base64, None) + key_xml(signer("c").base64, "encryption")
    read = read_metadata(entity(keys=keys + key_xml(signer("a").base64), places=slo + both))
    certificates = (signer("a").der, signer("b").der)
    assert read == IdentityProvider(
        "https://idp.acme.test/",
        "https://i/HTTP-Redirect",
        "redirect",
        "https://i/slo",
        certificates,
        slo_binding="post",
    )


def test_the_only_provider_of_a_list_is_read() -> None:
    one = entity().decode()
    service = metadata_of(sp()).decode().partition("?>")[2]
    listed = f'<EntitiesDescriptor xmlns="{MD}">{service}{one}</EntitiesDescriptor>'.encode()
    assert read_metadata(listed).entity_id == "https://idp.acme.test/"


def test_an_expired_certificate_beside_a_good_one_is_left_out() -> None:
    old = signer("gone", begins=-30, ends=-1)
    assert read_metadata(entity(keys=key_xml(old.base64) + key_xml(signer().base64))).certificates == (signer().der,)


def weak() -> Signer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_signer("weak", rsa.generate_private_key(public_exponent=65537, key_size=1024))  # noqa: S505 - it must be weak


def of_another_kind() -> Signer:
    """A kind of key that SAML does not know."""
    return make_signer("dsa", dsa.generate_private_key(2048))


def many() -> bytes:
    return f'<EntitiesDescriptor xmlns="{MD}">{entity().decode() * 2}</EntitiesDescriptor>'.encode()


WRONG: dict[str, tuple[str, Any]] = {
    "a service's": ("metadata_of_sp", partial(metadata_of, sp())),
    "a web page": ("metadata_html", lambda: b"<!DOCTYPE html><html><body>Sign in</body></html>"),
    "a web page without a type": ("metadata_html", lambda: b"\n<html>"),
    "another XML": ("metadata_kind", lambda: b"<rss/>"),
    "an entity of another kind": ("metadata_kind", lambda: entity(role="AttributeAuthorityDescriptor")),
    "nothing": ("xml", bytes),
    "JSON": ("xml", lambda: b'{"issuer": "https://idp.acme.test/"}'),
    "cut off": ("xml", lambda: entity()[:-10]),
    "huge": ("too_large", lambda: entity(places="<x/>" * 300_000)),
    "with entities": ("doctype", lambda: b'<!DOCTYPE x [<!ENTITY y "z">]>' + entity()),
    "two providers": ("metadata_many", many),
    "no provider": ("metadata_many", f'<EntitiesDescriptor xmlns="{MD}"/>'.encode),
    "SAML 1.1": ("metadata_protocol", lambda: entity(protocols="urn:oasis:names:tc:SAML:1.1:protocol")),
    "out of date": ("metadata_expired", lambda: entity(head=' validUntil="2020-01-01T00:00:00Z"')),
    "no entity id": ("entity_id", lambda: entity(entity_id=" ")),
    "no address": ("no_sso_address", lambda: entity(places="")),
    "an address by SOAP only": (
        "no_sso_address",
        lambda: entity(places=place("SingleSignOnService", "SOAP", "https://i/")),
    ),
    "an address without TLS": (
        "address",
        lambda: entity(places=place("SingleSignOnService", "HTTP-POST", "http://i/")),
    ),
    "a script as address": (
        "address",
        lambda: entity(places=place("SingleSignOnService", "HTTP-POST", "javascript:alert(1)")),
    ),
    "no certificate": ("no_certificate", lambda: entity(keys="")),
    "a certificate for encryption only": (
        "no_certificate",
        lambda: entity(keys=key_xml(signer().base64, "encryption")),
    ),
    "an expired certificate": (
        "certificate_expired",
        lambda: entity(keys=key_xml(signer("gone", begins=-30, ends=-1).base64)),
    ),
    "a certificate of tomorrow": ("certificate_not_yet", lambda: entity(keys=key_xml(signer("soon", begins=1).base64))),
    "garbage as certificate": ("certificate_unreadable", lambda: entity(keys=key_xml("QUJD"))),
    "text as certificate": ("certificate_unreadable", lambda: entity(keys=key_xml("not base64!"))),
    "a weak key": ("certificate_weak", lambda: entity(keys=key_xml(weak().base64))),
    "a key of another kind": ("certificate_weak", lambda: entity(keys=key_xml(of_another_kind().base64))),
    "nine certificates": (
        "certificates_many",
        lambda: entity(keys="".join(key_xml(signer(f"ec{n}").base64) for n in range(9))),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_metadata_is_refused_with_its_cure(name: str) -> None:
    check, make = WRONG[name]
    with pytest.raises(Refusal) as refused:
        read_metadata(make())
    assert refused.value.code == f"saml_{check}"
    assert refused.value.message == WORDS[check]
    french = translator("fr").words(refused.value)
    assert french != str(refused.value)
    assert "{" not in french


@pytest.mark.parametrize("form", ["der", "pem", "base64", "lines"])
def test_a_certificate_is_read_as_people_copy_it(form: str) -> None:
    one = signer()
    given = {
        "der": one.der,
        "pem": f"Bag Attributes\n{one.pem}",
        "base64": one.base64,
        "lines": base64.encodebytes(one.der).decode(),
    }
    assert read_certificate(given[form]) == one.der


def test_a_fingerprint_is_as_others_show_it() -> None:
    whole = signer().certificate.fingerprint(hashes.SHA256()).hex(":").upper()
    assert whole.startswith(fingerprint(signer().der))


def test_our_metadata_names_keys_in_use_and_announced() -> None:
    following = Key.new("following")
    ours = sp(our_key(), our_key("second"))
    root = etree.fromstring(metadata_of(replace(ours, announced=(following.certificate,))))
    assert keys_of(root, "signing") == [our_key().certificate, our_key("second").certificate, following.certificate]
    assert keys_of(root, "encryption") == [our_key().certificate]


def keys_of(root: Any, use: str) -> list[bytes]:
    found = root.iterfind(f".//{{{MD}}}KeyDescriptor[@use='{use}']//{{{DS}}}X509Certificate")
    return [base64.b64decode(element.text) for element in found]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_another_library_reads_our_metadata() -> None:
    store = InMemoryMetaData(None, metadata_of(sp()).decode())
    store.load()
    assert list(store.keys()) == [OURS + "metadata"]
    services = store.service(OURS + "metadata", "spsso_descriptor", "assertion_consumer_service")
    assert [s["location"] for binding in services.values() for s in binding] == [OURS + "acs"]


def test_a_key_shows_no_secret_and_comes_back_from_what_is_stored() -> None:
    key = Key.new("x" * 100)
    assert "private" not in repr(key).replace("private_der", "")
    assert key.private_der.hex() not in repr(key)
    assert Key.from_der(key.certificate, key.private_der).private_der == key.private_der
    ends = x509.load_der_x509_certificate(key.certificate).not_valid_after_utc
    assert ends > dt.datetime.now(dt.UTC) + dt.timedelta(days=3000)
