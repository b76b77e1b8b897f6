"""Two administrators with the same page open: the second one's save is refused, told why, and loses nothing."""

import re
from collections.abc import Iterator
from html import unescape
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import expect

from control_plane import identity
from kit.db import transaction
from tests.console.asking import errors_in, token_in
from tests.console.furnish import proven, saml_connection
from tests.journeys.looking import assert_sound
from tests.world.chromium import Browser
from tests.world.console_door import HOST, ConsoleDoor
from tests.world.house import House


def version(page: str, action: str) -> str:
    """The version that the form of this address was drawn from."""
    found = re.search(rf'<form[^>]* action="{action}"[^>]*>.*?name="revision" value="(\d*)"', page, re.DOTALL)
    assert found, action
    return found[1]


def save(client: httpx.Client, path: str, seen: str, **fields: object) -> httpx.Response:
    """Send what was typed into a page of this version."""
    sent = {"csrf": token_in(client.get("/console")), "revision": seen, **fields}
    return client.post(f"/console{path}", data=sent)


@pytest.fixture
def two(door: ConsoleDoor, house: House) -> Iterator[tuple[UUID, httpx.Client, httpx.Client]]:
    """An organisation with a proven domain and two owners at their desks."""
    organisation = house.live()
    proven(door, organisation, f"deux-{organisation.hex[-8:]}.example")
    owners = [door.person(organisation, name=name) for name in ("Karim Ziani", "Léa Wagner")]
    with door.client(organisation, owners[0]) as first, door.client(organisation, owners[1]) as second:
        yield organisation, first, second


def test_the_second_save_of_the_rules_is_refused_with_what_the_first_one_did(
    house: House, two: tuple[UUID, httpx.Client, httpx.Client]
) -> None:
    organisation, first, second = two
    seen = version(first.get("/console/policy").text, "/console/policy")
    assert version(second.get("/console/policy").text, "/console/policy") == seen
    theirs = {"session_seconds": "28800", "idle_seconds": "900", "networks": "127.0.0.0/8"}
    assert save(first, "/policy", seen, **theirs).status_code == 303
    mine = {"session_seconds": "86400", "second_factor": "1", "networks": "127.0.0.1 192.0.2.0/24"}
    late = save(second, "/policy", seen, **mine)
    assert late.status_code == 412
    told = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", late.text)))
    assert "nothing of yours is saved" in told
    assert re.search(r"Karim Ziani \(member of the organisation, [^)]+\): ", told)
    assert "A session lasts at most → 8 hours" in told
    assert "It ends without a click after → 15 minutes" in told
    assert "Networks → 127.0.0.0/8" in told
    # What was typed is there, and nothing of it is saved.
    assert "127.0.0.1 192.0.2.0/24" in late.text
    assert '<option value="86400" selected>' in late.text
    with transaction(house.engine) as session:
        found = identity.policy(session, organisation)
    assert (found.session_seconds, found.networks, found.second_factor) == (28800, ("127.0.0.0/8",), False)
    # Whoever has read it may save over it.
    again = version(late.text, "/console/policy")
    assert save(second, "/policy", again, **mine).status_code == 303
    with transaction(house.engine) as session:
        assert identity.policy(session, organisation).session_seconds == 86400


def test_without_the_version_the_last_one_wins_unnoticed(
    house: House, two: tuple[UUID, httpx.Client, httpx.Client]
) -> None:
    """The control: a form that tells no version, as the release before drew them."""
    organisation, first, second = two
    assert save(first, "/policy", "", session_seconds="28800").status_code == 303
    assert save(second, "/policy", "", session_seconds="86400").status_code == 303
    with transaction(house.engine) as session:
        assert identity.policy(session, organisation).session_seconds == 86400


def test_a_mistake_in_a_form_does_not_make_it_newer(two: tuple[UUID, httpx.Client, httpx.Client]) -> None:
    _, first, second = two
    seen = version(second.get("/console/policy").text, "/console/policy")
    assert save(first, "/policy", seen, networks="127.0.0.0/8").status_code == 303
    wrong = save(second, "/policy", seen, session_seconds="eight")
    assert (wrong.status_code, set(errors_in(wrong))) == (422, {"session_seconds"})
    assert version(wrong.text, "/console/policy") == seen
    assert save(second, "/policy", version(wrong.text, "/console/policy"), session_seconds="").status_code == 412


