"""A member of staff, in a real browser against the whole product: signs in, finds nobody, orders, watches, suspends."""

import itertools
import re

import pytest
from playwright.sync_api import expect

from tests.journeys.looking import assert_sound
from tests.journeys.staff import sign_in
from tests.world.chromium import Browser, awake
from tests.world.product import Product
from tests.world.waiting import eventually

pytestmark = pytest.mark.browser

_numbers = itertools.count(1)


@pytest.mark.timeout(240)
def test_staff_find_order_watch_suspend_and_resume(product: Product, browser: Browser) -> None:
    page = browser.page(lang="en", bypass_csp=True)
    sign_in(page, product)
    # The first operator reads French unless they say otherwise; this journey is read in English.
    page.goto(product.url("portal") + "/?lang=en")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Hello")
    assert_sound(page)

    address = f"morvan-{next(_numbers)}"
    page.goto(product.url("portal") + "/organisations")
    page.get_by_role("searchbox").fill("atelier morvan")
    page.get_by_role("button", name="Search", exact=True).last.click()
    expect(page.get_by_text("Nothing found")).to_be_visible()

    page.goto(product.url("portal") + "/organisations/new")
    page.locator("#name").fill("Atelier Morvan")
    page.locator("#address").fill(address)
    page.locator("#offer-team").check()
    page.locator("#admin-name").fill("Claire Fontenay")
    page.locator("#admin-email").fill("claire@morvan.example")
    page.get_by_role("button", name="Create the organisation").click()
    page.wait_for_url(re.compile(r"/organisations/[0-9a-f-]{36}"))
    head = page.locator("#head")
    expect(head.get_by_text("Live", exact=True)).to_be_visible(timeout=60_000)
    expect(page.locator("#ledger").get_by_text("4 of 4 steps")).to_be_visible()
    assert_sound(page)
    assert product.wait_for_mail("claire@morvan.example")

    page.get_by_role("button", name="Actions").click()
    page.get_by_role("link", name="Suspend…").click()
    expect(page.get_by_text("Nobody can sign in")).to_be_visible()
    page.get_by_label("Reason").fill("Two unpaid invoices")
    page.get_by_role("button", name="Suspend the organisation").click()
    expect(head.get_by_text("Suspended", exact=True)).to_be_visible(timeout=60_000)
    with product.client(address) as member:
        eventually(lambda: member.get("/", headers={"Accept": "text/html"}).status_code == 403)

    page.get_by_role("link", name="Lift…").click()
    page.get_by_role("button", name="Lift the hold").click()
    expect(head.get_by_text("Live", exact=True)).to_be_visible(timeout=60_000)
    with product.client(address) as member:
        eventually(lambda: member.get("/", headers={"Accept": "text/html"}).status_code in {200, 303})

    awake(page).keyboard.press("Control+k")
    page.keyboard.type("atelie morvan")
    expect(page.get_by_role("option").first).to_contain_text("Atelier Morvan")
    assert browser.complaints == []
