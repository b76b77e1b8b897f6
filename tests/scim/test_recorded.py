"""What directories were seen to send, as people recorded it in public threads: their requests' shapes, our own values.

Each test names its recording. What the vendors say that they send is in `test_quirks`.
"""

from typing import Any
from uuid import uuid4

import pytest

from tests.scim.directories import DOMAIN, ENTERPRISE, GROUP, PATCH, USER, Directory, opened
from tests.workspace.houses import House


def an_address() -> str:
    return f"p{uuid4().hex[:10]}@{DOMAIN}"


def values(user: dict[str, Any]) -> dict[str, str]:
    """The e-mails of a user by their type."""
    return {one["type"]: one["value"] for one in user["emails"]}


def test_entra_s_validator_changes_every_part_of_every_address_in_one_request(shared: Directory) -> None:
    """sourcegraph/sourcegraph-public-snapshot pull request 49119."""
    push, work, home = shared, an_address(), an_address()
    made = push.user()
    answer = push.patch(
        f"/Users/{made['id']}",
        {"op": "replace", "path": 'emails[type eq "work"].value', "value": work},
        {"op": "add", "path": 'emails[type eq "home"].value', "value": home},
        {"op": "add", "path": 'emails[type eq "other"].value', "value": "other@example.net"},
        {"op": "replace", "path": 'emails[type eq "work"].display', "value": "At work"},
        {"op": "replace", "path": 'emails[type eq "home"].display', "value": "At home"},
        {"op": "replace", "path": 'emails[type eq "other"].display', "value": "Elsewhere"},
        {"op": "add", "path": 'emails[type eq "work"].primary', "value": False},
        {"op": "replace", "path": 'emails[type eq "home"].primary', "value": True},
    )
    assert answer.status_code == 200, answer.text
    changed = answer.json()
    assert values(changed) == {"work": work, "home": home, "other": "other@example.net"}
    assert [one["type"] for one in changed["emails"] if one.get("primary")] == ["home"]
    assert {one["type"]: one["display"] for one in changed["emails"]} == {
        "work": "At work",
        "home": "At home",
        "other": "Elsewhere",
    }


def test_entra_replaces_an_address_that_is_missing_beside_what_it_has(shared: Directory) -> None:
    """limosa-io/laravel-scim-server issue 34."""
    push, work = shared, an_address()
    made = push.user()
    answer = push.patch(
        f"/Users/{made['id']}",
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": work},
        {"op": "Replace", "path": 'addresses[type eq "work"].formatted', "value": "18/2111"},
        {"op": "Add", "path": f"{ENTERPRISE}:department", "value": "Voirie"},
    )
    assert answer.status_code == 200, answer.text
    assert values(answer.json()) == {"work": work}
    assert answer.json()["addresses"] == [{"type": "work", "formatted": "18/2111"}]
    assert answer.json()[ENTERPRISE] == {"department": "Voirie"}


@pytest.mark.parametrize("op", ["Add", "add", "Replace"])
def test_entra_gives_an_address_to_who_had_none(shared: Directory, op: str) -> None:
    """Captain-P-Goldfish/SCIM-SDK issue 416, Metatavu/keycloak-scim-server issues 35 and 40."""
    push, work = shared, an_address()
    made = push.post("/Users", {"schemas": [USER], "userName": work}).json()
    answer = push.patch(f"/Users/{made['id']}", {"op": op, "path": 'emails[type eq "work"].value', "value": work})
    assert answer.status_code == 200, answer.text
    assert values(answer.json()) == {"work": work}


def test_entra_sends_the_parts_of_an_address_each_for_itself_and_one_address_comes_of_it(shared: Directory) -> None:
    """simpleidserver/SimpleIdServer issue 808, pingidentity/scim2 issue 213, thomaspoignant/scim-patch issue 187."""
    push = shared
    made = push.user()
    parts = {"streetAddress": "54 Grande Rue", "locality": "Sèvres", "postalCode": "92310", "country": "FR"}
    adding = [{"op": "Add", "path": f'addresses[type eq "work"].{name}', "value": part} for name, part in parts.items()]
    other = {"op": "add", "path": 'addresses[type eq "home"].streetAddress', "value": "1 rue du Parc"}
    answer = push.patch(f"/Users/{made['id']}", *adding[:1], other, *adding[1:])
    assert answer.status_code == 200, answer.text
    told = {one["type"]: one for one in answer.json()["addresses"]}
    assert len(answer.json()["addresses"]) == 2
    assert told["work"] == {"type": "work"} | parts


def test_entra_s_validator_marks_an_address_as_the_first(shared: Directory) -> None:
    """elimity-com/scim pull request 152: `primary` is no part of an address in the core schema's JSON."""
    push = shared
    made = push.user(addresses=[{"type": "work", "formatted": "54 Grande Rue"}])
    change = {"op": "replace", "path": 'addresses[type eq "work"].primary', "value": True}
    answer = push.patch(f"/Users/{made['id']}", change)
    assert answer.status_code == 200, answer.text
    assert answer.json()["addresses"] == [{"type": "work", "formatted": "54 Grande Rue", "primary": True}]