@pytest.mark.parametrize("seen", ["-1", "9" * 40, "abc", "٣"])
def test_a_version_that_never_was_is_an_old_one(two: tuple[UUID, httpx.Client, httpx.Client], seen: str) -> None:
    _, first, _ = two
    assert save(first, "/policy", seen, networks="").status_code == 412


def test_a_connection_published_for_the_first_time_is_no_change_of_the_rules(
    door: ConsoleDoor, two: tuple[UUID, httpx.Client, httpx.Client]
) -> None:
    organisation, first, second = two
    seen = version(first.get("/console/policy").text, "/console/policy")
    saml_connection(door, organisation, domains=[])
    assert save(first, "/policy", seen, session_seconds="28800").status_code == 303
    assert save(second, "/policy", seen, session_seconds="86400").status_code == 412


def test_the_other_side_of_a_connection_the_mapping_and_the_stage_go_the_same_way(
    door: ConsoleDoor, house: House, two: tuple[UUID, httpx.Client, httpx.Client]
) -> None:
    organisation, first, second = two
    one = saml_connection(door, organisation, domains=[])
    path, people = f"/sign-in/{one}", f"/sign-in/{one}/people"
    page, mapping = second.get(f"/console{path}").text, second.get(f"/console{people}").text
    seen = version(page, f"/console{path}")
    assert version(page, f"/console{path}/removal") == version(mapping, f"/console{people}") == seen
    roles = {"attribute.email": "mail", "group": ["direction", "agents"], "group_role": ["administrator", "member"]}
    assert save(first, people, seen, **roles, otherwise="guest").status_code == 303
    late = save(second, people, seen, **{**roles, "group": ["élus", "agents"]}, pilot="moi@deux.example")
    told = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", late.text)))
    assert (late.status_code, "Karim Ziani" in told) == (412, True)
    assert re.search(
        r"Groups and roles → (agents: Member, direction: Administrator|direction: .*, agents: Member)", told
    )
    assert ('value="élus"' in late.text, "moi@deux.example" in late.text) == (True, True)
    fields = {"way": "fields", "entity_id": "https://autre.example/", "sso_url": "https://autre.example/sso"}
    late = save(second, path, seen, **fields, name="Un autre nom")
    assert (late.status_code, 'value="Un autre nom"' in late.text) == (412, True)
    assert 'value="https://autre.example/sso"' in late.text
    for step in ({"stage": "tested"}, {"stage": "draft"}):
        assert save(second, f"{path}/stage", seen, **step).status_code == 412
    late = save(second, f"{path}/removal", seen, confirm_name="Entra ID de la mairie")
    assert (late.status_code, "The page shows how it stands now" in late.text) == (412, True)
    with transaction(house.engine) as session:
        kept = identity.connection(session, organisation, one)
    assert (kept.name, dict(kept.roles)["direction"]) == ("Entra ID de la mairie", "administrator")
    # Read again, each goes.
    now = version(late.text, f"/console{path}")
    assert save(second, path, now, **fields, name="Un autre nom").status_code == 303
    assert save(second, f"{path}/removal", str(int(now) + 1), confirm_name="Un autre nom").status_code == 303


def test_the_brake_on_mass_removal_goes_the_same_way(
    house: House, two: tuple[UUID, httpx.Client, httpx.Client]
) -> None:
    organisation, first, second = two
    path = "/console/provisioning/brake"
    seen = version(first.get("/console/provisioning").text, path)
    assert save(first, "/provisioning/brake", seen, brake_percent="5").status_code == 303
    wrong = save(second, "/provisioning/brake", seen, brake_percent="none")
    assert (wrong.status_code, version(wrong.text, path)) == (422, seen)
    late = save(second, "/provisioning/brake", seen, brake_percent="60")
    told = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", late.text)))
    assert late.status_code == 412
    assert re.search(r"Karim Ziani \(member of the organisation, [^)]+\): The brake on mass removal → 5", told), told
    assert re.search(r'name="brake_percent"[^>]* value="60"', late.text)
    with transaction(house.engine) as session:
        assert identity.policy(session, organisation).brake_percent == 5
    # The control: who tells no version writes over it unseen; and whoever has read it may.
    assert save(second, "/provisioning/brake", "", brake_percent="50").status_code == 303
    now = version(second.get("/console/provisioning").text, path)
    assert save(second, "/provisioning/brake", now, brake_percent="60").status_code == 303


