"""The portal as people use it: passkeys, the live ledger, the palette, the keyboard, every page in each light."""

import re
from uuid import UUID

import pytest
from playwright.sync_api import expect

from control_plane import organisations
from control_plane.audit import SYSTEM
from kit.db import transaction
from tests.journeys.looking import overflow, violations
from tests.portal.pages import enter, signed_in
from tests.world.chromium import Browser, authenticator, held, until
from tests.world.house import House
from tests.world.staff_door import PASSWORD, Door

pytestmark = pytest.mark.browser


def test_a_passkey_is_added_and_then_opens_the_door_by_itself(browser: Browser, door: Door) -> None:
    page = signed_in(browser, door, "support")
    authenticator(page)
    page.goto(f"{door.url}/account")
    page.get_by_label("Name of the new passkey").fill("Laptop of Inès")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator(".row-main").get_by_text("Laptop of Inès")).to_be_visible()
    page.get_by_role("button", name="Inès Bakkali").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Hello, Inès Bakkali")).to_be_visible()
    assert browser.complaints == []


def test_a_device_that_does_not_know_its_person_is_not_enough(browser: Browser, door: Door) -> None:
    page = signed_in(browser, door, "sales")
    device, number = authenticator(page)
    page.goto(f"{door.url}/account")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator(".row-main").get_by_text("My passkey")).to_be_visible()
    device.send("WebAuthn.setUserVerified", {"authenticatorId": number, "isUserVerified": False})
    page.context.clear_cookies()
    page.goto(f"{door.url}/sign-in")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("alert").filter(has_text="did not give a passkey")).to_be_visible(timeout=60_000)
    # The control: the same device, once it has verified its person, opens the door.
    device.send("WebAuthn.setUserVerified", {"authenticatorId": number, "isUserVerified": True})
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Hello, Paul Guérin")).to_be_visible()


def test_a_copied_passkey_that_counts_backwards_is_refused(browser: Browser, door: Door) -> None:
    page = signed_in(browser, door, "auditor")
    device, number = authenticator(page)
    page.goto(f"{door.url}/account")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator(".row-main").get_by_text("My passkey")).to_be_visible()
    kept = device.send("WebAuthn.getCredentials", {"authenticatorId": number})["credentials"][0]
    door.house.sql("update staff_passkey set sign_count = 1000 where label = 'My passkey'")
    page.context.clear_cookies()
    page.goto(f"{door.url}/sign-in")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("alert").filter(has_text="was not accepted")).to_be_visible()
    assert kept["rpId"] == "portal.parvis.localhost"
    # The control: with the count that belongs to it, the same passkey opens the door.
    door.house.sql("update staff_passkey set sign_count = 0 where label = 'My passkey'")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Hello, Awa Diop")).to_be_visible()


def test_somebody_new_sets_up_a_passkey_at_the_first_sign_in(browser: Browser, door: Door) -> None:
    door.staff("sales", totp=False, email="premiere@parvis.example", locale="fr")
    page = browser.page(lang="fr")
    authenticator(page)
    page.goto(f"{door.url}/sign-in")
    page.get_by_label("Adresse électronique").fill("premiere@parvis.example")
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Continuer").click()
    expect(page.get_by_role("heading", name="Choisissez votre second facteur")).to_be_visible()
    page.get_by_role("button", name="Créer une clé d’accès").click()
    expect(page.get_by_role("heading", name="Bonjour, Paul Guérin")).to_be_visible()


def test_the_passkey_s_button_waits_for_its_script(browser: Browser, door: Door) -> None:
    page = browser.page()
    scripts = held(page, "**/passkeys*.js")
    page.goto(f"{door.url}/sign-in", wait_until="commit")
    button = page.get_by_role("button", name="Use a passkey")
    expect(button).to_be_disabled()
    until(page, lambda: scripts)
    expect(button).to_be_disabled()
    scripts[0].continue_()
    expect(button).to_be_enabled()
    without = browser.page(java_script_enabled=False)
    without.goto(f"{door.url}/sign-in")
    expect(without.get_by_role("button", name="Use a passkey")).to_be_disabled()
    assert '<noscript><p class="small muted">Passkeys need JavaScript' in without.content()


def test_the_page_follows_an_operation_without_reloading(browser: Browser, door: Door, house: House) -> None:
    made = house.order(address="en-direct", name="Suivi en direct")
    page = signed_in(browser, door)
    page.goto(f"{door.url}/organisations/{made}")
    head = page.locator("#head")
    expect(head.get_by_text("Ordered")).to_be_visible()
    page.evaluate("window.sameDocument = true")
    house.settle(made)
    expect(head.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.locator("#ledger").get_by_text("4 of 4 steps")).to_be_visible()
    expect(page.locator("[data-events]")).to_have_count(0)
    assert page.evaluate("window.sameDocument") is True
    assert browser.complaints == []


def test_a_step_that_fails_is_shown_while_it_is_tried_again(browser: Browser, door: Door, house: House) -> None:
    made = house.order(address="en-panne", name="En panne")
    page = signed_in(browser, door)
    page.goto(f"{door.url}/organisations/{made}")
    house.sql(
        "update step set state = 'retrying', attempts = 3, error_code = 'store_away', error = 'PUT … timed out',"
        " next_try_at = now() + interval '8 seconds' where name = 'storage' and operation_id = :id",
        id=house.last_operation(made).id,
    )
    page.get_by_text("The last try failed: store_away.").click()
    expect(page.get_by_text("PUT … timed out")).to_be_visible()
    # What its reader unfolded stays so when the page follows.
    house.sql(
        "update step set attempts = 4, error = 'PUT … refused' where name = 'storage' and operation_id = :id",
        id=house.last_operation(made).id,
    )
    expect(page.get_by_text("try 4")).to_be_visible()
    expect(page.get_by_text("PUT … refused")).to_be_visible()
    expect(page.get_by_role("button", name="Try again now")).to_be_visible()
    expect(page.get_by_role("button", name="Roll back")).to_be_visible()
    house.settle(made)


