"""Sessions that the staff's own OpenID Connect vouches for: asked again, over in time, ended there and here."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import update

from control_plane import identity
from control_plane.identity import StaffSession
from control_plane.identity.models import StaffLink
from kit.credentials import token_hash
from kit.db import transaction
from tests.portal.company import (
    BEGIN,
    CALLBACK,
    LOGOUT,
    SIGNED_OUT,
    inside,
    make_due,
    minutes_left,
    of,
    open_doors,
    set_back,
    there_and_back,
    way_back,
)
from tests.portal.pages import send, token_in
from tests.world.back_channel import back_channel
from tests.world.house import House
from tests.world.openid import OpenIDProvider, User, Visitor
from tests.world.staff_door import Door

EVA = User("eva@parvis.example")
TOM = User("tom@parvis.example")
GONE = User("gone@parvis.example")
PROMOTED = User("promoted@parvis.example", ("parvis-operators",))
USERS = (EVA, TOM, GONE, PROMOTED)


@dataclass(frozen=True)
class Doors:
    """A portal, its provider, and what that one told of ended sessions."""

    usual: Door
    provider: OpenIDProvider
    told: list[str]


@pytest.fixture(scope="module")
def doors(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder = tmp_path_factory.mktemp("sessions")
    with (
        back_channel() as (heard, tokens),
        open_doors(house, folder, USERS, [{}], backchannel_logout_uri=heard) as (provider, (usual,)),
    ):
        yield Doors(usual, provider, tokens)


@pytest.fixture
def browser(doors: Doors) -> Iterator[httpx.Client]:
    with doors.usual.anybody(headers={"Accept-Language": "en"}) as opened:
        yield opened


@pytest.fixture
def visitor() -> Iterator[Visitor]:
    """The same person's browser, at the provider."""
    with Visitor() as opened:
        yield opened


def comes_in(door: Door, browser: httpx.Client, visitor: Visitor, user: User) -> str:
    """Signs in by the provider; gives the session's token."""
    door.staff("support", email=user.login)
    begun = browser.get(BEGIN)
    assert browser.get(there_and_back(door, visitor, begun, user)).status_code == 303
    return browser.cookies["portal"]


def test_a_session_lasts_an_hour_by_the_provider_s_word_and_longer_by_a_passkey(
    doors: Doors, browser: httpx.Client, visitor: Visitor
) -> None:
    token = comes_in(doors.usual, browser, visitor, EVA)
    assert 50 < minutes_left(doors.usual, token) <= 60
    set_back(doors.usual, token, expires_at=datetime.now(UTC))
    assert not inside(browser)
    # The control: what the provider did not vouch for.
    other = doors.usual.session_of(doors.usual.staff("support", email=EVA.login))
    assert 700 < minutes_left(doors.usual, other) <= 720


def test_from_half_of_it_on_the_next_page_goes_by_the_provider_and_the_session_goes_on(
    doors: Doors, browser: httpx.Client, visitor: Visitor
) -> None:
    door = doors.usual
    token = comes_in(door, browser, visitor, EVA)
    csrf = token_in(browser.get("/account"))
    make_due(door, token)
    sent = browser.get("/organisations?state=live")
    assert sent.headers["location"] == f"{BEGIN}?next=/organisations%3Fstate%3Dlive"
    begun = browser.get(sent.headers["location"])
    assert parse_qs(urlsplit(begun.headers["location"]).query)["login_hint"] == [EVA.login]
    # The provider knows him: no page of it shows.
    back, _ = visitor.follow(visitor.http.get(begun.headers["location"]), f"{door.url}{CALLBACK}")
    assert back is not None
    assert browser.get(back).headers["location"] == "/organisations?state=live"
    assert browser.cookies["portal"] == token
    assert minutes_left(door, token) > 50
    assert browser.get("/organisations").status_code == 200
    # A form from before can still be sent.
    assert browser.post("/account/language", data={"locale": "en", "csrf": csrf}).status_code == 303


def test_forms_and_scripts_are_not_sent_on_the_detour(doors: Doors, browser: httpx.Client, visitor: Visitor) -> None:
    token = comes_in(doors.usual, browser, visitor, EVA)
    csrf = token_in(browser.get("/account"))
    make_due(doors.usual, token)
    answer = browser.post("/account/language", data={"locale": "en", "csrf": csrf})
    assert answer.headers["location"].startswith("/account")
    assert browser.get("/palette?q=x", headers={"Sec-Fetch-Mode": "cors"}).status_code == 200
    assert browser.get("/account", headers={"Sec-Fetch-Mode": "navigate"}).headers["location"].startswith(BEGIN)


def test_who_turns_round_at_the_provider_is_not_held_fast(
    doors: Doors, browser: httpx.Client, visitor: Visitor
) -> None:
    token = comes_in(doors.usual, browser, visitor, EVA)
    make_due(doors.usual, token)
    assert browser.get("/organisations").status_code == 303
    assert browser.get(f"{BEGIN}?next=/organisations").status_code == 303
    assert browser.get("/organisations").status_code == 200
    assert minutes_left(doors.usual, token) <= 20


def test_who_has_lost_his_role_there_loses_every_session_here(
    doors: Doors, browser: httpx.Client, visitor: Visitor
) -> None:
    door = doors.usual
    token = comes_in(door, browser, visitor, GONE)
    staff = door.staff("support", email=GONE.login)
    other = door.session_of(staff)
    with transaction(door.house.engine) as session:
        session.execute(update(StaffLink).where(StaffLink.staff_id == staff.id).values(gives_role=True))
    make_due(door, token)
    answer = browser.get(there_and_back(door, visitor, browser.get(BEGIN), GONE))
    assert answer.status_code == 422
    assert "no role here any more" in answer.text
    assert of(door, token) is None
    assert of(door, other) is None


