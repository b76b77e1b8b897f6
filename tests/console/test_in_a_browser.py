"""The console as people use it: the way from the first domain to the test, the keyboard, each page in each light."""

import re
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from control_plane import identity
from kit.db import transaction
from tests.console.furnish import Furnished
from tests.identity.connections import certificate, metadata
from tests.journeys.looking import overflow, violations
from tests.world.chromium import Browser
from tests.world.console_door import HOST, ConsoleDoor
from tests.world.house import House
from tests.world.names import NameServer

pytestmark = pytest.mark.browser


def enter(context: BrowserContext, door: ConsoleDoor, furnished: Furnished) -> None:
    token = door.session_of(furnished.organisation, furnished.owner)
    cookie = {"name": "console", "value": token, "domain": HOST, "path": "/console", "httpOnly": True}
    context.add_cookies([{**cookie, "sameSite": "Lax"}])  # type: ignore[list-item]


def test_from_the_ticket_to_a_connected_directory_without_help(
    browser: Browser, door: ConsoleDoor, house: House, servers: list[NameServer]
) -> None:
    organisation = house.live(name="Commune de Vernaison")
    page = browser.context(lang="en", permissions=["clipboard-read", "clipboard-write"]).new_page()
    page.goto(door.url + door.entrance(organisation, door.person(organisation)))
    page.wait_for_url("**/console")
    page.goto(f"{door.url}/console?lang=en")
    expect(page.get_by_role("heading", name="Commune de Vernaison")).to_be_visible()
    page.get_by_role("link", name="Prove a domain").click()
    page.get_by_label("Domain of your e-mail addresses").fill("vernaison.example")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status").filter(has_text="Domain added")).to_be_visible()
    expect(page).not_to_have_url(re.compile("done="))
    page.get_by_role("button", name="Copy Value").click()
    expect(page.get_by_role("button", name="Copied Value")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    with transaction(house.engine) as session:
        one = identity.domains(session, organisation)[0]
    assert copied == one.record_value
    for server in servers:
        server.texts[one.record_name] = [copied]
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_text("Proven", exact=True)).to_be_visible()
    page.get_by_role("link", name="Overview").click()
    page.get_by_role("link", name="Connect", exact=True).click()
    page.get_by_role("link", name="Connect a directory").click()
    page.get_by_label("Microsoft Entra ID").check()
    page.get_by_role("button", name="Make the draft").click()
    expect(page.get_by_role("heading", name="Microsoft Entra ID", exact=True)).to_be_visible()
    expect(page.get_by_label("Identifier (Entity ID)", exact=True)).to_have_value(re.compile("/saml/.*/metadata$"))
    # Only the chosen way to tell us is open.
    expect(page.get_by_label("Address of the metadata")).to_be_visible()
    expect(page.get_by_label("Sign-in address")).to_be_hidden()
    page.get_by_label("Metadata as XML", exact=True).first.check()
    page.locator("#metadata_xml").fill("<html>")
    page.get_by_role("button", name="Save").click()
    errors = page.get_by_role("group", name="One thing needs another look")
    expect(errors).to_be_focused()
    errors.get_by_role("link").click()
    expect(page.locator("#metadata_xml")).to_be_focused()
    expect(page.locator("#metadata_xml")).to_have_value("<html>")
    page.locator("#metadata_xml").fill(metadata(certificate()))
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("https://idp.acme.example/sso").first).to_be_visible()
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Run the test").click()
    address = house.get(organisation).address
    opened.value.wait_for_url(re.compile(f"^http://{address}.parvis.localhost:{door.port}/sso/.*test="))
    assert violations(page) == []


def test_the_menu_of_a_phone_and_the_way_out_go_by_the_keyboard(
    browser: Browser, door: ConsoleDoor, furnished: Furnished
) -> None:
    context = browser.context(lang="en", phone=True)
    enter(context, door, furnished)
    page = context.new_page()
    page.goto(f"{door.url}/console?lang=en")
    page.get_by_role("button", name="Open the menu").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Members and roles").first).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Karim Ziani").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Français")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="You have left the console")).to_be_visible()
    page.goto(f"{door.url}/console")
    expect(page.get_by_role("heading", name="The console is closed in this browser")).to_be_visible()


def test_without_script_everything_still_goes(browser: Browser, door: ConsoleDoor, house: House) -> None:
    organisation = house.live(name="Sans script")
    context = browser.context(lang="en", java_script_enabled=False)
    page = context.new_page()
    page.goto(door.url + door.entrance(organisation, door.person(organisation)))
    page.goto(f"{door.url}/console/sign-in/new?lang=en")
    page.get_by_label("Okta").check()
    page.get_by_role("button", name="Make the draft").click()
    expect(page.get_by_text("Draft made: copy our values")).to_be_visible()
    # All ways to tell us are open; the chosen one counts.
    page.get_by_label("Field by field").check()
    page.get_by_label("Entity ID of the provider").fill("https://idp.acme.example")
    page.get_by_label("Sign-in address").fill("https://idp.acme.example/sso")
    page.get_by_label("Signing certificate").fill(certificate())
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    page.goto(f"{door.url}/console/policy")
    page.get_by_label("A session lasts at most").select_option("28800")
    page.get_by_role("button", name="Save the rules").click()
    expect(page.get_by_label("A session lasts at most")).to_have_value("28800")


# By day at a desk, by night on a phone: each colour and each width once.
LIGHTS: dict[str, dict[str, Any]] = {"fr": {}, "en": {"dark": True, "phone": True}}


@pytest.mark.parametrize("locale", list(LIGHTS))
def test_every_page_is_accessible_and_fits_its_window(
    browser: Browser, door: ConsoleDoor, furnished: Furnished, locale: str
) -> None:
    context = browser.context(lang=locale, bypass_csp=True, **LIGHTS[locale])
    enter(context, door, furnished)
    page = context.new_page()
    page.goto(f"{door.url}/console?lang={locale}")
    found = []
    for path in furnished.pages.values():
        page.goto(door.url + path)
        assert page.locator("html").get_attribute("lang") == locale, path
        found += [f"{path}: {one}" for one in violations(page)]
        if overflow(page) > 0:
            found.append(f"{path}: wider than the window by {overflow(page)}")
        open_all(page)
        if overflow(page) > 0:
            found.append(f"{path}, unfolded: wider than the window by {overflow(page)}")
    assert found == []
    assert browser.complaints == []


def open_all(page: Page) -> None:
    """Unfold what is folded."""
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


def test_the_strict_policy_has_nothing_to_complain_of(
    browser: Browser, door: ConsoleDoor, furnished: Furnished
) -> None:
    context = browser.context(lang="fr")
    enter(context, door, furnished)
    page = context.new_page()
    for path in furnished.pages.values():
        page.goto(door.url + path)
        assert page.locator("[style], style, script:not([src])").count() == 0, path
    assert browser.complaints == []
