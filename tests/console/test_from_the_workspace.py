"""From a workspace into its console, in the running product: two processes, one ticket, one key derived twice."""

import re
from html import unescape
from urllib.parse import unquote

import httpx
import pytest
from psycopg import sql

from kit.credentials import new_token, token_hash
from kit.ids import new_id
from tests.matrix.workspaces import cell, open_workspace
from tests.world.product import Product

ADDRESS = "vers-la-console"


def signed_in(product: Product, slot: str, rank: int, way: str) -> str:
    """The token of somebody's session who has just proved himself in this way."""
    person, token = new_id(), new_token()
    with cell(product) as connection:
        connection.execute(sql.SQL("set search_path = {}").format(sql.Identifier(slot)))
        connection.execute(
            "insert into principal (id, kind, name, email, role) values (%s, 'm', 'Karim Ziani', %s, %s)",
            [person, f"{person.hex[-12:]}@people.example", rank],
        )
        connection.execute("insert into credential (id, principal_id, kind) values (%s, %s, 'k')", [new_id(), person])
        connection.execute(
            "insert into session (hash, id, principal_id, way, verified_at, expires_at)"
            " values (%s, %s, %s, %s, now(), now() + interval '1 hour')",
            [token_hash(token).hex(), new_id(), person, way],
        )
    return token


@pytest.fixture(scope="module")
def slot(product: Product) -> str:
    open_workspace(product, ADDRESS)
    with cell(product) as connection:
        found = connection.execute("select slot from directory.tenant where address = %s", [ADDRESS]).fetchone()
    assert found
    return str(found[0])


def asked(product: Product, token: str, way: str = "/console") -> httpx.Response:
    """The button « Open the console » of the workspace."""
    headers = {"Cookie": f"parvis={token}", "Accept": "text/html", "Accept-Language": "en"}
    with product.client(ADDRESS, headers=headers) as client:
        page = client.get(way)
        if page.status_code != 200:
            return page
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text.partition("<main")[2]))
        return client.post("/console", data=fields)


def test_a_passkey_shown_lately_opens_the_console_of_the_very_organisation(product: Product, slot: str) -> None:
    answer = asked(product, signed_in(product, slot, 3, "passkey"))
    assert answer.status_code == 303, answer.text
    entrance = answer.headers["location"]
    assert entrance.startswith(f"{product.url()}/console/enter?ticket=")
    with product.client(headers={"Accept": "text/html", "Accept-Language": "en"}) as client:
        entered = client.get(entrance)
        assert (entered.status_code, entered.headers["location"]) == (303, "/console")
        home = client.get("/console")
        assert home.status_code == 200
        assert "Karim Ziani" in home.text
        assert client.get("/console/sign-in/new").status_code == 200
    with product.client(headers={"Accept": "text/html"}) as again:
        assert again.get(entrance).status_code == 403


def test_a_password_alone_or_a_member_does_not_get_there(product: Product, slot: str) -> None:
    password = asked(product, signed_in(product, slot, 3, "password"))
    assert password.status_code == 303
    assert password.headers["location"].startswith("/confirm")
    assert asked(product, signed_in(product, slot, 1, "passkey")).status_code == 403


@pytest.mark.parametrize(
    ("way", "leads"),
    [
        ("/console?to=removals", "/console/provisioning/removals"),
        ("/console?to=nowhere", "/console"),
        ("/console?to=//evil.example", "/console"),
        ("/console?to=removals%26ticket=x", "/console"),
    ],
)
def test_a_mail_leads_through_the_workspace_to_its_page_of_the_console_and_nowhere_else(
    product: Product, slot: str, way: str, leads: str
) -> None:
    entrance = asked(product, signed_in(product, slot, 3, "passkey"), way).headers["location"]
    with product.client(headers={"Accept": "text/html"}) as client:
        entered = client.get(entrance)
        assert (entered.status_code, entered.headers["location"]) == (303, leads)


def test_who_is_led_here_by_another_site_goes_on_to_the_same_page_once_he_agrees(product: Product, slot: str) -> None:
    entrance = asked(product, signed_in(product, slot, 3, "passkey"), "/console?to=removals").headers["location"]
    with product.client(headers={"Accept": "text/html"}) as client:
        question = client.get(entrance, headers={"Sec-Fetch-Site": "cross-site"})
        action = re.search(r'action="(/console/enter[^"]+)"', question.text)
        assert action
        entered = client.post(unescape(action[1]), headers={"Origin": product.url()})
        assert (entered.status_code, entered.headers["location"]) == (303, "/console/provisioning/removals")


def test_who_must_prove_himself_first_is_led_on_to_the_page_that_he_wanted(product: Product, slot: str) -> None:
    answer = asked(product, signed_in(product, slot, 3, "password"), "/console?to=removals")
    assert unquote(answer.headers["location"]) == "/confirm?next=/console?to=removals"
    plain = asked(product, signed_in(product, slot, 3, "password"), "/console?to=//evil.example")
    assert unquote(plain.headers["location"]) == "/confirm?next=/console"
