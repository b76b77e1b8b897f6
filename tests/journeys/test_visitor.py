"""A visitor signs up by himself, in a real browser against the whole product: from the public page to a file."""

import itertools
import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.looking import assert_sound, overflow, violations
from tests.world.chromium import Browser, held, until
from tests.world.product import Product

pytestmark = pytest.mark.browser

PASSWORD = "quatre pommes vertes sur un parvis"
TEXT = b"Les permis de la ville, en un seul endroit.\n"
WORDS = {
    "fr": {
        "create": "Créer votre espace",
        "send": "Recevoir le lien de confirmation",
        "free": "Cette adresse est libre",
        "confirm": "Créer l’espace",
        "enter": "Entrer dans l’espace",
        "save": "Enregistrer le mot de passe",
        "space": "Créer l’espace",
        "upload": "Envoyer",
        "hello": "Bonjour Claire",
    },
    "en": {
        "create": "Create your workspace",
        "send": "Send me the confirmation link",
        "free": "This address is free",
        "confirm": "Create the workspace",
        "enter": "Enter the workspace",
        "save": "Save the password",
        "space": "Create the space",
        "upload": "Upload",
        "hello": "Hello Claire",
    },
}
_numbers = itertools.count(1)


def fill_in(page: Page, words: dict[str, str], town: str) -> str:
    """The form: gives the e-mail it was filled in with."""
    email = f"claire.fontenay@{town}.example"
    page.get_by_label(re.compile("adresse professionnelle|work e-mail")).fill(email)
    page.get_by_label(re.compile("Nom de l’organisation|Name of the organisation")).fill(f"Ville de {town}")
    expect(page.locator("#address")).to_have_value(f"ville-de-{town}")
    expect(page.locator("#address-s")).to_contain_text(words["free"])
    page.locator("input[value=team]").check()
    expect(page.locator("#siret")).to_be_hidden()
    page.locator("#terms-yes").check()
    return email


def test_a_name_that_was_typed_before_the_script_came_proposes_an_address_too(
    product: Product, browser: Browser
) -> None:
    page = browser.page()
    scripts = held(page, "**/address*.js")
    page.goto(product.url() + "/signup", wait_until="commit")
    page.locator("#organisation").fill("Ville de Saint-Aubin")
    until(page, lambda: scripts)
    expect(page.locator("#address")).to_have_value("")
    scripts[0].continue_()
    expect(page.locator("#address")).to_have_value("ville-de-saint-aubin")


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_a_visitor_signs_up_enters_and_keeps_a_file(
    product: Product, browser: Browser, tmp_path: Path, lang: str
) -> None:
    words, town = WORDS[lang], f"bourg-{lang}-{next(_numbers)}"
    page = browser.page(lang=lang)

    page.goto(product.url())
    assert_sound(page)
    page.get_by_role("link", name=words["create"]).first.click()
    assert_sound(page)
    email = fill_in(page, words, town)
    page.get_by_role("button", name=words["send"]).click()
    page.wait_for_url("**/signup/sent")
    assert_sound(page)

    mail = product.wait_for_mail(email)
    page.goto(next(link for link in mail["links"] if "/signup/confirm/" in link))
    assert_sound(page)
    page.get_by_role("button", name=words["confirm"]).click()
    page.wait_for_url("**/signup/progress/*")
    page.reload()
    expect(page.get_by_role("button", name=words["enter"])).to_be_enabled()
    assert_sound(page)
    page.get_by_role("button", name=words["enter"]).click()

    page.wait_for_url(f"http://ville-de-{town}.parvis.localhost:{product.port}/**")
    assert_sound(page)
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.get_by_role("button", name=words["save"]).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(words["hello"])
    assert_sound(page)

    page.goto(f"http://ville-de-{town}.parvis.localhost:{product.port}/spaces")
    page.locator("#name").fill("Permis et plans")
    assert_sound(page)
    page.get_by_role("button", name=words["space"]).click()
    file = tmp_path / "permis.txt"
    file.write_bytes(TEXT)
    page.locator("[data-upload]").first.click()
    page.locator("#files").set_input_files(file)
    page.locator("#upload").get_by_role("button", name=words["upload"]).click()
    name = page.get_by_role("link", name="permis.txt")
    expect(name).to_be_visible()
    assert_sound(page)
    name.click()
    assert_sound(page)
    with page.expect_download() as waiting:
        page.locator("a[download][data-kind=primary]").click()
    assert Path(waiting.value.path()).read_bytes() == TEXT
    assert browser.complaints == []


