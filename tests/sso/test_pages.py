"""The pages around a sign-in by a provider, for all eyes and hands: axe, both languages, both schemes, a phone."""

import pytest

from tenant_app.contract import SignInPolicy
from tests.sso.providers import paper
from tests.workspace.browsing import AXE, RUN_AXE, sign_in
from tests.workspace.houses import House
from tests.world.chromium import Browser, authenticator

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("lang", "dark", "phone"), [("fr", False, False), ("en", True, False), ("fr", True, True), ("en", False, True)]
)
def test_axe_finds_nothing_on_these_pages(house: House, browser: Browser, lang: str, dark: bool, phone: bool) -> None:
    provider = paper(stage="pilot")
    record = house.workspace(name="Ville de Saint-Aubin", identity=provider.identity())
    owner = house.owner(record)
    page = browser.page(lang=lang, dark=dark, phone=phone, bypass_csp=True)

    def check(path: str) -> None:
        page.goto(f"{house.url(record)}{path}?lang={lang}")
        page.add_script_tag(path=str(AXE))
        assert page.evaluate(RUN_AXE) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path

    check("/sign-in")
    check("/signed-out")
    check(f"/sso/{provider.connection.id}/finish")
    sign_in(page, house, owner)
    check("/confirm")
    house.rows(record, "update session set way = 'passkey'")
    check("/console")


def test_a_passkey_made_where_more_is_asked_opens_what_was_closed(house: House, browser: Browser) -> None:
    provider = paper(stage="pilot")
    record = house.workspace(identity=provider.identity())
    owner = house.owner(record)
    house.change(record, identity=provider.identity(policy=SignInPolicy(second_factor=True)))
    page = browser.page()
    authenticator(page)
    sign_in(page, house, owner)
    page.goto(f"{house.url(record)}/members")
    page.get_by_role("button", name="Créer une clé d’accès").click()
    page.wait_for_url(f"{house.url(record)}/account**")
    # A quarter of an hour later the console asks for it again.
    house.rows(record, "update session set verified_at = now() - interval '16 minutes'")
    page.goto(f"{house.url(record)}/console")
    page.get_by_role("button", name="Utiliser une clé d’accès").click()
    page.get_by_role("button", name="Ouvrir la console").wait_for()
    assert browser.complaints == []
