"""An enterprise's IT administrator connects his directory without help, in the whole product, with a real provider."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.cell import wait_until_served
from tests.journeys.looking import assert_sound
from tests.world.chromium import Browser, authenticator
from tests.world.names import NameServer, name_server
from tests.world.product import Product, running_product
from tests.world.simplesaml import SimpleSaml, require, running_simplesaml

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

DOMAIN = "mairie-lumiere.example"
OWNER, ALICE = f"karim@{DOMAIN}", f"alice@{DOMAIN}"


@pytest.fixture(scope="module")
def names() -> Iterator[NameServer]:
    with name_server() as running:
        yield running


@pytest.fixture(scope="module")
def own_product(world_folder: Path, names: NameServer) -> Iterator[Product]:
    """A product of its own: it asks the name server of this test."""
    with running_product(world_folder / "administrator", PARVIS_DNS_RESOLVERS=names.told) as running:
        yield running


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[SimpleSaml]:
    require()
    with running_simplesaml(tmp_path / "provider") as running:
        running.add_person("karim", "karimpass", mail=OWNER, displayName="Karim Ziani", groups=["it"])
        running.add_person("alice", "alicepass", mail=ALICE, displayName="Alice Étienne", groups=["staff"])
        yield running


def arrive(product: Product, page: Page, address: str) -> None:
    """The first administrator comes by the mailed link and makes himself a passkey."""
    admin = {"email": OWNER, "name": "Karim Ziani"}
    body = {"name": "Mairie de Lumière", "address": address, "offer": "enterprise", "locale": "en", "admin": admin}
    with product.api() as api:
        answer = api.post("/organisations", json=body)
        assert answer.status_code == 202, answer.text
    page.goto(next(link for link in product.wait_for_mail(OWNER)["links"] if "/enter/" in link))
    page.get_by_role("button", name="Enter the workspace").click()
    page.wait_for_url("**/welcome*")
    page.goto(f"{product.url(address)}/welcome?lang=en")
    page.get_by_role("button", name="Create a passkey").click()
    page.get_by_role("heading", name="Your first hour").wait_for()


def prove_domain(page: Page, names: NameServer) -> None:
    page.get_by_role("link", name="Prove a domain").click()
    page.get_by_label("Domain of your e-mail addresses").fill(DOMAIN)
    page.get_by_role("button", name="Add").click()
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_text("Proven", exact=True)).to_be_hidden()
    name = page.get_by_label("Name of the TXT record").input_value()
    names.texts[name.removesuffix(".")] = [page.get_by_label("Value", exact=True).input_value()]
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_text("Proven", exact=True)).to_be_visible()


def connect(product: Product, page: Page, address: str, provider: SimpleSaml) -> None:
    page.get_by_role("link", name="Single sign-on").first.click()
    page.get_by_role("link", name="Connect a directory").first.click()
    page.locator("#vendor-generic").check()
    page.get_by_label("Name on the button").fill("Lumière ID")
    page.get_by_role("button", name="Make the draft").click()
    page.get_by_label("Address of the metadata").fill(provider.entity_id)
    page.get_by_label("Sign our requests").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text(provider.entity_id).first).to_be_visible()
    # What he would copy into his directory; SimpleSAMLphp reads it as metadata.
    entity = page.locator("#eid").input_value()
    expect(page.get_by_role("button", name="Run the test")).to_be_visible()
    wait_until_served(product, address, lambda record: provider.entity_id in str(record.identity.connections))
    with product.client(address) as stranger:
        provider.trust(stranger.get(entity).raise_for_status().content)


def sign_in_there(page: Page, name: str) -> None:
    page.locator("input[name=username]").fill(name)
    page.locator("input[name=password]").fill(f"{name}pass")
    page.locator("input[name=password]").press("Enter")


def run_test(page: Page) -> None:
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Run the test").click()
    sign_in_there(opened.value, "karim")
    opened.value.get_by_role("heading", name="Test finished").wait_for()
    opened.value.close()
    page.reload()
    expect(page.get_by_text("The test went through.")).to_be_visible()


def test_a_directory_is_connected_tested_piloted_and_used(
    own_product: Product, names: NameServer, provider: SimpleSaml, browser: Browser
) -> None:
    address = "mairie-lumiere"
    page = browser.page(lang="en")
    authenticator(page)
    arrive(own_product, page, address)
    page.goto(f"{own_product.url(address)}/console")
    page.get_by_role("button", name="Open the console").click()
    page.wait_for_url("**/console")
    assert_sound(page)
    prove_domain(page, names)
    assert_sound(page)
    connect(own_product, page, address, provider)
    assert_sound(page)
    run_test(page)
    page.get_by_role("button", name="It is tested").click()
    pilot(page)
    wait_until_served(own_product, address, lambda record: record.identity.connections[0].pilot == (ALICE,))
    member = browser.context(lang="en").new_page()
    member.goto(own_product.url(address))
    member.get_by_role("link", name="Continue with Lumière ID").click()
    sign_in_there(member, "alice")
    member.get_by_role("heading", name=re.compile("Alice")).wait_for()


def pilot(page: Page) -> None:
    page.get_by_role("link", name="People and roles").click()
    page.get_by_label("E-mails of the pilot").fill(ALICE)
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Connection", exact=True).click()
    page.get_by_role("button", name="Begin the pilot").click()
    expect(page.get_by_role("heading", name="Before you enforce it for everybody")).to_be_visible()
