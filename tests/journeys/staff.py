"""The first operator of a product, at the portal in a browser."""

import time

import pyotp
from playwright.sync_api import Page, expect

from tests.journeys.looking import assert_sound
from tests.world.chromium import awake
from tests.world.product import Product

# The cookies of who has signed in, by the product's port: a code works once in half a minute.
_signed_in: dict[int, object] = {}


def sign_in(page: Page, product: Product) -> None:
    """By password and code. A code works once: if another test has just used it, the next one is awaited."""
    staff = product.first_run["staff"]
    page.goto(product.url("portal"))
    assert_sound(page)
    page.get_by_label("E-mail").fill(staff["email"])
    page.get_by_label("Password").fill(staff["password"])
    page.get_by_role("button", name="Continue").click()
    for _ in range(3):
        assert_sound(page)
        page.get_by_label("Code of six digits").fill(pyotp.TOTP(staff["totp_secret"]).now())
        page.get_by_role("button", name="Sign in", exact=True).click()
        # Inside, or the door again with what was wrong.
        inside = page.locator("body[data-face=portal]")
        expect(inside.or_(page.locator("[aria-invalid=true]"))).to_be_visible()
        if awake(page).locator("body[data-face=portal]").count():
            _signed_in[product.port] = page.context.cookies()
            return
        time.sleep(30 - time.time() % 30 + 0.5)
    raise AssertionError(f"not signed in: {page.url}")


def be_signed_in(page: Page, product: Product) -> None:
    """The same, by the session of an earlier test where there is one."""
    page.context.add_cookies(_signed_in.get(product.port, []))  # type: ignore[arg-type]
    page.goto(product.url("portal"))
    if "/sign-in" in page.url:
        sign_in(page, product)
