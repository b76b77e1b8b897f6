"""Each wrong setting of an identity provider, in the whole product: the message names what came, the cure."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.saml.said import at, signer
from tests.sso.providers import Paper, asked_in, paper
from tests.world.product import Product

ADDRESS = "mauvais-reglages"
METADATA = """<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"
 xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="{entity_id}"><md:{part}
 protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:KeyDescriptor use="signing"><ds:KeyInfo>
<ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
<md:{service} Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-{binding}" Location="https://idp.provider.test/x"
 index="0"/></md:{part}></md:EntityDescriptor>"""


def metadata(certificate: str, *, ours: bool = False) -> str:
    """What a provider says of itself; `ours`: what a service provider would."""
    part, service, binding = (
        ("SPSSODescriptor", "AssertionConsumerService", "POST")
        if ours
        else ("IDPSSODescriptor", "SingleSignOnService", "Redirect")
    )
    return METADATA.format(
        entity_id=paper().entity_id, certificate=certificate, part=part, service=service, binding=binding
    )


@pytest.fixture(scope="module")
def organisation(product: Product) -> str:
    body = {"name": "Ville", "address": ADDRESS, "offer": "team"}
    with product.api() as api:
        made = api.post("/organisations", json=body | {"admin": {"email": "c@reglages.example", "name": "Camille"}})
        assert made.status_code == 202, made.text
        operation = made.json()["operation"]
        while operation["state"] in {"pending", "running"}:
            time.sleep(0.1)
            operation = api.get(f"/operations/{operation['id']}").raise_for_status().json()
    return f"/organisations/{ADDRESS}/connections"


@contextmanager
def site(size: int, drop: float = 0) -> Iterator[str]:
    """The address of a document that has so many bytes and comes one byte every `drop` seconds."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(size))
            self.end_headers()
            try:
                for _ in range(size if drop else 0):
                    self.wfile.write(b" ")
                    time.sleep(drop)
                self.wfile.write(b" " * (0 if drop else size))
            except OSError:
                return

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/metadata"
    finally:
        server.shutdown()
        server.server_close()


ENDED = signer("ended", begins=-30, ends=-3)
GIVEN = {
    "expired certificate": (
        {"metadata_xml": metadata(ENDED.base64)},
        "metadata_xml",
        (r"valid until \d{4}.*Renew it", r"valable jusqu.*\d{4}.*Renouvelez"),
    ),
    "metadata of a service provider": (
        {"metadata_xml": metadata(signer().base64, ours=True)},
        "metadata_xml",
        (r"metadata of a service", r"métadonnées d.un service"),
    ),
    "private address": (
        {"metadata_url": "http://169.254.169.254/metadata"},
        "metadata_url",
        (r"169\.254\.169\.254", r"169\.254\.169\.254"),
    ),
}


def refused(api: httpx.Client, path: str, body: dict[str, Any], language: str) -> dict[str, Any]:
    answer = api.post(path, json={"kind": "saml", "name": "X", **body}, headers={"Accept-Language": language})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-language"] == language
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == answer.status_code == 422, problem
    return problem


@pytest.mark.parametrize("wrong", GIVEN)
def test_what_is_wrong_when_it_is_given_is_told_by_field(product: Product, organisation: str, wrong: str) -> None:
    body, field, words = GIVEN[wrong]
    with product.api() as api:
        for language, expected in zip(("en", "fr"), words, strict=True):
            problem = refused(api, organisation, body, language)
            assert re.search(expected, problem["detail"]), problem
            assert [one["field"] for one in problem["errors"]] == [field]
        assert api.get(organisation).json()["items"] == [], "nothing is half stored"


def test_metadata_that_is_huge_or_never_ends_is_told_by_its_field(product: Product, organisation: str) -> None:
    with product.api() as api, site(2_000_000) as huge, site(1_000, drop=0.5) as slow:
        for language, words in (("en", ("more than", "within")), ("fr", ("plus de", "en 5 secondes"))):
            for url, expected in zip((huge, slow), words, strict=True):
                problem = refused(api, organisation, {"metadata_url": url}, language)
                assert re.search(expected, problem["detail"]), problem
                assert [one["field"] for one in problem["errors"]] == ["metadata_url"]
        assert api.get(organisation).json()["items"] == []


