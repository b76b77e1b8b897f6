"""The staff's own OpenID Connect by a real provider, npm's oidc-provider: in, and nobody else; then in Chromium."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from playwright.sync_api import expect

from control_plane import identity
from control_plane.audit import SYSTEM
from control_plane.identity import Client
from control_plane.identity.vouching import Voucher, vouch
from kit.db import transaction
from tests.journeys.looking import overflow, violations
from tests.portal.company import (
    BEGIN,
    CALLBACK,
    LOGOUT,
    inside,
    make_due,
    minutes_left,
    of,
    open_doors,
    set_back,
    way_back,
)
from tests.portal.pages import password, send
from tests.world.chromium import Browser, authenticator
from tests.world.house import House
from tests.world.openid import User
from tests.world.staff_door import PASSWORD, Door

INES = User("ines@parvis.example")
MARC = User("marc@parvis.example", ("parvis-operators",))
OTHER_INES = User("mallory@parvis.example", claims={"email": "linked@parvis.example"})
LINKED = User("linked@parvis.example")
UNSURE = User("unsure@parvis.example", claims={"email_verified": False})
SILENT = User("silent@parvis.example", claims={"email_verified": None})
OFF = User("off@parvis.example")
NEW = User("new@parvis.example", ("parvis-support",))
STRANGER = User("stranger@parvis.example", ("others",))
AWA = User("awa@parvis.example")
KEY = User("key@parvis.example")
AWAY = "away-support@parvis.example"
USERS = (INES, MARC, OTHER_INES, LINKED, UNSURE, SILENT, OFF, NEW, STRANGER, AWA, KEY)


@dataclass(frozen=True)
class Doors:
    """Portals of one house: with passwords too, without them, and one whose provider is away."""

    usual: Door
    only: Door
    away: Door


@pytest.fixture(scope="module")
def doors(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    settings: list[dict[str, str]] = [{}, {"STAFF_OIDC_ONLY": "1"}, {"STAFF_OIDC_ISSUER": "http://127.0.0.1:9"}]
    with open_doors(house, tmp_path_factory.mktemp("company"), USERS, settings) as (_, (usual, only, away)):
        yield Doors(usual, only, away)


def comes_in(door: Door, user: User) -> httpx.Response:
    with door.anybody(headers={"Accept-Language": "en"}) as browser:
        answer = browser.get(way_back(door, browser, user))
        assert inside(browser) is (answer.status_code == 303)
        return answer


def test_from_the_button_to_where_one_was_going(doors: Doors) -> None:
    door = doors.usual
    door.staff("support", email=INES.login)
    with door.anybody() as browser:
        assert f'href="{BEGIN}?next=/organisations"' in browser.get("/sign-in", params={"next": "/organisations"}).text
        answer = browser.get(way_back(door, browser, INES, "/organisations?state=live"))
        assert answer.headers["location"] == "/organisations?state=live"
        assert inside(browser)
        assert "portal-oidc" not in browser.cookies
    # Without a second factor of ours: how many it takes, the company's sign-in decides.
    assert comes_in(door, INES).headers["location"] == "/"


def test_only_the_browser_that_began_comes_in(doors: Doors) -> None:
    door = doors.usual
    door.staff("support", email=INES.login)
    with door.anybody() as browser, door.anybody() as bare, door.anybody() as begun:
        begun.get(BEGIN)
        back = way_back(door, browser, INES)
        for foreign in (bare, begun):
            assert foreign.get(back).status_code == 422
            assert not inside(foreign)
        # The control: the same address, in its own browser.
        assert browser.get(back).status_code == 303
        assert inside(browser)


def test_an_answer_is_taken_once(doors: Doors) -> None:
    door = doors.usual
    door.staff("support", email=INES.login)
    with door.anybody() as browser:
        back = way_back(door, browser, INES)
        kept = browser.cookies["portal-oidc"]
        assert browser.get(back).status_code == 303
    with door.anybody() as again:
        again.cookies.set("portal-oidc", kept, domain="portal.parvis.localhost")
        assert again.get(back).status_code == 422
        assert not inside(again)


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({"iss": "https://evil.example"}, "https://evil.example"),
        ({"iss": None}, "it is missing"),
        ({"state": "another"}, "begun elsewhere"),
        ({"code": "another"}, "code"),
    ],
)
def test_an_answer_that_was_changed_on_its_way_is_refused(
    doors: Doors, change: dict[str, str | None], seen: str
) -> None:
    door = doors.usual
    door.staff("support", email=INES.login)
    with door.anybody(headers={"Accept-Language": "en"}) as browser:
        back = urlsplit(way_back(door, browser, INES))
        told = {name: values[0] for name, values in parse_qs(back.query).items()} | change
        query = urlencode({name: value for name, value in told.items() if value is not None})
        answer = browser.get(f"{CALLBACK}?{query}")
        assert answer.status_code == 422
        assert seen in answer.text
        assert not inside(browser)
    # The control: unchanged it goes in.
    assert comes_in(door, INES).status_code == 303


def test_who_says_no_at_the_provider_is_back_at_the_door(doors: Doors) -> None:
    with doors.usual.anybody(headers={"Accept-Language": "fr"}) as browser:
        answer = browser.get(way_back(doors.usual, browser, INES, "/audit", allow="no"))
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
        assert f'href="{BEGIN}?next=/audit"' in answer.text


@pytest.mark.parametrize("user", [UNSURE, SILENT])
def test_an_e_mail_that_the_provider_has_not_verified_opens_no_account(doors: Doors, user: User) -> None:
    door = doors.usual
    door.staff("operator", email=user.login)
    assert "no verified e-mail" in comes_in(door, user).text
    # The control: the same, verified.
    door.staff("support", email=INES.login)
    assert comes_in(door, INES).status_code == 303


def test_another_account_of_the_provider_with_the_same_e_mail_stays_out(doors: Doors) -> None:
    door = doors.usual
    door.staff("operator", email=LINKED.login)
    assert comes_in(door, LINKED).status_code == 303
    assert "belongs to another account" in comes_in(door, OTHER_INES).text


def test_who_is_disabled_is_refused(doors: Doors) -> None:
    door = doors.usual
    staff = door.staff("support", email=OFF.login)
    assert comes_in(door, OFF).status_code == 303
    with transaction(door.house.engine) as session:
        identity.disable_staff(session, staff.id, actor=SYSTEM)
    assert "disabled" in comes_in(door, OFF).text


def test_the_provider_makes_staff_only_with_a_role(doors: Doors) -> None:
    door = doors.usual
    assert "Ask an operator to add you" in comes_in(door, STRANGER).text
    assert comes_in(door, NEW).status_code == 303
    with transaction(door.house.engine) as session:
        assert identity.find_staff(session, STRANGER.login) is None
        made = identity.find_staff(session, NEW.login)
        assert made is not None
        assert made.role == "support"


def test_the_provider_s_role_holds_from_the_sign_in_on(doors: Doors) -> None:
    door = doors.usual
    door.staff("sales", email=MARC.login)
    with door.anybody() as browser:
        assert browser.get(way_back(door, browser, MARC)).status_code == 303
        page = browser.get("/staff")
        assert page.status_code == 200
        row = page.text.partition(MARC.login)[2].partition("</tr>")[0]
        assert "Compte d’entreprise" in row


def test_where_the_company_s_sign_in_is_the_only_one_passwords_are_refused(doors: Doors) -> None:
    staff = doors.usual.staff("sales", email=AWA.login)
    with doors.only.anybody(headers={"Accept-Language": "en"}) as browser:
        page = browser.get("/sign-in").text
        assert 'name="password"' not in page
        assert "/sign-in/passkey/options" in page
        assert "Passwords are not taken here" in password(browser, staff.email).text
        # A first stage from before the setting leads on to nothing either.
        with transaction(doors.only.house.engine) as session:
            half = identity.sign_in_by_password(session, staff.email, PASSWORD, Client())
        assert isinstance(half, identity.Opened)
        browser.cookies.set("portal", half.token, domain="portal.parvis.localhost")
        assert browser.get("/sign-in/next").headers["location"].startswith("/sign-in?")
    assert comes_in(doors.only, AWA).status_code == 303
    with doors.only.anybody() as browser:
        assert browser.post("/sign-in/passkey/options").status_code == 200
    # The control: where it is not the only one, the same password leads on.
    other = doors.usual.staff("sales", email="only-control@parvis.example")
    with doors.usual.anybody(headers={"Accept-Language": "en"}) as browser:
        assert password(browser, other.email).headers["location"].startswith("/sign-in/next")
    # Whom the provider knows by now comes in by it there, too.
    with doors.usual.anybody(headers={"Accept-Language": "en"}) as browser:
        refused = password(browser, staff.email)
        assert (refused.status_code, "You come in by the company" in refused.text) == (422, True)


def test_without_the_provider_the_door_says_so_and_the_rest_works(doors: Doors) -> None:
    staff = doors.away.staff("sales", email="away-sales@parvis.example")
    with doors.away.anybody(headers={"Accept-Language": "fr"}) as browser:
        answer = browser.get(BEGIN)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
        assert password(browser, staff.email).status_code == 303


def test_whom_the_provider_does_not_answer_is_let_on_until_the_end(doors: Doors) -> None:
    door = doors.away
    staff = door.staff("support", email=AWAY)
    token = door.session_of(staff)
    with transaction(door.house.engine) as session:
        assert vouch(session, staff, token, Voucher(60, "sid", ""))
    with door.anybody() as browser:
        browser.cookies.set("portal", token, domain="portal.parvis.localhost")
        make_due(door, token)
        sent = browser.get("/organisations")
        assert browser.get(sent.headers["location"]).headers["location"] == "/organisations"
        assert browser.get("/organisations").status_code == 200
        # That has not made it any longer.
        assert minutes_left(door, token) <= 20
        set_back(door, token, expires_at=datetime.now(UTC))
        assert not inside(browser)


def test_without_the_provider_one_is_signed_out_here(doors: Doors) -> None:
    door = doors.away
    staff = door.staff("support", email=AWAY)
    token = door.session_of(staff)
    with transaction(door.house.engine) as session:
        assert vouch(session, staff, token, Voucher(60, None, "a token"))
    with door.anybody(headers={"Accept-Language": "en"}) as browser:
        browser.cookies.set("portal", token, domain="portal.parvis.localhost")
        answer = send(browser, "/sign-out")
        assert answer.status_code == 200
        assert "You are still signed in at the company" in answer.text
        assert of(door, token) is None


def test_where_passwords_are_not_taken_none_is_drawn(doors: Doors) -> None:
    with doors.only.client("operator", locale="en") as operator:
        page = operator.get("/staff").text
        assert "No password is drawn" in page
        added = send(operator, "/staff", name="Zoé", email="new-zoe@parvis.example", role="support")
        assert added.headers["location"] == "/staff?done=added"
        with transaction(doors.only.house.engine) as session:
            staff = identity.find_staff(session, "new-zoe@parvis.example")
            assert staff is not None
            assert staff.password is None
        other = doors.only.staff("support", email="reset-zoe@parvis.example")
        assert send(operator, f"/staff/{other.id}/reset").headers["location"] == "/staff?done=reset"
        with transaction(doors.only.house.engine) as session:
            assert session.get_one(identity.Staff, other.id).password is None
        assert "hand this password over" not in operator.get("/staff").text.lower()
        assert 'name="new_password"' not in operator.get("/account").text
        assert send(operator, "/account/password", password="x", new_password="y").status_code == 422
    # The control: where passwords are taken, one is drawn and shown.
    with doors.usual.client("operator", locale="en") as operator:
        send(operator, f"/staff/{other.id}/reset")
        assert "hand this password over" in operator.get("/staff").text.lower()
        assert 'name="new_password"' in operator.get("/account").text


def test_without_its_settings_there_is_no_such_way_in(door: Door) -> None:
    with door.anybody() as browser:
        assert BEGIN not in browser.get("/sign-in").text
        assert browser.get(BEGIN).status_code == 404
        assert browser.get(CALLBACK, params={"state": "x", "code": "y"}).status_code == 404
        assert browser.post(LOGOUT, data={"logout_token": "x"}).status_code == 404


@pytest.mark.parametrize("away", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_the_way_back_leads_nowhere_else(doors: Doors, away: str) -> None:
    doors.usual.staff("support", email=INES.login)
    with doors.usual.anybody() as browser:
        assert browser.get(way_back(doors.usual, browser, INES, away)).headers["location"] == "/"


@pytest.mark.browser
def test_a_passkey_of_whom_the_provider_knows_is_for_emergency_accounts_only(doors: Doors, browser: Browser) -> None:
    door = doors.usual
    staff = door.staff("support", email=KEY.login)
    page = browser.page(lang="en")
    where = {"domain": "portal.parvis.localhost", "path": "/", "httpOnly": True}
    page.context.add_cookies([{"name": "portal", "value": door.session_of(staff), **where}])  # type: ignore[list-item]
    authenticator(page)
    page.goto(f"{door.url}/account?lang=en")
    page.locator('form[action="/account/passkeys"] button').click()
    expect(page.locator('form[action^="/account/passkeys/"]')).to_have_count(1)

    def uses_the_passkey() -> None:
        page.context.clear_cookies()
        page.goto(f"{door.url}/sign-in?lang=en")
        page.locator('form[action="/sign-in/passkey"] button').click()

    # The control: as long as the provider does not know him, his passkey opens the door.
    uses_the_passkey()
    expect(page.locator("h1")).to_contain_text(staff.name)
    assert comes_in(door, KEY).status_code == 303
    uses_the_passkey()
    expect(page.get_by_role("alert").filter(has_text="You come in by the company")).to_be_visible()
    with door.client("operator", locale="en") as operator:
        assert "Too few operators get in while the company" in unescape(operator.get("/staff").text)
        named = send(operator, f"/staff/{staff.id}/emergency")
        assert named.headers["location"] == "/staff?done=emergency"
        assert "Emergency account" in operator.get("/staff").text
        uses_the_passkey()
        expect(page.locator("h1")).to_contain_text(staff.name)
        taken = send(operator, f"/staff/{staff.id}/emergency/removal")
        assert taken.headers["location"] == "/staff?done=emergency-taken"
        page.goto(f"{door.url}/account")
        expect(page).to_have_url(re.compile("/sign-in"))
        own = door.staff("operator", locale="en")
        assert send(operator, f"/staff/{own.id}/emergency").status_code == 409


@pytest.mark.browser
def test_in_a_real_browser_it_takes_one_click_and_the_company_s_page(doors: Doors, browser: Browser) -> None:
    door = doors.usual
    door.staff("support", email=INES.login)
    page = browser.page(lang="fr")
    page.goto(f"{door.url}/organisations")
    assert violations(page) == []
    assert not overflow(page)
    page.get_by_role("link", name="Mon compte d’entreprise").click()
    page.get_by_label("E-mail").fill(INES.login)
    page.get_by_label("Password").fill(INES.password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url(f"{door.url}/organisations")
    expect(page.get_by_role("heading", name="Organisations")).to_be_visible()
