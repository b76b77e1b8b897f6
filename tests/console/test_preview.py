"""The preview of a mapping: what it makes of named people, with what is known of them, before anything is saved."""

import re
from html import unescape
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import expect
from psycopg.types.json import Jsonb

from control_plane import identity
from control_plane.audit import SYSTEM
from control_plane.identity import PolicyChange
from kit.db import transaction
from kit.ids import new_id
from tests.console.asking import errors_in, token_in
from tests.console.furnish import saml_connection, settings_of
from tests.journeys.looking import assert_sound
from tests.world.chromium import Browser
from tests.world.console_door import HOST, ConsoleDoor
from tests.world.house import House

GROUPS = {"group": ["direction", "agents", "eleves-42"], "group_role": ["administrator", "member", "guest"]}


def came(door: ConsoleDoor, place: tuple[UUID, UUID], person: UUID, groups: object, minutes: int = 5) -> None:
    """A sign-in by the connection, some minutes ago."""
    claims, (organisation, connection) = {"subject": "x", "groups": groups}, place
    door.inside(
        organisation,
        "insert into sso_trace (id, connection_id, purpose, outcome, principal_id, data, created_at)"
        " values (%s, %s, 'sign_in', 'ok', %s, %s, now() - make_interval(mins => %s))",
        *(new_id(), connection, person, Jsonb({"claims": claims, "result": {"action": "signed_in"}}), minutes),
    )


def pushed(door: ConsoleDoor, organisation: UUID, person: UUID, name: str, external: str | None = None) -> None:
    """A group of the directory with this person in it."""
    group = new_id()
    door.inside(
        organisation,
        "insert into scim_user (id, key, data) values (%s, %s, '{}') on conflict do nothing",
        *(person, str(person)),
    )
    door.inside(
        organisation,
        "insert into scim_group (id, key, external_id, data) values (%s, %s, %s, %s)",
        *(group, name.casefold(), external, Jsonb({"displayName": name})),
    )
    door.inside(organisation, "insert into scim_group_member (group_id, user_id) values (%s, %s)", group, person)