def run(product: Product, path: str, provider: Paper, **said: Any) -> dict[str, Any]:
    """A test run in which the provider says this; its trace in both languages."""
    with product.api() as api, product.client(ADDRESS, headers={"Accept": "text/html"}) as browser:
        asked = asked_in(browser.get(api.post(f"{path}/test").raise_for_status().json()["url"]))
        base = f"{product.url(ADDRESS)}/saml/{path.rsplit('/', 1)[1]}/"
        page = browser.post(f"{base}acs", data=provider.form(base, asked, **said), follow_redirects=True)
        seen = {}
        for language in ("en", "fr"):
            told = api.get(f"{path}/traces", params={"limit": 1}, headers={"Accept-Language": language})
            seen[language] = told.raise_for_status().json()["items"][0]
        failure = seen["en"]["failure"]
        # The page that the administrator sees at once says the same.
        assert failure is None or failure["detail"] in unescape(page.text), page.text
    return seen


Cures = tuple[tuple[str, ...], tuple[str, ...]]
SAID: dict[str, tuple[dict[str, Any], str, Cures]] = {
    "wrong audience": (
        {"audiences": ("https://other.example/m",)},
        "saml_audience",
        (("https://other.example/m", "/metadata", "Enter this"), ("https://other.example/m", "/metadata", "Saisissez")),
    ),
    "mismatched certificate": (
        {"by": "stranger"},
        "saml_signature_key",
        (("The message names", "import its metadata"), ("Le message nomme", "importez")),
    ),
    "clock ahead": (
        {"issued": 900},
        "saml_issue_instant",
        (("was issued at 20", "Set the clock"), ("a été émis à 20", "Réglez l’horloge")),
    ),
    "clock behind": (
        {"not_on_or_after": -900},
        "saml_expired",
        (("valid until 20", "set the clock"), ("valable jusqu’à 20", "réglez l’horloge")),
    ),
    "no e-mail": (
        {"mail": None},
        "sso_email_missing",
        (("sent no e-mail address (received: —)", "Map the attribute"), ("Papier", "reçu", "—")),
    ),
}


@pytest.fixture(scope="module")
def connected(product: Product, organisation: str) -> Iterator[tuple[str, Paper]]:
    provider = paper()
    settings = {
        "entity_id": provider.entity_id,
        "sso_url": "https://idp.provider.test/sso",
        "certificates": [provider.key.base64],
    }
    attributes = {"email": "mail", "name": "displayName", "groups": "groups"}
    body = {"kind": "saml", "name": "Papier", "domains": ["acme.test"], "settings": settings, "attributes": attributes}
    with product.api() as api:
        made = api.post(organisation, json=body)
        assert made.status_code == 201, made.text
        path = f"{organisation}/{made.json()['id']}"
        with product.client(ADDRESS) as browser:
            deadline = time.monotonic() + 90
            where = made.json()["service"]["metadata_url"]
            while browser.get(where).status_code != 200:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield path, provider
        api.delete(path, headers={"If-Match": api.get(path).headers["etag"]})


@pytest.mark.parametrize("wrong", SAID)
def test_what_is_wrong_in_a_sign_in_is_told_by_the_check_that_failed(
    product: Product, connected: tuple[str, Paper], wrong: str
) -> None:
    path, provider = connected
    said, code, cures = SAID[wrong]
    if "by" in said:
        provider, said = replace(provider, key=signer(said["by"])), {}
    said = {name: at(value / 60) if isinstance(value, int) else value for name, value in said.items()}
    seen = run(product, path, provider, **said)
    for language, cure in zip(("en", "fr"), cures, strict=True):
        failure = seen[language]["failure"]
        assert failure["code"] == code, failure
        assert all(words in failure["detail"] for words in cure), failure
    assert seen["en"]["failure"]["detail"] != seen["fr"]["failure"]["detail"]
    assert [one["ok"] for one in seen["en"]["data"]["checks"]].count(False) == 1


def test_the_control_what_is_said_rightly_comes_as_far_as_the_domain(
    product: Product, connected: tuple[str, Paper]
) -> None:
    path, provider = connected
    seen = run(product, path, provider)["en"]
    assert seen["failure"]["code"] == "sso_domain_unproven"
    assert "acme.test" in seen["failure"]["detail"]
    assert [one["name"] for one in seen["data"]["checks"] if not one["ok"]] == ["domain"]
