"""Signing out here and then at the provider: by a redirect or by a form, as its metadata asks."""

import html
import re
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.sso.providers import Paper, paper, sign_in
from tests.workspace.houses import House, Person


def on_to(house: House, provider: Paper) -> tuple[Person, httpx.Response]:
    """Signed in by the provider, signed out here, and the offer to sign out there taken."""
    person = house.stranger(house.workspace(identity=provider.identity()))
    sign_in(person, provider)
    page = person.post("/sign-out")
    assert page.url.path == "/signed-out"
    found = re.search(r'href="(/sso/[^"]+/out\?[^"]+)"', page.text)
    assert found, page.text[:2000]
    return person, person.http.get(html.unescape(found[1]), follow_redirects=False)


def test_a_provider_with_a_redirect_is_asked_by_its_address(house: House) -> None:
    provider = paper()
    _, answer = on_to(house, provider)
    there = urlsplit(answer.headers["location"])
    assert (answer.status_code, there.netloc, there.path) == (303, "idp.provider.test", "/slo")
    assert {"SAMLRequest", "RelayState", "Signature"} <= parse_qs(there.query).keys()


def test_a_provider_that_takes_forms_only_is_asked_by_one(house: House) -> None:
    provider = paper(settings={"slo_binding": "post"})
    _, answer = on_to(house, provider)
    assert answer.status_code == 200
    assert 'action="https://idp.provider.test/slo"' in answer.text
    assert 'name="SAMLRequest"' in answer.text
    assert "form-action 'self' https://idp.provider.test;" in answer.headers["content-security-policy"]
