"""SAML by a real provider, SimpleSAMLphp, in a real Chromium: in, out on both sides, by form and by redirect."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from kit import saml
from tenant_app.contract import Identity, SignInConnection, TenantRecord
from tests.sso.providers import DOMAIN, sealed_key, traces
from tests.workspace.browsing import AXE, RUN_AXE
from tests.workspace.houses import House
from tests.world.chromium import Browser
from tests.world.simplesaml import SimpleSaml, require, running_simplesaml
from tests.world.waiting import eventually

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleSaml]:
    require()
    with running_simplesaml(tmp_path_factory.mktemp("simplesaml")) as running:
        running.add_person("alice", "alicepass", mail=f"alice@{DOMAIN}", displayName="Alice Étienne", groups=["admins"])
        running.add_person("eve", "evepass", mail="eve@elsewhere.test", displayName="Eve", groups=["staff"])
        yield running


def connection_to(provider: SimpleSaml, **fields: Any) -> SignInConnection:
    """As the console makes it of the provider's metadata."""
    read = saml.read_metadata(provider.metadata())
    made = uuid4()
    settings = {
        "entity_id": read.entity_id,
        "sso_url": read.sso_url,
        "sso_binding": read.sso_binding,
        "slo_url": read.slo_url,
        "certificates": [base64.b64encode(one).decode() for one in read.certificates],
        "keys": [sealed_key(made)],
        **fields.pop("settings", {}),
    }
    told = {"name": "Acme ID", "stage": "enforced", "domains": (DOMAIN,), "roles": {"admins": "administrator"}}
    return SignInConnection(id=made, kind="saml", settings=settings, **told | fields)


def workspace(house: House, provider: SimpleSaml, mode: Any = "both", **fields: Any) -> tuple[TenantRecord, str]:
    """A workspace that trusts the provider, and is trusted by it; and the connection's path."""
    made = connection_to(provider, **fields)
    record = house.workspace(name="Ville de Saint-Aubin", identity=Identity(connections=(made,), domains=(DOMAIN,)))
    metadata = house.stranger(record).get(f"/saml/{made.id}/metadata")
    provider.trust(metadata.content, mode)
    return record, f"/sso/{made.id}"


def prove(page: Any, name: str = "alice", password: str = "alicepass") -> None:  # noqa: S107 - the provider's own
    page.locator("input[name=username]").fill(name)
    page.locator("input[name=password]").fill(password)
    page.locator("input[name=password]").press("Enter")


@pytest.mark.parametrize("mode", ["both", "encrypted"])
def test_from_the_door_to_the_provider_and_out_on_both_sides(
    house: House, provider: SimpleSaml, browser: Browser, mode: str
) -> None:
    record, _ = workspace(house, provider, mode)
    page = browser.page(lang="fr")
    page.goto(f"{house.url(record)}/members")
    page.get_by_role("link", name="Continuer avec Acme ID").click()
    prove(page)
    page.get_by_role("heading", name="Membres").wait_for()
    assert page.url.startswith(f"{house.url(record)}/members")
    cookies = {one["name"]: one for one in page.context.cookies(house.url(record))}
    assert cookies["parvis"]["sameSite"] == "Lax"
    assert not any(name.startswith("parvis-sso-") for name in cookies), "the flow's own cookie is gone"
    assert house.rows(record, "select name, role from principal where email = %s", f"alice@{DOMAIN}") == [
        ("Alice Étienne", 2)
    ]
    page.get_by_role("button", name="Ville de Saint-Aubin").click()
    page.get_by_role("button", name="Se déconnecter").click()
    page.get_by_role("heading", name="Vous êtes déconnecté").wait_for()
    assert house.rows(record, "select count(*) from session") == [(0,)]
    page.get_by_role("link", name="Se déconnecter aussi de Acme ID").click()
    page.get_by_role("heading", name="Vous êtes déconnecté").wait_for()
    assert page.url == f"{house.url(record)}/signed-out"
    # There too: he is asked for his password again.
    page.goto(f"{house.url(record)}/sign-in")
    page.get_by_role("link", name="Continuer avec Acme ID").click()
    page.locator("input[name=password]").wait_for()
    assert browser.complaints == []


