"""An owner lets an administrator set up sign-in, by the person's menu."""

import pytest
from playwright.sync_api import expect

from tests.journeys.looking import assert_sound
from tests.workspace.houses import House
from tests.world.chromium import Browser

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("lang", "phone", "menu", "let", "sets_up", "no_longer"),
    [
        ("en", False, "Actions on Inès Bakkali", "Let set up sign-in", "Sets up sign-in", "No longer set up sign-in"),
        (
            *("fr", True, "Actions sur Inès Bakkali", "Laisser configurer la connexion"),
            *("Configure la connexion", "Ne plus laisser configurer la connexion"),
        ),
    ],
)
def test_the_menu_of_an_administrator_gives_and_takes_it(  # noqa: PLR0917 - the words of a language
    house: House, browser: Browser, lang: str, phone: bool, menu: str, let: str, sets_up: str, no_longer: str
) -> None:
    record = house.workspace()
    owner = house.owner(record)
    house.add(record, 2, name="Inès Bakkali")
    page = browser.context(lang=lang, phone=phone, dark=phone, bypass_csp=True).new_page()
    cookies = [{"name": one.name, "value": one.value, "url": house.url(record)} for one in owner.http.cookies.jar]
    page.context.add_cookies([one for one in cookies if one["name"] != "lang"])
    page.goto(f"{house.url(record)}/members?lang={lang}")
    badge = page.get_by_role("listitem").get_by_text(sets_up, exact=True)
    expect(badge).to_have_count(0)
    page.get_by_role("button", name=menu).click()
    page.get_by_role("button", name=let).click()
    expect(badge).to_be_visible()
    page.get_by_role("button", name=menu).click()
    expect(page.get_by_role("button", name=no_longer)).to_be_visible()
    assert_sound(page)
    page.get_by_role("button", name=no_longer).click()
    expect(badge).to_have_count(0)
    assert browser.complaints == []
