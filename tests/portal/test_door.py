import re

import httpx
import pyotp
import pytest

from control_plane import identity
from kit.db import transaction
from tests.portal.pages import password, token_in
from tests.world.staff_door import PASSWORD, Door


def cookie_of(answer: httpx.Response) -> str:
    found = re.search(r"portal=([^;]+)", answer.headers["set-cookie"])
    assert found
    return found[1]


def test_password_and_code_lead_to_where_one_was_going(door: Door) -> None:
    staff = door.staff("support", email="way@parvis.example")
    with door.anybody() as client:
        sent = client.get("/organisations?state=live")
        assert sent.status_code == 303
        assert client.get(sent.headers["location"]).status_code == 200
        first = password(client, staff.email, next_path="/organisations?state=live")
        assert first.status_code == 303
        page = client.get(first.headers["location"])
        assert 'name="code"' in page.text
        code = {"code": door.code(staff.email), "csrf": token_in(page), "next": "/organisations?state=live"}
        second = client.post("/sign-in/code", data=code)
        assert second.headers["location"] == "/organisations?state=live"
        assert cookie_of(first) != cookie_of(second)
        assert client.get("/organisations").status_code == 200


def test_half_way_in_nothing_opens(door: Door) -> None:
    staff = door.staff("operator", email="half@parvis.example")
    with door.anybody() as client:
        password(client, staff.email)
        for path in ("/", "/organisations", "/tokens", "/account"):
            answer = client.get(path)
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/sign-in/next"), path
        csrf = token_in(client.get("/sign-in/next"))
        assert client.post("/account/passkeys/options", data={"csrf": csrf}).status_code == 303


def test_the_cookie_that_a_browser_brings_is_not_taken_up(door: Door) -> None:
    staff = door.staff("support", email="planted@parvis.example")
    with door.anybody() as client:
        client.cookies.set("portal", "planted-by-somebody", domain="portal.parvis.localhost")
        # The planted cookie is a session's secret to the CSRF check too: a form without its token is stale.
        csrf = token_in(client.get("/sign-in"))
        data = {"email": staff.email, "password": PASSWORD, "csrf": csrf}
        assert cookie_of(client.post("/sign-in", data=data)) != "planted-by-somebody"
    with door.anybody() as client:
        client.cookies.set("portal", "planted-by-somebody", domain="portal.parvis.localhost")
        assert client.get("/").status_code == 303