def rows(answer: httpx.Response) -> dict[str, list[str]]:
    """Name → what stands in the other cells of the preview."""
    table = answer.text.partition('id="preview"')[2]
    found = {}
    for row in re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", table, re.DOTALL):
        cells = [unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", cell))).strip() for cell in row.split("<td")]
        found[cells[0]] = [cell.partition(">")[2].strip() for cell in cells[1:]]
    return found


@pytest.fixture
def place(door: ConsoleDoor, house: House) -> tuple[UUID, UUID]:
    """An organisation and its connection, which gives no roles yet."""
    organisation = house.live()
    return organisation, saml_connection(
        door, organisation, domains=[], attributes={"email": "mail", "groups": "groups"}
    )


def tried(client: httpx.Client, connection: UUID, people: str, **fields: object) -> httpx.Response:
    sent = {"csrf": token_in(client.get("/console")), "revision": "1", "groups": people, **GROUPS, **fields}
    return client.post(f"/console/sign-in/{connection}/people/preview", data=sent)


def test_named_people_are_looked_up_and_told_what_the_typed_mapping_makes_of_them(
    door: ConsoleDoor, house: House, place: tuple[UUID, UUID]
) -> None:
    organisation, connection = place
    owner = door.person(organisation)
    ines = door.person(organisation, "member", name="Inès Bakkali", email="ines@sevres.example")
    came(door, place, ines, ["agents"], minutes=90)
    came(door, place, ines, ["direction", "autres"])
    paul = door.person(organisation, "member", name="Paul Roy")
    pushed(door, organisation, paul, "Élèves", external="eleves-42")
    keeper = door.person(organisation, "administrator", name="Compte de secours")
    with transaction(house.engine) as session:
        identity.set_policy(session, organisation, PolicyChange(break_glass=[keeper]), actor=SYSTEM)
    door.person(organisation, "member", name="Awa Diop")
    asked = "INES@sevres.example\nPaul Roy\npaul roy: direction\nAwa Diop\nCompte de secours\nKaram: agents\nagents, x"
    with door.client(organisation, owner) as client:
        answer = tried(client, connection, asked, otherwise="")
        assert answer.status_code == 200
        assert 'value="eleves-42"' in answer.text
        found = rows(answer)
        with transaction(house.engine) as session:
            assert identity.connection(session, organisation, connection).roles == {}
        # The same by what was saved, which is nothing: everybody keeps what he is.
        saved = rows(client.get(f"/console/sign-in/{connection}/people", params={"groups": "ines@sevres.example"}))
    mine = found["Inès Bakkali ines@sevres.example"]
    assert (mine[0].startswith("direction, autres"), "last sign-in or test" in mine[0]) == (True, True)
    assert mine[1:] == ["Member", "Administrator"]
    assert saved["Inès Bakkali ines@sevres.example"][2].startswith("Member No group gives a role here")
    # Under one name, the last line stands: what was typed counts before what is known.
    told = {name.partition(" ")[0]: cells for name, cells in found.items()}
    assert (told["Paul"][0].startswith("direction"), told["Paul"][2]) == (True, "Administrator")
    assert ("no groups known" in told["Awa"][0], told["Awa"][2]) == (True, "Refused")
    assert told["Compte"][2].startswith("Administrator Break-glass accounts keep")
    assert (told["Karam"][1:], told["agents,"][1:]) == (["—", "Member"], ["—", "Member"])


def test_groups_that_the_directory_pushed_count_by_each_of_their_names(
    door: ConsoleDoor, place: tuple[UUID, UUID]
) -> None:
    organisation, connection = place
    paul = door.person(organisation, "member", name="Paul Roy", email="paul@sevres.example")
    pushed(door, organisation, paul, "Élèves", external="eleves-42")
    with door.client(organisation, door.person(organisation), locale="fr") as client:
        found = rows(tried(client, connection, "paul@sevres.example", otherwise="member"))
    [cells] = found.values()
    assert cells[0].startswith("Élèves groupes envoyés par l’annuaire")
    assert cells[1:] == ["Membre", "Invité"]


def test_a_mistake_is_shown_beside_its_field_and_nothing_is_previewed(
    door: ConsoleDoor, place: tuple[UUID, UUID]
) -> None:
    organisation, connection = place
    with door.client(organisation, door.person(organisation)) as client:
        twice = tried(client, connection, "agents", group=["agents", "agents"], group_role=["guest", "member"])
        assert (twice.status_code, set(errors_in(twice)), rows(twice)) == (422, {"roles"}, {})
        above = tried(client, connection, "agents", group=["agents"], group_role=["owner"])
        assert (above.status_code, rows(above)) == (422, {})
        assert set(errors_in(tried(client, connection, "agents", otherwise="owner"))) == {"otherwise"}
        assert rows(tried(client, connection, "agents\n" * 200)) != {}


def test_whoever_came_by_a_link_looks_nobody_up(door: ConsoleDoor, house: House, place: tuple[UUID, UUID]) -> None:
    organisation, connection = place
    ines = door.person(organisation, "member", name="Inès Bakkali", email="ines@sevres.example")
    came(door, place, ines, ["direction"])
    with transaction(house.engine) as session:
        _, url = identity.make_set_up_link(session, settings_of(door), organisation, "sign_in", actor=SYSTEM)
    with door.anybody() as client:
        client.post(url.removeprefix(door.url))
        found = rows(tried(client, connection, "ines@sevres.example\nKaram: direction", otherwise="guest"))
    # It is all the same whether somebody has this e-mail or not.
    assert found == {
        "ines@sevres.example": ["aucun groupe connu : saisissez-les après un deux-points", "—", "Invité"],
        "Karam": ["direction groupes saisis par vous", "—", "Administration"],
    }


@pytest.mark.browser
@pytest.mark.parametrize(("lang", "phone"), [("fr", False), ("en", True)])
def test_the_typed_mapping_stays_typed_beside_its_preview(
    door: ConsoleDoor, place: tuple[UUID, UUID], browser: Browser, lang: str, phone: bool
) -> None:
    organisation, connection = place
    ines = door.person(organisation, "member", name="Inès Bakkali")
    came(door, place, ines, ["direction"])
    context = browser.context(lang=lang, phone=phone, dark=phone, bypass_csp=True)
    session = door.session_of(organisation, door.person(organisation))
    cookie = {"name": "console", "value": session, "domain": HOST, "path": "/console", "httpOnly": True}
    context.add_cookies([{**cookie, "sameSite": "Lax"}])  # type: ignore[list-item]
    page = context.new_page()
    page.goto(f"{door.url}/console/sign-in/{connection}/people?lang={lang}")
    page.locator('[name="group"]').first.fill("direction")
    page.locator('[name="group_role"]').first.select_option("administrator")
    page.locator("#groups").fill("Inès Bakkali")
    page.locator("#preview button").click()
    expect(page.locator("#preview tbody")).to_contain_text({"fr": "Administration", "en": "Administrator"}[lang])
    expect(page.locator('[name="group"]').first).to_have_value("direction")
    assert_sound(page)
    # The button below the preview saves nothing, the one of the form does.
    page.goto(f"{door.url}/console/sign-in/{connection}/people")
    expect(page.locator('[name="group"]').first).to_have_value("")
    assert browser.complaints == []