def test_whose_role_has_changed_there_goes_on_by_a_new_session(
    doors: Doors, browser: httpx.Client, visitor: Visitor
) -> None:
    door = doors.usual
    token = comes_in(door, browser, visitor, PROMOTED)
    with transaction(door.house.engine) as session:
        staff = identity.find_staff(session, PROMOTED.login)
        assert staff is not None
        staff.role = "sales"
    make_due(door, token)
    assert browser.get("/staff").status_code == 303
    assert browser.get(there_and_back(door, visitor, browser.get(BEGIN), PROMOTED)).status_code == 303
    assert browser.get("/staff").status_code == 200
    assert browser.cookies["portal"] != token
    assert of(door, token) is None


def test_somebody_else_at_the_provider_takes_no_session_over(
    doors: Doors, browser: httpx.Client, visitor: Visitor
) -> None:
    door = doors.usual
    token = comes_in(door, browser, visitor, EVA)
    door.staff("sales", email=TOM.login)
    make_due(door, token)
    assert browser.get(way_back(door, browser, TOM)).status_code == 303
    assert browser.cookies["portal"] != token
    assert of(door, token) is None
    assert TOM.login in browser.get("/account").text


def test_who_is_refused_by_the_provider_is_signed_out(doors: Doors, browser: httpx.Client, visitor: Visitor) -> None:
    token = comes_in(doors.usual, browser, visitor, EVA)
    make_due(doors.usual, token)
    assert browser.get(way_back(doors.usual, browser, EVA, allow="no")).status_code == 422
    assert not inside(browser)


def test_no_session_gets_older_than_half_a_day(doors: Doors, browser: httpx.Client, visitor: Visitor) -> None:
    door = doors.usual
    token = comes_in(door, browser, visitor, EVA)
    make_due(door, token)
    set_back(door, token, created_at=datetime.now(UTC) - timedelta(hours=11, minutes=30))
    assert browser.get(there_and_back(door, visitor, browser.get(BEGIN), EVA)).status_code == 303
    assert browser.cookies["portal"] != token
    assert of(door, token) is None


def onward(answer: httpx.Response) -> str:
    """Where a page goes on to by itself."""
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.text)
    assert found, "the page stays"
    return unescape(found[1])


def test_signing_out_ends_the_session_here_and_then_at_the_provider(
    doors: Doors, browser: httpx.Client, visitor: Visitor
) -> None:
    door = doors.usual
    token = comes_in(door, browser, visitor, EVA)
    assert browser.get(SIGNED_OUT).headers["location"] == "/"
    answer = send(browser, "/sign-out")
    # Before anything was asked of the provider.
    assert of(door, token) is None
    assert not inside(browser)
    there = onward(answer)
    assert there.startswith(doors.provider.issuer)
    assert "id_token_hint=" in there
    back = visitor.sign_out(there, f"{door.url}{SIGNED_OUT}")
    assert browser.get(back).status_code == 200
    _, page = visitor.follow(visitor.http.get(browser.get(BEGIN).headers["location"]), door.url)
    assert 'name="password"' in page.text


def test_one_may_sign_out_here_only(doors: Doors, browser: httpx.Client, visitor: Visitor) -> None:
    token = comes_in(doors.usual, browser, visitor, EVA)
    assert 'name="here"' in browser.get("/account").text
    answer = send(browser, "/sign-out", here="1")
    assert "You are still signed in at the company" in answer.text
    assert "refresh" not in answer.text
    assert of(doors.usual, token) is None
    # The control: a session that the provider has not vouched for has one way out.
    with doors.usual.client("support") as usual:
        assert 'name="here"' not in usual.get("/account").text
        assert send(usual, "/sign-out").headers["location"] == "/sign-in"


def test_the_provider_ends_the_sessions_of_whom_it_signs_out(
    doors: Doors, browser: httpx.Client, visitor: Visitor
) -> None:
    door = doors.usual
    token = comes_in(door, browser, visitor, EVA)
    other = door.session_of(door.staff("support", email=EVA.login))
    with door.anybody() as second, Visitor() as elsewhere:
        kept = comes_in(door, second, elsewhere, EVA)
        doors.told.clear()
        # He signs out there, by whatever application; here nothing is known of it yet.
        with transaction(door.house.engine) as session:
            found = session.get_one(StaffSession, token_hash(token))
            hint = door.house.vault.open(found.id_token_sealed or "", f"staff-id-token:{found.staff_id}")
        provider = f"{doors.provider.issuer}/session/end?client_id=portal-{door.port}&id_token_hint={hint}"
        visitor.submit(visitor.http.get(provider), door.url, logout="yes")
        assert doors.provider.said(f"told portal-{door.port}")
        assert inside(browser)
        with door.anybody() as provider_itself:
            for wrong in ("", "no.token.at-all", hint):
                assert provider_itself.post(LOGOUT, data={"logout_token": wrong}).status_code == 422
            assert inside(browser)
            said = {"logout_token": doors.told[0]}
            # Another site and no cookie: the signature alone proves it.
            headers = {"Origin": doors.provider.issuer, "Sec-Fetch-Site": "cross-site"}
            assert provider_itself.post(LOGOUT, data=said, headers=headers).status_code == 200
            assert not inside(browser)
            assert provider_itself.post(LOGOUT, data=said, headers=headers).status_code == 422
        # Neither his session of another sign-in there, nor the one that the provider did not vouch for.
        assert inside(second)
        assert of(door, kept) is not None
    assert of(door, other) is not None