def test_the_mail_that_says_ready_lets_in_from_any_browser_once(product: Product, browser: Browser) -> None:
    words, town = WORDS["fr"], f"bourg-{next(_numbers)}-mail"
    page = browser.page(lang="fr")
    page.goto(product.url() + "/signup")
    email = fill_in(page, words, town)
    page.get_by_role("button", name=words["send"]).click()
    link = next(link for link in product.wait_for_mail(email)["links"] if "/confirm/" in link)
    page.goto(link)
    page.get_by_role("button", name=words["confirm"]).click()
    expect(page.get_by_role("button", name=words["enter"])).to_be_enabled()
    page.close()

    ready: list[str] = []
    deadline = time.monotonic() + 90
    while not ready and time.monotonic() < deadline:
        time.sleep(0.1)
        ready = [one for mail in product.mails(email) for one in mail["links"] if "/enter/" in one]
    elsewhere = browser.page(lang="fr")
    elsewhere.goto(ready[0])
    assert_sound(elsewhere)
    elsewhere.get_by_role("button", name=words["enter"]).click()
    elsewhere.wait_for_url(f"http://ville-de-{town}.parvis.localhost:{product.port}/**")
    elsewhere.goto(ready[0])
    expect(elsewhere.get_by_role("heading", level=1)).to_have_text("Ce lien ne fonctionne plus")
    assert_sound(elsewhere)


def test_signing_up_works_without_script(product: Product, browser: Browser) -> None:
    town = f"bourg-{next(_numbers)}-plain"
    page = browser.page(lang="en", java_script_enabled=False)
    page.goto(product.url() + "/signup")
    page.locator("#email").fill("no address")
    page.get_by_role("button", name=WORDS["en"]["send"]).click()
    expect(page.locator("#errors")).to_contain_text("things need another look")
    page.locator("#email").fill(f"paul@{town}.example")
    page.locator("#organisation").fill(town.title())
    page.locator("#address").fill(town)
    page.locator("input[value=team]").check()
    page.locator("#terms-yes").check()
    page.get_by_role("button", name=WORDS["en"]["send"]).click()
    mail = product.wait_for_mail(f"paul@{town}.example")
    page.goto(next(link for link in mail["links"] if "/confirm/" in link))
    page.get_by_role("button", name=WORDS["en"]["confirm"]).click()
    # The page reloads itself until the last step.
    expect(page.get_by_role("button", name=WORDS["en"]["enter"])).to_be_visible(timeout=60_000)
    page.get_by_role("button", name=WORDS["en"]["enter"]).click()
    expect(page.locator("input[type=password]").first).to_be_visible()


def test_refused_entries_are_summed_up_and_the_summary_takes_focus(product: Product, browser: Browser) -> None:
    page = browser.page(lang="fr")
    page.goto(product.url() + "/signup")
    page.locator("input[value=public-sector]").check()
    page.get_by_role("button", name=WORDS["fr"]["send"]).click()
    expect(page.locator("#errors")).to_be_focused()
    assert_sound(page)
    page.locator("#errors").get_by_role("link", name=re.compile("SIRET")).click()
    expect(page.locator("#siret")).to_be_focused()


PAGES = ["/", "/signup", "/signup/sent", "/sign-in", "/accessibility", "/privacy", "/terms", "/nowhere", "/enter/no"]


@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("lang", ["fr", "en"])
def test_every_public_page_is_accessible_and_fits(
    product: Product, browser: Browser, lang: str, *, dark: bool, phone: bool
) -> None:
    page = browser.page(lang=lang, dark=dark, phone=phone)
    found = {}
    for path in PAGES:
        page.goto(product.url() + path)
        found[path] = (violations(page), overflow(page) > 0)
    assert found == dict.fromkeys(PAGES, ([], False))
    assert browser.complaints == []


def test_axe_and_the_measure_see_what_they_should(product: Product, browser: Browser) -> None:
    page = browser.page()
    page.goto(product.url() + "/terms")
    page.evaluate("document.querySelector('main').innerHTML = '<img src=\"data:,\"><b></b>'")
    assert [rule for rule, _ in violations(page)]
    page.evaluate("document.querySelector('b').style = 'display: block; width: 4000px; height: 1px'")
    assert overflow(page) > 0


def test_no_page_scrolls_sideways_at_320_pixels(product: Product, browser: Browser) -> None:
    page = browser.page(lang="fr", phone=True)
    page.set_viewport_size({"width": 320, "height": 640})
    for path in PAGES:
        page.goto(product.url() + path)
        assert overflow(page) <= 0, path
