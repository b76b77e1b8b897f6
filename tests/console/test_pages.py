"""What the pages do: members, domains, rules, tokens, links, the journal. Wrong input loses nothing that was typed."""

import csv
import io
import re
from uuid import UUID

import httpx
import pytest

from control_plane import identity
from kit.db import transaction
from tests.console.asking import errors_in, send
from tests.console.furnish import Furnished, proven, waits
from tests.world.console_door import ConsoleDoor
from tests.world.house import House
from tests.world.names import NameServer


def role_of(door: ConsoleDoor, organisation: UUID, person: UUID) -> int:
    return int(door.inside(organisation, "select role from principal where id = %s", person)[0][0])


def verbs(house: House, organisation: UUID) -> list[str]:
    found = house.sql("select verb from audit_event where organisation_id = :id order by seq", id=organisation)
    return [row[0] for row in found]


def agents(page: httpx.Response) -> list[str]:
    return re.findall(r'<span class="strong">(Agent \d\d)</span>', page.text)


def test_members_are_found_page_by_page_and_by_a_part_of_their_name(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    for number in range(60):
        door.person(organisation, "member", name=f"Agent {number:02}")
    with door.client(organisation, door.person(organisation)) as client:
        first = client.get("/console/members")
        following = re.search(r'href="(/console/members\?after=[^"]+)" rel="next"', first.text)
        assert following
        second = client.get(following[1])
        seen = [*agents(first), *agents(second)]
        assert len(seen) == len(set(seen)) == 60
        assert 'rel="next"' not in second.text
        assert agents(client.get("/console/members?q=agent+17")) == ["Agent 17"]
        assert "Nobody fits" in client.get("/console/members?q=nobody+at+all").text


def test_a_role_is_changed_and_the_record_names_who_did_it(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    member, owner = door.person(organisation, "member"), door.person(organisation)
    with door.client(organisation, owner) as client:
        assert send(client, f"/members/{member}/role", role="administrator").status_code == 303
        assert role_of(door, organisation, member) == 2
        refused = send(client, f"/members/{member}/role", role="emperor")
        assert refused.status_code == 422
        assert f'id="p-{member}-e"' in refused.text
    told = house.sql(
        "select actor, data from audit_event where organisation_id = :id and verb = 'member.role_changed'",
        id=organisation,
    )
    assert [(row[0]["kind"], row[0]["id"]) for row in told] == [("member", str(owner))]
    assert told[0][1] == {"person_id": str(member), "before": "member", "after": "administrator"}


def test_taking_access_away_ends_sessions_and_can_be_taken_back(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    colleague = door.person(organisation, "administrator")
    with door.client(organisation, door.person(organisation)) as client:
        with door.client(organisation, colleague) as theirs:
            assert send(client, f"/members/{colleague}/deactivation").status_code == 303
            assert theirs.get("/console").status_code == 401
        assert send(client, f"/members/{colleague}/deactivation/removal").status_code == 303
    assert verbs(house, organisation)[-2:] == ["member.deactivated", "member.reactivated"]


def test_the_last_owner_oneself_and_owners_above_are_guarded(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    door.inside(organisation, "update principal set role = 1 where role = 3")
    owner, administrator = door.person(organisation), door.person(organisation, "administrator")
    with door.client(organisation, owner) as client:
        oneself = send(client, f"/members/{owner}/role", role="member")
        assert (oneself.status_code, "nobody locks themselves out" in oneself.text) == (409, True)
    with door.client(organisation, administrator) as client:
        above = send(client, f"/members/{owner}/deactivation")
        assert (above.status_code, "Only an owner" in above.text) == (403, True)
        made = send(client, f"/members/{door.person(organisation, 'member')}/role", role="owner")
        assert made.status_code == 422
    second = door.person(organisation, "owner")
    with door.client(organisation, second) as client:
        assert send(client, f"/members/{owner}/role", role="administrator").status_code == 303
    assert role_of(door, organisation, owner) == 2


def test_a_domain_is_claimed_checked_proven_and_given_back(
    door: ConsoleDoor, house: House, servers: list[NameServer]
) -> None:
    organisation = house.live()
    with door.client(organisation, door.person(organisation)) as client:
        assert send(client, "/domains", name="acme-console.example").status_code == 303
        with transaction(house.engine) as session:
            one = identity.domains(session, organisation)[0]
        page = client.get("/console/domains").text
        assert one.record_name in page
        assert one.record_value in page
        servers[0].texts[one.record_name] = ["another=1"]
        assert send(client, f"/domains/{one.id}/check").headers["location"].endswith(f"done=unproven#d-{one.id}")
        page = client.get("/console/domains").text
        # Each resolver is named, with what it saw.
        assert all(server.told in page for server in servers)
        assert "<code>another=1</code>" in page
        assert "There is no such name in the DNS yet." in page
        for server in servers:
            server.texts[one.record_name] = [one.record_value]
        assert "done=proven" in send(client, f"/domains/{one.id}/check").headers["location"]
        assert send(client, f"/domains/{one.id}/capture").status_code == 303
        assert send(client, f"/domains/{one.id}/removal").status_code == 303
        assert "acme-console.example" not in client.get("/console/domains").text
    assert [verb for verb in verbs(house, organisation) if verb.startswith("domain.")] == [
        "domain.claimed",
        "domain.proven",
        "domain.capture_set",
        "domain.removed",
    ]


@pytest.mark.parametrize("name", ["gmail.com", "not a domain", "", "co.uk", "ünïcode..example"])
def test_a_domain_that_cannot_be_proven_is_refused_beside_its_field(
    door: ConsoleDoor, furnished: Furnished, name: str
) -> None:
    with door.client(furnished.organisation, furnished.owner) as client:
        refused = send(client, "/domains", name=name)
    assert refused.status_code == 422
    assert set(errors_in(refused)) == {"name"}
    assert f'value="{name}"' in refused.text


def test_rules_are_set_and_wrong_ones_are_shown_with_what_was_typed(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    with door.client(organisation, door.person(organisation)) as client:
        rules = {"session_seconds": "28800", "idle_seconds": "900", "second_factor": "1"}
        refused = send(client, "/policy", **rules, networks="192.0.2.0/24 not-a-network")
        assert refused.status_code == 422
        assert set(errors_in(refused)) == {"networks"}
        assert "not-a-network" in refused.text
        assert '<option value="28800" selected>' in refused.text
        # Networks without one's own address would shut one out.
        own = send(client, "/policy", **rules, networks="192.0.2.0/24")
        assert (own.status_code, "127.0.0.1" in errors_in(own)["networks"]) == (422, True)
        assert send(client, "/policy", **rules, networks="192.0.2.0/24, 127.0.0.0/8").status_code == 303
        with transaction(house.engine) as session:
            found = identity.policy(session, organisation)
        assert (found.session_seconds, found.idle_seconds, found.second_factor) == (28800, 900, True)
        assert found.networks == ("192.0.2.0/24", "127.0.0.0/8")


def test_break_glass_accounts_are_administrators_named_by_their_e_mail(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    keeper = door.person(organisation, "administrator", email="secours@sevres.example", passkeys=1)
    door.person(organisation, "member", email="agent@sevres.example")
    with door.client(organisation, door.person(organisation)) as client:
        for email, words in {
            "agent@sevres.example": "no active administrator",
            "nobody@sevres.example": "Nobody in the workspace",
            "": "Give the e-mail",
        }.items():
            refused = send(client, "/policy/break-glass", email=email)
            assert (refused.status_code, words in errors_in(refused)["email"]) == (422, True), email
        assert send(client, "/policy/break-glass", email="Secours@sevres.example").status_code == 303
        assert "Has a passkey" in client.get("/console/policy").text
        assert send(client, f"/policy/break-glass/{keeper}/removal").status_code == 303
        assert "secours@sevres.example" not in client.get("/console/policy").text


def test_a_scim_token_is_shown_once_and_two_may_be_alive(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    with door.client(organisation, door.person(organisation)) as client:
        plain = []
        for name in ("Entra ID", "Entra ID, suivant"):
            assert send(client, "/provisioning/tokens", name=name).status_code == 303
            shown = re.search(r'id="shown" readonly value="([^"]+)"', client.get("/console/provisioning").text)
            assert shown
            plain.append(shown[1])
        again = client.get("/console/provisioning").text
        assert not any(token in again for token in plain)
        third = send(client, "/provisioning/tokens", name="Un de trop")
        assert third.status_code in {409, 422}
        assert "Un de trop" in third.text
        unnamed = send(client, "/provisioning/tokens", name="")
        assert set(errors_in(unnamed)) == {"name"}
        with transaction(house.engine) as session:
            first = identity.scim_tokens(session, organisation)[-1]
        assert send(client, f"/provisioning/tokens/{first.id}/revocation").status_code == 303
        assert send(client, "/provisioning/tokens", name="Le suivant").status_code == 303
        assert set(errors_in(send(client, "/provisioning/brake", brake_percent="200"))) == {"brake_percent"}
        assert send(client, "/provisioning/brake", brake_percent="35").status_code == 303
    kept = house.sql("select data::text from audit_event where organisation_id = :id", id=organisation)
    assert not any(token in row[0] for row in kept for token in plain)


def test_removals_beyond_the_brake_wait_for_an_administrator(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    leaving, staying = (door.person(organisation, "member", name=name) for name in ("Léa Part", "Jean Reste"))
    owner = door.person(organisation, "owner", name="Karim Ziani")
    removals = {one: waits(door, organisation, one) for one in (leaving, staying, owner)}
    with door.client(organisation, door.person(organisation, "administrator")) as client:
        assert "from 3 people: it waits for you" in client.get("/console").text
        page = client.get("/console/provisioning/removals").text
        assert ("Léa Part" in page, "Jean Reste" in page) == (True, True)
        path = "/provisioning/removals"
        nobody = send(client, f"{path}/approval")
        assert (nobody.status_code, "Choose at least one person" in nobody.text) == (422, True)
        above = send(client, f"{path}/approval", removal=str(removals[owner]))
        assert (above.status_code, "Only an owner" in above.text) == (403, True)
        assert send(client, f"{path}/approval", removal=str(removals[leaving])).status_code == 303
        kept = [str(removals[staying]), str(removals[owner])]
        assert send(client, f"{path}/refusal", removal=kept).status_code == 303
        assert "Nobody waits" in client.get("/console/provisioning/removals").text
        told = client.get("/console/provisioning/events").text
        assert "Removal approved here" in told
        assert "Removal refused here" in told
    active = dict(door.inside(organisation, "select id, disabled_at is null from principal"))
    assert (active[leaving], active[staying], active[owner]) == (False, True, True)
    assert verbs(house, organisation)[-2:] == ["scim_removal.approved", "scim_removal.refused"]


def test_a_set_up_link_is_shown_once_to_the_owner_who_made_it(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    owner = door.person(organisation)
    with door.client(organisation, owner) as client:
        assert set(errors_in(send(client, "/links", purpose="everything"))) == {"purpose"}
        assert send(client, "/links", purpose="domains").status_code == 303
        shown = re.search(r'id="shown" readonly value="([^"]+)"', client.get("/console/links").text)
        assert shown
        assert shown[1].startswith(f"{door.url}/console/set-up/")
        assert shown[1] not in client.get("/console/links").text
        # What waits to be shown is sealed for this session: another one's browser shows nothing of it.
        send(client, "/links", purpose="scim")
        waiting = client.cookies["console-link"]
    with door.client(organisation, owner) as other:
        other.cookies.set("console-link", waiting, domain="parvis.localhost", path="/console")
        assert 'id="shown"' not in other.get("/console/links").text


def test_the_journal_is_read_filtered_and_taken_away(door: ConsoleDoor, house: House) -> None:
    organisation = house.live(name="=cmd|' /C calc'!A0")
    person = door.person(organisation, name="=HYPERLINK(1)")
    with door.client(organisation, person) as client:
        send(client, "/domains", name="journal.example")
        page = client.get("/console/journal?verb=domain.").text
        assert '<span class="strong">Domain claimed</span>' in page
        assert '<span class="strong">Organisation ordered</span>' not in page
        assert client.get("/console/journal?since=yesterday").status_code == 422
        assert 'value="yesterday"' in client.get("/console/journal?since=yesterday").text
        answer = client.get("/console/journal/export.csv")
        assert answer.headers["content-type"].startswith("text/csv")
        assert "attachment" in answer.headers["content-disposition"]
        rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
        assert [row["verb"] for row in rows][::-1] == verbs(house, organisation)
        # A spreadsheet takes nothing that somebody typed for a formula.
        assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
        assert "'=HYPERLINK(1)" in {row["actor_name"] for row in rows}
        told = client.get("/console/journal/export.json?verb=domain.").json()
        assert [event["verb"] for event in told] == ["domain.claimed"]
        assert client.get("/console/journal/export.json?actor=nobody").json() == []


def test_the_export_is_whole_however_long_it_is(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    with door.client(organisation, door.person(organisation)) as client:
        house.sql(
            "insert into audit_event (id, chain, seq, at, organisation_id, actor, verb, data, digest)"
            " select gen_random_uuid(), chain, seq + n, at, organisation_id, actor, 'console.entered', data, digest"
            " from audit_event, generate_series(1000, 1500) n where organisation_id = :id and seq = 1",
            id=organisation,
        )
        told = client.get("/console/journal/export.json").json()
    assert len(told) == len({event["number"] for event in told}) == len(verbs(house, organisation)) > 500


def test_every_page_is_there_in_both_languages(door: ConsoleDoor, furnished: Furnished) -> None:
    for locale in ("fr", "en"):
        with door.client(furnished.organisation, furnished.owner, locale=locale) as client:
            for path in furnished.pages.values():
                answer = client.get(path)
                assert answer.status_code == 200, path
                assert f'<html lang="{locale}">' in answer.text, path


def test_a_domain_in_another_script_is_shown_in_it_with_what_dns_knows(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    dns = f"xn--mairie-vry-h7a.{organisation.hex[-8:]}.example"
    both = f"mairie-évry.{organisation.hex[-8:]}.example ({dns})"
    proven(door, organisation, dns)
    with door.client(organisation, door.person(organisation)) as client:
        made = send(client, "/sign-in", vendor="okta", kind="saml").headers["location"].partition("?")[0]
        assert f">{both}</h2>" in client.get("/console/domains").text
        assert both in client.get("/console/sign-in").text
        people = client.get(f"{made}/people").text
        assert both in people
        # The form sends what DNS knows.
        assert f'value="{dns}" checked' in people


def test_proven_domains_are_offered_to_a_connection(door: ConsoleDoor, house: House) -> None:
    organisation = house.live()
    proven(door, organisation, "offerte.example")
    with door.client(organisation, door.person(organisation)) as client:
        made = send(client, "/sign-in", vendor="okta", kind="saml")
        assert made.status_code == 303
        page = client.get(made.headers["location"].partition("?")[0] + "/people").text
        assert 'value="offerte.example" checked' in page