def test_entra_sends_application_roles_by_its_own_ways(shared: Directory) -> None:
    """MicrosoftDocs/entra-docs issue 391, MicrosoftDocs/azure-docs issue 50772: an object as text is the value."""
    push, email = shared, an_address()
    role = {"primary": True, "type": "WindowsAzureActiveDirectoryRole", "value": "ADMIN"}
    made = push.post("/Users", {"schemas": [USER], "userName": email, "roles": [role]})
    assert made.status_code == 201, made.text
    person = f"/Users/{made.json()['id']}"
    answer = push.patch(person, {"op": "Replace", "path": 'roles[primary eq "True"].value', "value": "READER"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["roles"] == [role | {"value": "READER"}]
    complex_one = {"value": '{"id":"1","value":"ADMIN","displayName":"Admin"}'}
    assert push.patch(person, {"op": "Add", "path": "roles", "value": [complex_one]}).status_code == 200


def test_entra_changes_an_address_by_bare_text(shared: Directory) -> None:
    """grokability/snipe-it pull request 19183."""
    push, email = shared, an_address()
    made = push.user()
    answer = push.patch(f"/Users/{made['id']}", {"op": "Replace", "path": "emails", "value": email})
    assert answer.status_code == 200, answer.text
    assert push.person(made["id"])[1] == email


def test_entra_takes_one_member_away_without_a_reference(house: House) -> None:
    """apache/directory-scimple issue 436, simpleidserver/SimpleIdServer issue 244."""
    push = opened(house)
    ids = sorted(push.user()["id"] for _ in range(3))
    group = push.group("Voirie", ids)["id"]
    answer = push.patch(f"/Groups/{group}", {"op": "Remove", "path": "members", "value": [{"value": ids[0]}]})
    assert answer.status_code == 200, answer.text
    assert push.members(group) == ids[1:]


def test_okta_adds_a_member_with_his_name_and_no_type(house: House) -> None:
    """Captain-P-Goldfish/SCIM-SDK issue 419."""
    push = opened(house)
    one = push.user()
    group = push.group("Voirie")["id"]
    member = {"value": one["id"], "display": one["userName"].upper()}
    assert push.patch(f"/Groups/{group}", {"op": "add", "path": "members", "value": [member]}).status_code == 200
    assert push.members(group) == [one["id"]]


def test_okta_renames_and_empties_a_group_in_one_operation_without_a_path(house: House) -> None:
    """jelhub/scimgateway issue 113: no `schemas`, and the group's id beside what changes."""
    push = opened(house)
    group = push.group("Voirie", [push.user()["id"]])["id"]
    change = {"members": [], "id": group, "displayName": "Voirie et parcs"}
    answer = push.http.patch(f"/Groups/{group}", json={"Operations": [{"op": "replace", "value": change}]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["displayName"] == "Voirie et parcs"
    assert push.members(group) == []


def test_okta_sends_a_whole_group_whose_members_have_no_name(house: House) -> None:
    """jelhub/scimgateway issue 95."""
    push = opened(house)
    ids = sorted(push.user()["id"] for _ in range(2))
    group = push.group("Voirie")["id"]
    whole = {
        "schemas": [GROUP],
        "id": group,
        "displayName": "Voirie Test",
        "members": [{"value": one, "display": None} for one in ids],
    }
    answer = push.put(f"/Groups/{group}", whole)
    assert answer.status_code == 200, answer.text
    assert push.members(group) == ids


def test_okta_s_client_names_a_character_set_and_deactivates_by_the_whole_user(shared: Directory) -> None:
    """oktadeveloper/okta-blog-archive pull request 1956."""
    push = shared
    made = push.user()
    headers = {
        "Accept": "application/scim+json",
        "Accept-Charset": "utf-8",
        "Content-Type": "application/scim+json; charset=utf-8",
        "User-Agent": "Okta SCIM Client 1.0.0",
    }
    answer = push.http.put(f"/Users/{made['id']}", json={**made, "active": False, "groups": []}, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["active"] is False
    assert push.person(made["id"])[3] is False


def test_keycloak_sends_an_id_of_its_own_which_is_not_taken(shared: Directory) -> None:
    """Captain-P-Goldfish/scim-for-keycloak issue 127: an id, no external one, and an address without a type."""
    push, email, theirs = shared, an_address(), str(uuid4())
    sent = {
        "schemas": [USER],
        "id": theirs,
        "userName": email.partition("@")[0],
        "active": True,
        "name": {"givenName": "Omar", "familyName": "Diallo"},
        "emails": [{"primary": True, "value": email}],
    }
    answer = push.post("/Users", sent)
    assert answer.status_code == 201, answer.text
    assert answer.json()["id"] != theirs
    assert push.get(f"/Users/{theirs}").status_code == 404
    assert push.person(answer.json()["id"])[1] == email


def test_keycloak_whose_address_ends_with_a_slash_asks_with_two(shared: Directory) -> None:
    """Captain-P-Goldfish/scim-for-keycloak issue 127: `…/scim/v2//Users`."""
    push, email = shared, an_address()
    base = str(push.http.base_url).rstrip("/")
    answer = push.http.post(f"{base}//Users", json={"schemas": [USER], "userName": email})
    assert answer.status_code == 201, answer.text
    assert push.http.get(f"{base}//Users/{answer.json()['id']}").json()["userName"] == email


def test_keycloak_gives_our_id_back_as_its_own_with_an_extension_it_does_not_name(shared: Directory) -> None:
    """Captain-P-Goldfish/scim-for-keycloak issue 126."""
    push = shared
    made = push.user()
    email = made["userName"]
    sent = {
        "schemas": [USER],
        "locale": "en_us",
        "emails": [{"primary": True, "value": email}],
        "name": {"givenName": "Omar", "familyName": "Diallo"},
        "timezone": "America/Chicago",
        ENTERPRISE: {"division": "executive", "organization": "example, LLC", "department": "management"},
        "title": "CTO",
        "externalId": made["id"],
        "userName": email,
        "active": True,
    }
    answer = push.put(f"/Users/{made['id']}", sent)
    assert answer.status_code == 200, answer.text
    assert answer.json()[ENTERPRISE]["department"] == "management"
    assert (answer.json()["externalId"], answer.json()["locale"]) == (made["id"], "en_us")


def test_keycloak_that_lost_its_list_of_members_empties_no_group(house: House) -> None:
    """mitodl/keycloak-scim issue 134: a whole group by PUT, without `members`."""
    push = opened(house)
    one = push.user()["id"]
    group = push.group("Voirie", [one])["id"]
    whole = {"schemas": [GROUP], "id": group, "externalId": str(uuid4()), "displayName": "Voirie"}
    assert push.put(f"/Groups/{group}", whole).status_code == 200
    assert push.members(group) == [one]


def test_a_manager_as_an_object_is_told_as_one(shared: Directory) -> None:
    """Budibase/budibase issue 15369: Entra reads no user whose manager is bare text in our answer."""
    push, boss = shared, shared.user()["id"]
    made = push.user()
    for value in (boss, {"value": boss}):
        body = {"schemas": [PATCH], "Operations": [{"op": "Add", "path": f"{ENTERPRISE}:manager", "value": value}]}
        answer = push.http.patch(f"/Users/{made['id']}", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()[ENTERPRISE]["manager"] == {"value": boss}


def test_google_says_plain_json_of_everything_even_of_questions(shared: Directory) -> None:
    """pond/scimitar issue 142 and grokability/snipe-it issue 12642: a search from 1 without a count."""
    push, email = shared, an_address()
    headers = {"Accept": "*/*", "Content-Type": "application/json", "User-Agent": "Google-Auto-Provisioning"}
    asked = {"filter": f'userName eq "{email}"', "startIndex": 1}
    answer = push.get("/Users", params=asked, headers=headers)
    assert (answer.status_code, answer.json()["totalResults"]) == (200, 0)
    sent = {
        "schemas": [USER],
        "userName": email,
        "name": {"givenName": "Nadia", "familyName": "Benali"},
        "emails": [{"value": email, "type": "work", "primary": True}],
        "active": True,
    }
    made = push.post("/Users", sent, headers=headers)
    assert made.status_code == 201, made.text
    assert made.headers["content-type"].startswith("application/scim+json")
    [found] = push.get("/Users", params=asked, headers=headers).json()["Resources"]
    assert found["id"] == made.json()["id"]


def test_entra_tries_the_connection_by_a_name_that_nobody_has_and_names_no_type(shared: Directory) -> None:
    """MicrosoftDocs/azure-docs issue 94189."""
    push = shared
    del push.http.headers["Accept"]
    try:
        answer = push.http.get("/Users", params=f"filter=userName+eq+%22{uuid4()}%22")
    finally:
        push.http.headers["Accept"] = "application/scim+json"
    assert (answer.status_code, answer.json()["totalResults"]) == (200, 0)
    assert answer.headers["content-type"].startswith("application/scim+json")


def test_okta_leaves_the_schemas_out_of_some_users(shared: Directory) -> None:
    """grokability/snipe-it issue 18864."""
    push, email = shared, an_address()
    answer = push.post("/Users", {"userName": email, "emails": [{"value": email, "primary": True, "type": "work"}]})
    assert answer.status_code == 201, answer.text
    assert push.person(answer.json()["id"])[1] == email
