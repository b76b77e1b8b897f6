"""`sso:admin`: what an owner lets a named administrator do, from the next request on and no longer than it stands."""

from uuid import UUID

import httpx
import pytest

from tests.console.asking import send, token_in
from tests.world.console_door import ConsoleDoor
from tests.world.house import House

# Only whoever sets up sign-in meets it; and the forms of the rules and of the directory.
PAGE = "/console/sign-in/new"


def opened(client: httpx.Client) -> set[int]:
    """What that page and these forms answer."""
    token = token_in(client.get("/console"))
    rules = client.post("/console/policy", data={"csrf": token, "networks": "no-network"})
    scim = client.post("/console/provisioning/tokens", data={"csrf": token, "name": ""})
    return {rules.status_code, scim.status_code, client.get(PAGE).status_code}


def verbs(house: House, organisation: UUID) -> list[str]:
    rows = house.sql(
        "select verb from audit_event where organisation_id = :id and verb like 'member.%' order by seq",
        id=organisation,
    )
    return [str(row[0]) for row in rows]


def journal(door: ConsoleDoor, organisation: UUID, person: UUID) -> list[tuple[str, dict[str, object]]]:
    return door.inside(organisation, "select verb, data from journal where object_id = %s order by id", person)


def kept(door: ConsoleDoor, organisation: UUID) -> list[str]:
    return [str(row[0]) for row in door.inside(organisation, "select key from setting where key like 'sso_admin:%%'")]


def test_an_owner_lets_one_administrator_set_up_sign_in_and_takes_it_back_at_once(
    door: ConsoleDoor, house: House
) -> None:
    organisation = house.live()
    named, other = (door.person(organisation, "administrator", name=name) for name in ("Inès Bakkali", "Paul Roy"))
    with (
        door.client(organisation, door.person(organisation)) as owner,
        door.client(organisation, named) as theirs,
        door.client(organisation, other) as others,
    ):
        assert opened(theirs) == {404}
        given = send(owner, f"/members/{named}/sso-admin")
        assert given.headers["location"].endswith("done=sso-admin-given")
        # In the session that was open already; and nobody else's.
        assert opened(theirs) == {200, 422}
        assert opened(others) == {404}
        page = owner.get("/console/members").text
        assert (page.count("Sets up sign-in</span>"), page.count("Take this back")) == (1, 1)
        # It is not for its holder to hand on, to a person or by a link.
        assert theirs.get("/console/links").status_code == 404
        assert send(theirs, "/links", purpose="sign_in").status_code == 404
        assert "Let set up sign-in" not in theirs.get("/console/members").text
        assert send(theirs, f"/members/{other}/sso-admin").status_code == 404
        assert send(theirs, f"/members/{named}/sso-admin/removal").status_code == 404
        assert send(owner, f"/members/{named}/sso-admin").status_code == 303
        assert send(owner, f"/members/{named}/sso-admin/removal").status_code == 303
        assert opened(theirs) == {404}
        assert send(owner, f"/members/{named}/sso-admin/removal").status_code == 303
    told = ["member.sso_admin_given", "member.sso_admin_taken"]
    assert verbs(house, organisation) == told
    assert [verb for verb, _ in journal(door, organisation, named)] == told


@pytest.mark.parametrize("language", ["en", "fr"])
def test_who_is_no_active_administrator_does_not_get_it_and_is_told_why(
    door: ConsoleDoor, house: House, language: str
) -> None:
    organisation = house.live()
    owner = door.person(organisation)
    away = door.person(organisation, "administrator")
    door.inside(organisation, "update principal set disabled_at = now() where id = %s", away)
    members = [door.person(organisation, role) for role in ("member", "guest")]
    words = {"en": "Only an active administrator", "fr": "Seul un administrateur actif"}[language]
    with door.client(organisation, owner, locale=language) as client:
        for one in (*members, away):
            refused = send(client, f"/members/{one}/sso-admin")
            assert (refused.status_code, words in refused.text) == (409, True)
        own = send(client, f"/members/{owner}/sso-admin/removal")
        assert (own.status_code, {"en": "by their role", "fr": "de par leur rôle"}[language] in own.text) == (409, True)
        assert send(client, f"/members/{organisation}/sso-admin").status_code in {404, 409}
        assert opened(client) == {200, 422}
    assert kept(door, organisation) == []


def test_another_role_takes_it_away_for_good(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    named = door.person(organisation, "administrator")
    with door.client(organisation, door.person(organisation)) as owner:
        send(owner, f"/members/{named}/sso-admin")
        # The same role again is no other one.
        send(owner, f"/members/{named}/role", role="administrator")
        assert len(kept(door, organisation)) == 1
        send(owner, f"/members/{named}/role", role="member")
        assert kept(door, organisation) == []
        send(owner, f"/members/{named}/role", role="administrator")
        with door.client(organisation, named) as theirs:
            assert opened(theirs) == {404}
    lost = [data for verb, data in journal(door, organisation, named) if data.get("sso_admin") is False]
    assert [(data["before"], data["role"]) for data in lost] == [(2, 1)]


def test_a_role_changed_beside_the_rooms_shows_why_they_take_it_away(door: ConsoleDoor, house: House) -> None:
    """The control: a demotion that forgets the right (as the release before does) would give it back by itself."""
    organisation = house.live()
    named = door.person(organisation, "administrator")
    with door.client(organisation, door.person(organisation)) as owner:
        send(owner, f"/members/{named}/sso-admin")
        door.inside(organisation, "update principal set role = 1 where id = %s", named)
        assert "Sets up sign-in" not in owner.get("/console/members").text
        door.inside(organisation, "update principal set role = 2 where id = %s", named)
        with door.client(organisation, named) as theirs:
            assert opened(theirs) == {200, 422}
        # Whatever was left behind goes with the next change of role, upwards too.
        door.inside(organisation, "update principal set role = 1 where id = %s", named)
        send(owner, f"/members/{named}/role", role="administrator")
        with door.client(organisation, named) as theirs:
            assert opened(theirs) == {404}


def test_who_is_shut_out_comes_back_with_the_role_and_what_belongs_to_it(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    named = door.person(organisation, "administrator")
    with door.client(organisation, door.person(organisation)) as owner, door.client(organisation, named) as theirs:
        send(owner, f"/members/{named}/sso-admin")
        send(owner, f"/members/{named}/deactivation")
        assert theirs.get("/console").status_code == 401
        send(owner, f"/members/{named}/deactivation/removal")
        with door.client(organisation, named) as again:
            assert opened(again) == {200, 422}