def test_a_domain_that_sends_sign_ups_here_is_not_set_back_unseen(
    house: House, two: tuple[UUID, httpx.Client, httpx.Client]
) -> None:
    organisation, first, second = two

    def captures() -> bool:
        with transaction(house.engine) as session:
            [one] = identity.domains(session, organisation)
        return one.capture

    with transaction(house.engine) as session:
        [domain] = identity.domains(session, organisation)
    path = f"/domains/{domain.id}/capture"
    seen = version(first.get("/console/domains").text, f"/console{path}")
    assert (seen, captures()) == ("1", True)
    assert save(first, path, seen).status_code == 303
    late = save(second, path, seen, capture="1")
    told = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", late.text)))
    assert (late.status_code, captures()) == (412, False)
    assert re.search(r"Karim Ziani \([^)]+\): Capture of sign-ups changed", told), told
    assert "The page shows how it stands now" in told
    # Whoever wants what the other did has it already; and who has seen it may change it.
    assert save(second, path, seen).status_code == 303
    now = version(late.text, f"/console{path}")
    assert (save(second, path, now, capture="1").status_code, captures()) == (303, True)
    # The control: a form that does not tell what it showed sets it back.
    assert save(first, path, "").status_code == 303
    assert (save(second, path, "", capture="1").status_code, captures()) == (303, True)


def test_in_french_too(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    owner = door.person(organisation)
    with door.client(organisation, owner) as first, door.client(organisation, owner, locale="fr") as second:
        save(first, "/policy", "0", second_factor="1")
        late = save(second, "/policy", "0", networks="127.0.0.0/8")
    told = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", late.text)))
    assert late.status_code == 412
    assert "rien de votre saisie n’est enregistré" in told
    assert re.search(r"Un second facteur est (exigé|requis|obligatoire)[^→]*→ Oui", told), told


@pytest.mark.browser
@pytest.mark.parametrize(("lang", "phone"), [("fr", True), ("en", False)])
def test_the_refused_save_is_read_first_and_saving_again_goes_through(
    door: ConsoleDoor, house: House, browser: Browser, lang: str, phone: bool
) -> None:
    organisation = house.live()
    context = browser.context(lang=lang, phone=phone, dark=phone, bypass_csp=True)
    session = door.session_of(organisation, door.person(organisation))
    cookie = {"name": "console", "value": session, "domain": HOST, "path": "/console", "httpOnly": True}
    context.add_cookies([{**cookie, "sameSite": "Lax"}])  # type: ignore[list-item]
    mine, theirs = context.new_page(), context.new_page()
    for page in (mine, theirs):
        page.goto(f"{door.url}/console/policy?lang={lang}")
    theirs.locator("#networks").fill("127.0.0.0/8")
    theirs.locator('form[action="/console/policy"] button').click()
    expect(theirs.locator("#networks")).to_have_value("127.0.0.0/8")
    mine.locator("#networks").fill("127.0.0.1")
    mine.locator('form[action="/console/policy"] button').click()
    notice = mine.locator('[aria-labelledby="conflict"]')
    expect(notice).to_be_focused()
    expect(notice).to_contain_text("Karim Ziani")
    expect(mine.locator("#networks")).to_have_value("127.0.0.1")
    assert_sound(mine)
    mine.locator('form[action="/console/policy"] button').click()
    expect(notice).to_have_count(0)
    expect(mine.locator("#networks")).to_have_value("127.0.0.1/32")
    assert browser.complaints == []