def test_the_address_alone_leads_to_the_provider_whoever_asks(
    house: House, provider: SimpleSaml, browser: Browser
) -> None:
    record, _ = workspace(house, provider)
    for name in ("alice", "nobody"):
        page = browser.page()
        page.goto(f"{house.url(record)}/sign-in")
        page.get_by_label("E-mail").fill(f"{name}@{DOMAIN}")
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.locator("input[name=username]").wait_for()
    assert browser.complaints == []


def test_a_provider_that_wants_forms_gets_one_that_sends_itself(
    house: House, provider: SimpleSaml, browser: Browser
) -> None:
    record, path = workspace(house, provider, settings={"sso_binding": "post"})
    page = browser.page()
    page.goto(house.url(record) + path)
    prove(page)
    page.wait_for_url(f"{house.url(record)}/")
    assert browser.complaints == []


def test_the_provider_begins_where_it_may(house: House, provider: SimpleSaml, browser: Browser) -> None:
    for allowed in (True, False):
        record, path = workspace(house, provider, settings={"allow_idp_initiated": allowed})
        entity = f"{house.url(record)}/saml/{path.rpartition('/')[2]}/metadata"
        page = browser.page()
        page.goto(f"{provider.url}saml2/idp/SSOService.php?spentityid={entity}&RelayState=/members")
        prove(page)
        if allowed:
            # Checked, then asked by ourselves: he is signed in there, and comes straight back.
            page.wait_for_url(f"{house.url(record)}/members")
        else:
            page.get_by_role("heading", name="You could not be signed in").wait_for()


def test_the_provider_ends_the_session_here(house: House, provider: SimpleSaml, browser: Browser) -> None:
    record, path = workspace(house, provider)
    page = browser.page()
    page.goto(house.url(record) + path)
    prove(page)
    page.wait_for_url(f"{house.url(record)}/")
    assert house.rows(record, "select count(*) from session") == [(1,)]
    page.goto(f"{provider.url}saml2/idp/initSLO.php?RelayState={provider.url}")
    eventually(lambda: house.rows(record, "select count(*) from session") == [(0,)])
    page.goto(f"{house.url(record)}/account")
    assert "/sign-in" in page.url


def test_who_is_refused_reads_why_and_the_pages_are_accessible(
    house: House, provider: SimpleSaml, browser: Browser, tmp_path: Path
) -> None:
    record, path = workspace(house, provider)
    page = browser.page(lang="fr", bypass_csp=True)
    page.goto(f"{house.url(record)}/sign-in")
    pages = [page]
    refused = browser.page(lang="fr", bypass_csp=True)
    refused.goto(house.url(record) + path)
    prove(refused, "eve", "evepass")
    refused.get_by_role("heading", name="Vous n’avez pas pu être connecté").wait_for()
    refused.get_by_text("eve@elsewhere.test").wait_for()
    pages.append(refused)
    out = browser.page(lang="fr", bypass_csp=True)
    out.goto(f"{house.url(record)}/signed-out")
    pages.append(out)
    for number, one in enumerate(pages):
        one.add_script_tag(path=str(AXE))
        assert one.evaluate(RUN_AXE) == []
        one.screenshot(path=str(tmp_path / f"page{number}.png"))
    assert traces(house, record)[0]["refusal"] == "sso_domain_unproven"


def test_over_http_another_tenant_s_trust_in_the_same_provider_opens_nothing_here(
    house: House, provider: SimpleSaml
) -> None:
    """Two organisations use one and the same provider: an answer made for one is no answer for the other."""
    record, path = workspace(house, provider)
    other, _ = workspace(house, provider)
    person = house.stranger(record)
    with httpx.Client(follow_redirects=True, trust_env=False, timeout=60) as browser:
        asked = person.get(path, follow_redirects=False).headers["location"]
        form = browser.get(asked)
        from lxml import html

        def sent(page: httpx.Response) -> tuple[str, dict[str, str]]:
            [found] = html.fromstring(page.text).forms[:1]
            return found.action or str(page.url), {k: v or "" for k, v in found.fields.items()}

        _, fields = sent(form)
        answer = browser.post(str(form.url), data=fields | {"username": "alice", "password": "alicepass"})
        _, fields = sent(answer)
    there = path.replace("/sso/", "/saml/") + "/acs"
    stranger = house.stranger(other)
    assert stranger.http.post(there, data=fields).status_code == 404
    mine = other.identity.connections[0].id
    assert stranger.http.post(f"/saml/{mine}/acs", data=fields).status_code == 403
    # The control: where it was asked for, it opens.
    assert person.http.post(there, data=fields).url.path == "/"
