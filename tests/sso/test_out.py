"""Signing out here and then at the provider: by a redirect or by a form, as its metadata asks."""

import html
import re
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.sso.providers import DOMAIN, Paper, asks_out, paper, sign_in, signed_in
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
    assert "You are signed out here. This page tells Acme ID so." in answer.text
    assert "signs you in there" not in answer.text


def test_a_form_that_leads_in_says_so(house: House) -> None:
    provider = paper(settings={"sso_binding": "post"})
    person = house.stranger(house.workspace(identity=provider.identity()))
    page = person.get(f"/sso/{provider.connection.id}")
    assert "Your organisation signs you in there." in page.text
    assert "signed out" not in page.text


def test_numbers_that_a_provider_gives_to_each_person_s_sessions_end_his_own_only(house: House) -> None:
    provider = paper()
    record = house.workspace(identity=provider.identity())
    alice, bob = house.stranger(record), house.stranger(record)
    sign_in(alice, provider, session="1")
    sign_in(bob, provider, "bob", mail=f"bob@{DOMAIN}", session="1")
    asked = asks_out(house, record, provider, "alice", "1")
    assert alice.get(asked, follow_redirects=False).status_code == 303
    assert not signed_in(alice)
    assert signed_in(bob)
    # The control: asked for his, it is his.
    assert bob.get(asks_out(house, record, provider, "bob", "1"), follow_redirects=False).status_code == 303
    assert not signed_in(bob)


def test_who_is_known_by_an_attribute_is_signed_out_under_his_name_there(house: House) -> None:
    provider = paper(attributes={"subject": "uid", "email": "mail"})
    record = house.workspace(identity=provider.identity())
    people = {}
    for name, uid in (("alice", "bob"), ("bob", "alice")):
        people[name] = house.stranger(record)
        said = {"mail": [f"{name}@{DOMAIN}"], "uid": [uid]}
        sign_in(people[name], provider, name, values=said, session=None)
    assert people["alice"].get(asks_out(house, record, provider, "alice"), follow_redirects=False).status_code == 303
    assert not signed_in(people["alice"])
    assert signed_in(people["bob"]), "whose attribute reads like the other's name"
