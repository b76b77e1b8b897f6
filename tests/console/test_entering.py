"""The ways into the console: tickets of the very cell, once; set-up links; and who is thrown out when."""

from datetime import UTC, datetime, timedelta

import pytest

from control_plane import identity, placement
from control_plane.audit import SYSTEM
from kit.db import transaction
from kit.vault import Vault
from tenant_app.contract import console_key, mint
from tests.console.asking import token_in
from tests.world.console_door import HOST, ConsoleDoor
from tests.world.house import House


def test_an_administrator_comes_in_by_a_ticket_and_sees_his_organisation(door: ConsoleDoor, house: House) -> None:
    organisation = house.live(name="Ville de Saint-Aubin")
    with door.client(organisation, door.person(organisation, "owner")) as client:
        answer = client.get("/console")
    assert answer.status_code == 200
    assert "Ville de Saint-Aubin" in answer.text
    assert "Karim Ziani" in answer.text


def test_a_ticket_opens_the_console_once(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    entrance = door.entrance(organisation, door.person(organisation))
    with door.anybody() as first, door.anybody() as second:
        assert first.get(entrance).status_code == 303
        refused = second.get(entrance)
        assert refused.status_code == 403
        assert "used already" in refused.text
        assert second.get("/console").status_code == 401
        # Leaving gives the ticket no second life.
        first.post("/console/leave", data={"csrf": token_in(first.get("/console"))})
        assert second.get(entrance).status_code == 403


@pytest.mark.parametrize("role", ["guest", "member"])
def test_who_is_no_administrator_stays_outside(door: ConsoleDoor, house: House, role: str) -> None:
    organisation = house.live()
    with door.anybody() as client:
        answer = client.get(door.entrance(organisation, door.person(organisation, role)))
        assert answer.status_code == 403
        assert "Only administrators" in answer.text
        assert not client.cookies


def test_a_ticket_for_another_host_purpose_or_time_opens_nothing(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    owner = door.person(organisation)
    long_ago = datetime.now(UTC) - timedelta(seconds=90)
    for wrong in ({"host": "acme.parvis.localhost"}, {"purpose": "first_sign_in"}, {"now": long_ago}):
        with door.anybody() as client:
            assert client.get(door.entrance(organisation, owner, **wrong)).status_code == 403, wrong
    # The control: nothing wrong, and it opens.
    with door.anybody() as client:
        assert client.get(door.entrance(organisation, owner)).status_code == 303


def test_another_cells_signature_is_worth_nothing(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    owner = door.person(organisation)
    foreign = mint(console_key(Vault.fresh()).private, HOST, organisation, owner, "console")
    with door.anybody() as client:
        for ticket in (foreign, foreign[:-3] + "AAA", "", "a.b.c", "x" * 5000):
            assert client.get("/console/enter", params={"ticket": ticket}).status_code == 403


def test_a_ticket_names_one_organisation_and_opens_no_other(door: ConsoleDoor, house: House) -> None:
    ours, theirs = house.live(name="La nôtre"), house.live(name="La leur")
    owner = door.person(ours)
    with door.anybody() as client:
        # Signed by the very cell, but the person is nobody there.
        assert client.get(door.entrance(theirs, owner)).status_code == 403
    with door.client(ours, owner) as client:
        page = client.get("/console").text
        assert "La nôtre" in page
        assert "La leur" not in page


def test_who_loses_the_role_or_the_account_is_out_at_the_next_click(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    for change in ("role = 1", "disabled_at = now()"):
        person = door.person(organisation, "administrator")
        with door.client(organisation, person) as client:
            assert client.get("/console").status_code == 200
            door.inside(organisation, f"update principal set {change} where id = %s", person)
            assert client.get("/console").status_code == 401
            door.inside(organisation, "update principal set role = 2, disabled_at = null where id = %s", person)
            # The session has ended: it does not come back with the role.
            assert client.get("/console").status_code == 401


def test_a_session_ends_after_half_an_hour_without_a_click_and_after_eight_hours(
    door: ConsoleDoor, house: House
) -> None:
    organisation = house.live()
    person = door.person(organisation)
    for aged in ("seen_at = now() - interval '31 minutes'", "expires_at = now() - interval '1 second'"):
        with door.client(organisation, person) as client:
            assert client.get("/console").status_code == 200
            house.sql(f"update console_session set {aged} where organisation_id = :id", id=organisation)
            assert client.get("/console").status_code == 401
    told = house.sql("select max(expires_at - created_at) from console_session")
    assert told[0][0] == timedelta(hours=8)


def test_the_cookie_is_the_consoles_alone(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    with door.anybody() as client:
        answer = client.get(door.entrance(organisation, door.person(organisation)))
        cookie = answer.headers["set-cookie"].lower()
        assert cookie.startswith("console=")
        for wanted in ("path=/console", "httponly", "samesite=lax", "max-age=28800"):
            assert wanted in cookie
        stored = house.sql("select token_hash from console_session where organisation_id = :id", id=organisation)
        assert client.cookies["console"].encode() not in bytes(stored[0][0])
        secure = client.get(door.entrance(organisation, door.person(organisation)), headers={"Host": HOST})
        assert secure.status_code == 404


def test_whom_another_site_leads_here_is_asked_first(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    entrance = door.entrance(organisation, door.person(organisation))
    with door.anybody() as client:
        asked = client.get(entrance, headers={"Sec-Fetch-Site": "cross-site"})
        assert asked.status_code == 200
        assert "Open the administration console?" in asked.text
        assert client.get("/console").status_code == 401
        assert client.post(entrance, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert client.post(entrance, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303


def test_a_set_up_link_opens_its_purpose_once_and_nothing_else(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    link = link_of(door, house, organisation, "domains")
    with door.anybody() as client, door.anybody() as second:
        # A scanner that opens links uses nothing up.
        assert client.get(link).status_code == 200
        assert client.get(link).status_code == 200
        assert client.post(link).status_code == 303
        assert second.post(link).status_code == 410
        assert client.get("/console/domains").status_code == 200
        for closed in ("members", "plan", "journal", "journal/export.csv", "support", "links", "sign-in/new"):
            assert client.get(f"/console/{closed}").status_code == 404, closed
        csrf = token_in(client.get("/console/domains"))
        assert client.post("/console/sign-in", data={"csrf": csrf}).status_code == 404
        assert client.post("/console/domains", data={"csrf": csrf, "name": "sevres.example"}).status_code == 303


def test_a_set_up_link_taken_back_throws_out_who_came_by_it(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    link = link_of(door, house, organisation, "sign_in")
    with door.anybody() as client:
        assert client.post(link).status_code == 303
        assert client.get("/console/sign-in/new").status_code == 200
        with transaction(house.engine) as session:
            made = identity.set_up_links(session, organisation)[0]
            identity.revoke_set_up_link(session, organisation, made.id, actor=SYSTEM)
        assert client.get("/console/sign-in/new").status_code == 401


def link_of(door: ConsoleDoor, house: House, organisation, purpose: str) -> str:
    with transaction(house.engine) as session:
        settings = settings_of(door)
        _, url = identity.make_set_up_link(session, settings, organisation, purpose, actor=SYSTEM)
    return url.removeprefix(door.url)


def settings_of(door: ConsoleDoor):
    from types import SimpleNamespace

    return SimpleNamespace(site_url=door.url)


def test_an_organisation_that_lives_nowhere_has_no_console(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    person = door.person(organisation)
    with door.client(organisation, person) as client:
        house.sql("delete from placement where organisation_id = :id", id=organisation)
        assert client.get("/console").status_code == 401
    with transaction(house.engine) as session:
        assert placement.where(session, organisation) is None
