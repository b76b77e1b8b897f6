"""Who may what in the console: every declared route, asked by each who could come, and by nobody."""

import re
from collections.abc import Iterator

import httpx
import pytest

from control_plane import identity
from control_plane.audit import SYSTEM
from control_plane.console.permissions import PURPOSES, ROLES, SIGNING_IN, Permission
from kit.db import transaction
from kit.ids import new_id
from tests.console.asking import token_in
from tests.console.furnish import Furnished, settings_of
from tests.matrix.declared import CONSOLE
from tests.world.console_door import ConsoleDoor

GUARDED = {route: Permission(access) for route, access in CONSOLE.items() if access != "public"}
NAMED = "administrator whom an owner lets set up sign-in"
PEOPLE = ("administrator", NAMED, "owner")


def filled(path: str, furnished: Furnished) -> str:
    places = {"connection_id": str(furnished.connection)}
    return re.sub(r"\{(\w+)\}", lambda place: places.get(place[1], str(new_id())), path)


@pytest.fixture(scope="module")
def clients(door: ConsoleDoor, furnished: Furnished) -> Iterator[dict[str, httpx.Client]]:
    """A browser for each who may come in: two roles and what is between them, and a link of each purpose."""
    made = {}
    for who in PEOPLE:
        person = door.person(furnished.organisation, who.split()[0])
        if who == NAMED:
            door.lets_set_up_sign_in(furnished.organisation, person)
        made[who] = door.client(furnished.organisation, person)
    for purpose in PURPOSES:
        with transaction(door.house.engine) as session:
            settings = settings_of(door)
            _, url = identity.make_set_up_link(session, settings, furnished.organisation, purpose, actor=SYSTEM)
        with door.anybody() as once:
            assert once.post(url.removeprefix(door.url)).status_code == 303
            token = once.cookies["console"]
        made[purpose] = door.anybody()
        made[purpose].cookies.set("console", token, domain="parvis.localhost", path="/console")
    yield made
    for client in made.values():
        client.close()


def allowed(who: str, permission: Permission) -> bool:
    if who == NAMED:
        return permission in ROLES["administrator"] | SIGNING_IN
    return permission in (ROLES.get(who) or PURPOSES[who])


@pytest.mark.parametrize("who", [*PEOPLE, *PURPOSES])
def test_each_meets_exactly_the_pages_that_are_theirs(
    clients: dict[str, httpx.Client], furnished: Furnished, who: str
) -> None:
    for route, permission in GUARDED.items():
        method, path = route.split(" ")
        if method == "GET":
            answer = clients[who].get(filled(path, furnished))
            # Nobody of the provider has asked for anything here: there is no such access to read of.
            there = allowed(who, permission) and "{access_id}" not in path
            assert answer.status_code == (200 if there else 404), route


@pytest.mark.parametrize("who", [*PEOPLE, *PURPOSES])
def test_no_write_is_carried_out_for_whom_it_is_not(
    clients: dict[str, httpx.Client], furnished: Furnished, who: str
) -> None:
    token = token_in(clients[who].get("/console"))
    for route, permission in GUARDED.items():
        method, path = route.split(" ")
        if method != "POST":
            continue
        # Without the page's own token nobody writes anything; with it, only whom it is for.
        assert clients[who].post(filled(path, furnished)).status_code in {403, 404}, route
        if not allowed(who, permission):
            assert clients[who].post(filled(path, furnished), data={"csrf": token}).status_code == 404, route


def test_nobody_gets_anything_but_the_closed_door(door: ConsoleDoor, furnished: Furnished) -> None:
    foreign = {"portal": "x" * 43, "parvis": "x" * 43, "follow": "x" * 43, "console": "x" * 43}
    for cookies in ({}, foreign):
        with door.anybody() as client:
            for name, value in cookies.items():
                client.cookies.set(name, value, domain="parvis.localhost")
            for route in GUARDED:
                method, path = route.split(" ")
                answer = client.request(method, filled(path, furnished))
                assert answer.status_code in {401, 403}, route


def test_another_organisations_owner_sees_and_changes_nothing_of_ours(door: ConsoleDoor, furnished: Furnished) -> None:
    other = door.house.live(name="Une autre")
    member = door.person(furnished.organisation, "member")
    with door.client(other, door.person(other)) as client:
        token = token_in(client.get("/console"))
        for route in GUARDED:
            method, path = route.split(" ")
            place = path.replace("{person_id}", str(member))
            if "{" not in path:
                assert "Saint-Aubin" not in client.request("GET", place).text, route
            elif method == "GET" or "break-glass" not in path:
                sent = {"csrf": token} if method == "POST" else None
                answer = client.request(method, filled(place, furnished), data=sent)
                assert answer.status_code == 404, route
    told = door.inside(furnished.organisation, "select role, disabled_at from principal where id = %s", member)
    assert told == [(1, None)]


def test_a_write_from_another_site_or_an_old_page_is_refused(door: ConsoleDoor, furnished: Furnished) -> None:
    with door.client(furnished.organisation, furnished.owner) as client:
        path, sent = "/console/domains", {"name": "ailleurs.example"}
        token = token_in(client.get("/console"))
        foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        assert client.post(path, data={**sent, "csrf": token}, headers=foreign).status_code == 403
        assert client.post(path, data={**sent, "csrf": token[:-4] + "AAAA"}).status_code == 403
        assert "ailleurs.example" not in client.get(path).text
        # The control: the page's own token, from the page itself.
        assert client.post(path, data={**sent, "csrf": token}).status_code == 303
        assert "ailleurs.example" in client.get(path).text


def test_what_one_may_not_do_is_not_shown(clients: dict[str, httpx.Client], furnished: Furnished) -> None:
    shown = {
        who: set(re.findall(r'href="/console/([a-z-]+)"', client.get("/console").text))
        for who, client in clients.items()
    }
    identity_pages = {"domains", "sign-in", "provisioning", "policy"}
    assert (shown["domains"], shown["scim"]) == ({"domains"}, {"provisioning"})
    assert shown["sign_in"] == {"domains", "sign-in"}
    assert shown["administrator"] == identity_pages | {"members", "plan", "support", "journal"}
    assert shown[NAMED] == shown["administrator"]
    assert shown["owner"] == shown["administrator"] | {"links"}
    page = clients["administrator"].get(f"/console/sign-in/{furnished.connection}").text
    assert 'name="metadata_url"' not in page
    assert "/removal" not in page


def test_whoever_came_by_a_link_reads_of_no_person_of_the_organisation(
    clients: dict[str, httpx.Client], furnished: Furnished
) -> None:
    for purpose in PURPOSES:
        for path in furnished.pages.values():
            page = clients[purpose].get(path)
            if page.status_code == 200:
                # Their test runs are theirs to read; the pilot's list is part of what they set up.
                told = page.text.replace("karim@saint-aubin.example</textarea>", "")
                people = ("Karim Ziani", "Inès", "Léa", "Jean Quitte", "karim@saint-aubin.example")
                found = [one for one in people if one in told]
                assert found == [], (purpose, path)
    # The control: an administrator reads them there.
    traces = clients["administrator"].get(f"/console/sign-in/{furnished.connection}/traces").text
    assert "Karim Ziani" in traces