def test_wrong_passwords_say_how_many_tries_are_left_in_ones_language(door: Door) -> None:
    with door.anybody(headers={"Accept-Language": "fr"}) as client:
        answer = password(client, "nobody-fr@parvis.example", "wrong")
        assert answer.status_code == 422
        assert "Essais restants avant une pause de 10 minutes\u00a0: 4" in answer.text
        assert 'value="nobody-fr@parvis.example"' in answer.text
        assert "wrong" not in answer.text
    with door.anybody(headers={"Accept-Language": "en"}) as client:
        for _ in range(4):
            password(client, "nobody-fr@parvis.example", "wrong")
        answer = password(client, "nobody-fr@parvis.example", "wrong")
        assert answer.status_code == 429
        assert "paused for 10 more minutes" in answer.text
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("away", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_the_door_leads_nowhere_else(door: Door, away: str) -> None:
    staff = door.staff("sales", email="away@parvis.example")
    with door.anybody() as client:
        page = client.get("/sign-in", params={"next": away})
        assert set(re.findall(r'name="next" value="([^"]*)"', page.text)) == {"/"}
        assert "evil" not in password(client, staff.email, next_path=away).headers["location"]


def test_who_has_no_second_factor_sets_one_up_first(door: Door) -> None:
    door.staff("sales", totp=False, email="fresh@parvis.example")
    with door.anybody() as client:
        page = client.get(password(client, "fresh@parvis.example").headers["location"])
        assert "<svg" in page.text
        assert "style=" not in page.text
        sealed = re.search(r'name="sealed" value="([^"]+)"', page.text)
        secret = re.search(r'class="mono small">([A-Z2-7 ]+)<', page.text)
        assert sealed
        assert secret
        code = pyotp.TOTP(secret[1].replace(" ", "")).now()
        wrong = client.post(
            "/sign-in/set-up/codes", data={"csrf": token_in(page), "sealed": sealed[1], "code": "000000"}
        )
        assert wrong.status_code == 422
        assert secret[1] in wrong.text, "the same secret stays on the page"
        done = client.post("/sign-in/set-up/codes", data={"csrf": token_in(page), "sealed": sealed[1], "code": code})
        assert done.headers["location"] == "/"
        assert client.get("/").status_code == 200


def test_signing_out_ends_the_session_for_good(door: Door) -> None:
    with door.client("support") as client:
        stolen = client.cookies["portal"]
        client.post("/sign-out", data={"csrf": token_in(client.get("/account"))})
    with door.anybody() as thief:
        thief.cookies.set("portal", stolen, domain="portal.parvis.localhost")
        assert thief.get("/").status_code == 303


def test_a_session_ended_from_the_account_page_is_refused_at_once(door: Door) -> None:
    with door.client("auditor") as client, door.client("auditor") as other:
        assert other.get("/").status_code == 200
        page = client.get("/account")
        # Others of this module may be open too: each is ended.
        for public_id in re.findall(r'action="/account/sessions/([0-9a-f]+)/end"', page.text):
            client.post(f"/account/sessions/{public_id}/end", data={"csrf": token_in(page)})
        assert other.get("/").status_code == 303
        assert client.get("/").status_code == 200


def test_the_password_is_changed_by_who_knows_it(door: Door) -> None:
    staff = door.staff("sales", email="changing@parvis.example")
    with door.anybody() as client:
        client.cookies.set("portal", door.session_of(staff), domain="portal.parvis.localhost")
        csrf = token_in(client.get("/account"))
        ask = {"csrf": csrf, "password": "wrong", "new_password": "gravier tournesol 77"}
        assert client.post("/account/password", data=ask).status_code == 422
        assert (
            client.post("/account/password", data={**ask, "password": PASSWORD, "new_password": "court"}).status_code
            == 422
        )
        assert client.post("/account/password", data={**ask, "password": PASSWORD}).status_code == 303
    with door.anybody() as client:
        assert password(client, staff.email).status_code == 422
        assert password(client, staff.email, "gravier tournesol 77").status_code == 303


def test_a_token_is_shown_once(door: Door) -> None:
    with door.client("operator") as client:
        csrf = token_in(client.get("/tokens"))
        wrong = client.post("/tokens", data={"csrf": csrf, "name": "", "networks": "nowhere"})
        assert wrong.status_code == 422
        assert "nowhere" in wrong.text
        made = client.post("/tokens", data={"csrf": csrf, "name": "ci", "scopes": ["audit:read", "cells:read"]})
        assert made.status_code == 303
        shown = client.get("/tokens")
        plaintext = re.search(r"pv_[0-9a-f]{10}_[A-Za-z0-9_-]{43}", shown.text)
        assert plaintext
        assert plaintext[0] not in client.get("/tokens").text
        assert plaintext[0] not in made.headers["set-cookie"]
        token_id = re.search(r"/tokens/([0-9a-f-]{36})/rotate", shown.text)
        assert token_id
        assert client.post(f"/tokens/{token_id[1]}/rotate", data={"csrf": csrf}).status_code == 303
        assert client.post(f"/tokens/{token_id[1]}/revoke", data={"csrf": csrf}).status_code == 303


def test_an_operator_adds_resets_and_disables_people_but_not_themselves(door: Door) -> None:
    with door.client("operator") as client, door.anybody() as other:
        csrf = token_in(client.get("/staff"))
        wrong = client.post("/staff", data={"csrf": csrf, "name": "", "email": "no", "role": "king"})
        assert wrong.status_code == 422
        for anchor in ("#name", "#email", "#role"):
            assert f'href="{anchor}"' in wrong.text
        new = {"csrf": csrf, "name": "Léo Petit", "email": "leo@parvis.example", "role": "sales"}
        assert client.post("/staff", data=new).status_code == 303
        drawn = re.search(r'readonly value="([^"]+)"', client.get("/staff").text)
        assert drawn
        assert drawn[1] not in client.get("/staff").text
        assert password(other, "leo@parvis.example", drawn[1]).status_code == 303
        with transaction(door.house.engine) as session:
            made = identity.find_staff(session, "leo@parvis.example")
            me = identity.find_staff(session, "operator-fr@parvis.example")
        assert made
        assert me
        assert client.post(f"/staff/{made.id}/reset", data={"csrf": csrf}).status_code == 303
        other.cookies.clear()
        assert password(other, "leo@parvis.example", drawn[1]).status_code == 422
        assert client.post(f"/staff/{made.id}/disable", data={"csrf": csrf}).status_code == 303
        assert client.post(f"/staff/{me.id}/disable", data={"csrf": csrf}).status_code == 409
        assert client.post(f"/staff/{me.id}/reset", data={"csrf": csrf}).status_code == 409
