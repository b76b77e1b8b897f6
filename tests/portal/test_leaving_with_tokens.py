"""An operator leaves who answers for tokens: whoever disables him sees them first, and takes over what must go on."""

from html import unescape
from uuid import uuid4

import pytest

from control_plane import identity
from control_plane.identity import ApiToken, Scope, Staff
from kit.db import transaction
from tests.journeys.looking import assert_sound
from tests.portal.pages import send, signed_in
from tests.world.chromium import Browser
from tests.world.staff_door import Door


def leaver(door: Door, name: str = "nightly import") -> tuple[Staff, ApiToken]:
    """Somebody new, who answers for a token."""
    staff = door.staff("operator", email=f"leaver-{uuid4().hex[:8]}@parvis.example")
    with transaction(door.house.engine) as session:
        token, _ = identity.issue_token(session, name, [Scope.OFFERS_READ], None, (), identity.actor_of(staff))
    return staff, token


def stands(door: Door, token: ApiToken) -> tuple[str, bool]:
    """Who answers for the token, and whether it works."""
    with transaction(door.house.engine) as session:
        owner_id = identity.token(session, token.id).owner_id
        assert owner_id is not None
        owner = identity.owners(session)[owner_id]
        return owner.email, owner.answers


def gone(door: Door, staff: Staff) -> bool:
    with transaction(door.house.engine) as session:
        return session.get_one(Staff, staff.id).disabled_at is not None


def test_the_tokens_are_shown_before_anybody_is_disabled_and_taken_over(door: Door) -> None:
    staff, token = leaver(door)
    me = door.staff("operator", locale="en")
    with door.client("operator", locale="en") as operator:
        asked = send(operator, f"/staff/{staff.id}/disable")
        assert (asked.status_code, gone(door, staff)) == (409, False)
        assert f"pv_{token.prefix}_" in asked.text
        assert "answers for API tokens that stop with this account" in unescape(asked.text)
        done = send(operator, f"/staff/{staff.id}/disable", tokens="mine")
        assert (done.headers["location"], gone(door, staff)) == ("/staff?done=disabled", True)
    assert stands(door, token) == (me.email, True)


def test_stopped_tokens_are_shown_as_such_and_can_be_taken_over_later(door: Door) -> None:
    staff, token = leaver(door)
    me = door.staff("operator", locale="en")
    with door.client("operator", locale="en") as operator:
        assert send(operator, f"/staff/{staff.id}/disable", tokens="stop").status_code == 303
        assert stands(door, token) == (staff.email, False)
        row = operator.get("/tokens").text.partition(token.prefix)[2].partition("</tr>")[0]
        assert "Stopped: its owner is no operator any more" in row
        taken = send(operator, f"/tokens/{token.id}/owner")
        assert taken.headers["location"] == "/tokens?done=token-taken-over"
    assert stands(door, token) == (me.email, True)
    # The control: who answers for none is disabled at once.
    other = door.staff("operator", email=f"leaver-{uuid4().hex[:8]}@parvis.example")
    with door.client("operator", locale="en") as operator:
        assert send(operator, f"/staff/{other.id}/disable").status_code == 303


@pytest.mark.browser
@pytest.mark.parametrize(("lang", "phone"), [("fr", True), ("en", False)])
def test_the_pages_are_sound(browser: Browser, door: Door, lang: str, phone: bool) -> None:
    staff, _ = leaver(door)
    stopped, _ = leaver(door, "backup")
    with door.client("operator", locale="en") as operator:
        send(operator, f"/staff/{stopped.id}/disable", tokens="stop")
    page = signed_in(browser, door, locale=lang, phone=phone, dark=phone, bypass_csp=True)
    page.goto(f"{door.url}/staff")
    page.locator(f'form[action="/staff/{staff.id}/disable"] button').click()
    page.locator("#h-leaving").wait_for()
    assert_sound(page)
    page.goto(f"{door.url}/tokens")
    assert_sound(page)
    assert [one for one in browser.complaints if "409" not in one] == []