def test_the_palette_goes_to_an_organisation_by_the_keyboard_alone(browser: Browser, door: Door, house: House) -> None:
    made = house.order(address="jeanne-barret", name="Lycée Jeanne-Barret")
    page = signed_in(browser, door)
    page.goto(door.url)
    page.keyboard.press("Control+k")
    box = page.get_by_role("combobox", name="Name, address, SIRET or e-mail")
    expect(box).to_be_focused()
    page.keyboard.type("lycee jeane baret")
    expect(page.get_by_role("option", name=re.compile("Lycée Jeanne-Barret"))).to_have_attribute(
        "aria-selected", "true"
    )
    expect(box).to_have_attribute("aria-activedescendant", "palette-0")
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Control+k")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/organisations/{made}")


def test_the_slash_key_goes_to_the_search_field_but_not_out_of_another(browser: Browser, door: Door) -> None:
    page = signed_in(browser, door)
    page.goto(f"{door.url}/organisations")
    page.keyboard.press("/")
    field = page.get_by_role("searchbox")
    expect(field).to_be_focused()
    page.keyboard.type("a/b")
    expect(field).to_have_value("a/b")


def test_what_was_done_is_said_once(browser: Browser, door: Door) -> None:
    page = signed_in(browser, door, "sales")
    page.goto(f"{door.url}/account")
    page.locator("#locale").select_option("en")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Language changed")).to_be_visible()
    expect(page).not_to_have_url(re.compile("done="))
    page.reload()
    expect(page.get_by_text("Language changed")).to_have_count(0)


def test_without_script_a_whole_change_still_goes(browser: Browser, door: Door, house: House) -> None:
    made = house.live(address="sans-script", name="Sans script")
    page = signed_in(browser, door, "support", java_script_enabled=False)
    page.goto(f"{door.url}/organisations/{made}")
    page.goto(f"{door.url}/organisations/{made}/suspend")
    page.get_by_label("Reason").fill("Unpaid invoices")
    page.get_by_role("button", name="Suspend the organisation").click()
    page.wait_for_url("**/organisations/*")
    house.settle(made)
    page.reload()
    expect(page.locator("#head").get_by_text("Suspended")).to_be_visible()


@pytest.fixture(scope="module")
def shown(house: House) -> dict[str, UUID]:
    """Organisations in several states, for the looks of the pages."""
    made = {
        "live": house.live(address="vue-active", offer="public-sector"),
        "waiting": house.order(address="vue-attente"),
    }
    made["held"] = house.live(address="vue-retenue")
    with transaction(house.engine) as session:
        organisations.suspend(session, made["held"], reason="Deux factures impayées", actor=SYSTEM, kind="billing")
    made["closing"] = house.live(address="vue-fermeture")
    with transaction(house.engine) as session:
        organisations.close(session, made["closing"], reason="Le client s’en va", actor=SYSTEM)
    house.settle(made["held"], made["closing"])
    return made


PAGES = [
    "/",
    "/organisations",
    "/organisations?q=nothing+like+it",
    "/organisations/new",
    "/organisations/{live}",
    "/organisations/{waiting}",
    "/organisations/{held}",
    "/organisations/{held}/journal",
    "/organisations/{held}/operations",
    "/organisations/{live}/keys",
    "/organisations/{live}/suspend",
    "/organisations/{live}/offer?offer=team",
    "/organisations/{live}/trial",
    "/organisations/{closing}/erase",
    "/operations",
    "/offers",
    "/offers/team",
    "/offers/team/publish",
    "/cells",
    "/cells/local",
    "/audit",
    "/tokens",
    "/staff",
    "/account",
    "/sign-in",
    "/organisations/nothing-here",
]
# By day at a desk, by night on a phone: each colour and each width once.
LIGHTS = {"fr": {}, "en": {"dark": True, "phone": True}}


@pytest.mark.parametrize("locale", list(LIGHTS))
def test_every_page_is_accessible_and_fits_its_window(
    browser: Browser, door: Door, shown: dict[str, UUID], locale: str
) -> None:
    context = browser.context(lang=locale, bypass_csp=True, **LIGHTS[locale])
    enter(context, door, "operator", locale)
    page = context.new_page()
    found = []
    for path in PAGES:
        if path == "/sign-in":
            context.clear_cookies()
        page.goto(door.url + path.format(**shown))
        found += [f"{path}: {one}" for one in violations(page)]
        if overflow(page) > 0:
            found.append(f"{path}: wider than the window")
        if path == "/sign-in":
            enter(context, door, "operator", locale)
    assert found == []
    assert browser.complaints == []


def test_the_strict_policy_has_nothing_to_complain_of(browser: Browser, door: Door, shown: dict[str, UUID]) -> None:
    page = signed_in(browser, door)
    for path in PAGES[:5] + PAGES[-4:]:
        page.goto(door.url + path.format(**shown))
        assert page.locator("[style], style, script:not([src])").count() == 0, path
    assert browser.complaints == []
