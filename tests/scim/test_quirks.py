"""What the four great directories really send, written down from what is published about them.

Entra: Microsoft's "Develop and plan provisioning for a SCIM endpoint" (learn.microsoft.com), and where it sends other
things than that page says: MicrosoftDocs/azure-docs issue 30826 and Captain-P-Goldfish/SCIM-SDK issue 149 (members
named in the value of a remove), scimmyjs/scimmy issue 86 and pond/scimitar issue 43 (booleans as words),
apache/directory-scimple pull request 1244 (a manager as bare text).
Okta: "Okta and SCIM Version 2.0" (developer.okta.com).
Google: "Automated user provisioning" as authn.sh's guide to Google Workspace describes its requests: a probe by
`count=1`, whole users by PUT, DELETE of who leaves the scope.
Keycloak: the README and sources of mitodl/keycloak-scim, its SCIM client: whole users and groups by PUT, no PATCH.
"""

from typing import Any
from uuid import uuid4

import pytest

from tests.scim.directories import DOMAIN, ENTERPRISE, GROUP, USER, Directory, opened
from tests.workspace.houses import House


def found(push: Directory, condition: str, **more: Any) -> list[dict[str, Any]]:
    answer = push.get("/Users", params={"filter": condition, **more})
    assert answer.status_code == 200, answer.text
    resources: list[dict[str, Any]] = answer.json()["Resources"]
    return resources


def entra_user(name: str) -> dict[str, Any]:
    email = f"{name}@{DOMAIN}"
    return {
        "schemas": [USER, ENTERPRISE],
        "externalId": str(uuid4()),
        "userName": email,
        "active": True,
        "displayName": "Léa Wagner",
        "emails": [{"primary": True, "type": "work", "value": email}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "Léa Wagner", "familyName": "Wagner", "givenName": "Léa"},
        "roles": [],
        ENTERPRISE: {"department": "Voirie", "manager": {"value": "", "displayName": ""}},
    }


def test_entra_s_life_of_a_user(house: House) -> None:
    push = opened(house)
    assert found(push, f'userName eq "lea@{DOMAIN}"') == []
    sent = entra_user("lea")
    made = push.post("/Users", sent).json()
    [same] = found(push, f'externalId eq "{sent["externalId"]}"')
    assert same["id"] == made["id"]
    [same] = found(push, f'emails[type eq "work"].value eq "LEA@{DOMAIN.upper()}"')
    assert same["id"] == made["id"]
    answer = push.patch(
        f"/Users/{made['id']}",
        {"op": "Replace", "path": "displayName", "value": "Léa Wagner-Petit"},
        {"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "+33 6 12 34 56 78"},
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": f"lea.petit@{DOMAIN}"},
        {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": made["id"]},
        {"op": "Replace", "path": "name.familyName", "value": "Wagner-Petit"},
        {"op": "Add", "value": {f"{ENTERPRISE}:department": "Parcs", "title": "Cheffe"}},
    )
    assert answer.status_code == 200, answer.text
    whole = answer.json()
    assert whole["phoneNumbers"] == [{"type": "mobile", "value": "+33 6 12 34 56 78"}]
    assert whole["emails"] == [{"primary": True, "type": "work", "value": f"lea.petit@{DOMAIN}"}]
    assert whole[ENTERPRISE] == {"department": "Parcs", "manager": {"value": made["id"]}}
    assert whole["title"] == "Cheffe"
    assert whole["name"]["familyName"] == "Wagner-Petit"
    assert push.person(made["id"])[:2] == ("Léa Wagner-Petit", f"lea.petit@{DOMAIN}")


@pytest.mark.parametrize("off", [False, "False", "false", " FALSE "])
def test_entra_deactivates_by_a_word_in_any_case_and_restores_by_another(shared: Directory, off: Any) -> None:
    push = shared
    made = push.post("/Users", entra_user(f"p{uuid4().hex[:8]}")).json()
    answer = push.patch(f"/Users/{made['id']}", {"op": "Replace", "path": "active", "value": off})
    assert answer.json()["active"] is False
    assert push.person(made["id"])[3] is False
    answer = push.patch(f"/Users/{made['id']}", {"op": "rEPLACE", "value": {"active": "True"}})
    assert answer.json()["active"] is True
    assert push.person(made["id"])[3] is True


def test_entra_removes_the_members_that_it_names_in_the_value_and_no_others(house: House) -> None:
    push = opened(house)
    ids = [push.user()["id"] for _ in range(3)]
    sent = {
        "schemas": [GROUP],
        "externalId": str(uuid4()),
        "displayName": "Org Admin",
        "members": [],
        "meta": {"resourceType": "Group"},
    }
    group = push.post("/Groups", sent).json()["id"]
    answer = push.get("/Groups", params={"filter": 'displayName eq "org admin"', "excludedAttributes": "members"})
    assert [one["id"] for one in answer.json()["Resources"]] == [group]
    for one in ids:
        added = {"op": "Add", "path": "members", "value": [{"$ref": None, "value": one}]}
        assert push.patch(f"/Groups/{group}", added).status_code == 200
    answer = push.patch(
        f"/Groups/{group}", {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": ids[0]}]}
    )
    assert answer.status_code == 200
    assert push.members(group) == sorted(ids[1:])


def test_okta_s_life_of_a_user(house: House) -> None:
    push = opened(house)
    assert push.get("/Users", params={"startIndex": 1, "count": 2}).status_code == 200
    email = f"hugo@{DOMAIN}"
    assert found(push, f'userName eq "{email}"', startIndex=1, count=100) == []
    sent = {
        "schemas": [USER],
        "userName": email,
        "name": {"givenName": "Hugo", "familyName": "Lemaire"},
        "emails": [{"primary": True, "value": email, "type": "work"}],
        "displayName": "Hugo Lemaire",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": True,
    }
    answer = push.post("/Users", sent)
    assert answer.status_code == 201
    made = answer.json()
    assert "1mz050nq" not in answer.text
    assert push.post("/Users", sent).status_code == 409
    whole = push.get(f"/Users/{made['id']}").json()
    replaced = {**whole, "displayName": "Hugo L.", "active": True}
    assert push.put(f"/Users/{made['id']}", replaced).json()["displayName"] == "Hugo L."
    answer = push.patch(f"/Users/{made['id']}", {"op": "replace", "value": {"active": False}})
    assert answer.json()["active"] is False
    assert push.put(f"/Users/{made['id']}", {**replaced, "active": True}).json()["active"] is True
    assert push.person(made["id"])[3] is True


def test_okta_s_life_of_a_group(house: House) -> None:
    push = opened(house)
    ids = sorted(push.user()["id"] for _ in range(4))
    group = push.group("Voirie", ids[:1])["id"]
    renamed = push.patch(f"/Groups/{group}", {"op": "replace", "value": {"id": group, "displayName": "Parcs"}})
    assert renamed.json()["displayName"] == "Parcs"
    assert push.members(group) == ids[:1]
    push.patch(
        f"/Groups/{group}",
        {"op": "remove", "path": f'members[value eq "{ids[0]}"]'},
        {"op": "add", "path": "members", "value": [{"value": ids[1], "display": "a"}, {"value": ids[2]}]},
    )
    assert push.members(group) == ids[1:3]
    push.patch(f"/Groups/{group}", {"op": "replace", "path": "members", "value": [{"value": ids[3]}]})
    assert push.members(group) == ids[3:]


def test_google_s_life_of_a_user(house: House) -> None:
    push = opened(house)
    assert push.get("/Users", params={"count": 1}).status_code == 200
    email = f"nadia@{DOMAIN}"
    sent = {
        "schemas": [USER],
        "userName": email,
        "name": {"givenName": "Nadia", "familyName": "Benali"},
        "emails": [{"value": email, "type": "work", "primary": "true"}],
        "active": True,
        "externalId": "108234567890",
    }
    made = push.post("/Users", sent).json()
    assert push.person(made["id"])[0] == "Nadia Benali"
    suspended = {**sent, "id": made["id"], "active": "false"}
    assert push.put(f"/Users/{made['id']}", suspended).json()["active"] is False
    assert push.delete(f"/Users/{made['id']}").status_code == 204
    assert push.get(f"/Users/{made['id']}").status_code == 404
    again = push.post("/Users", sent)
    assert again.status_code == 201
    assert again.json()["id"] == made["id"]
    assert push.person(made["id"])[3] is True


def test_keycloak_s_life_of_a_user_and_a_group(house: House) -> None:
    push = opened(house)
    email = f"omar@{DOMAIN}"
    sent: dict[str, Any] = {
        "schemas": [USER],
        "externalId": str(uuid4()),
        "userName": "omar",
        "displayName": "Omar Diallo",
        "name": {"givenName": "Omar", "familyName": "Diallo"},
        "emails": [{"primary": True, "value": email}],
        "active": True,
        "roles": [],
    }
    made = push.post("/Users", sent).json()
    sent |= {"id": made["id"], "meta": {"resourceType": "User", "location": f"Users/{made['id']}"}, "active": False}
    assert push.put(f"/Users/{made['id']}", sent).json()["active"] is False
    group = push.post("/Groups", {"schemas": [GROUP], "externalId": str(uuid4()), "displayName": "dev"}).json()
    member = {"value": made["id"], "$ref": f"Users/{made['id']}"}
    whole = {"schemas": [GROUP], "id": group["id"], "displayName": "dev", "members": [member]}
    assert push.put(f"/Groups/{group['id']}", whole).status_code == 200
    assert push.members(group["id"]) == [made["id"]]
    assert push.delete(f"/Groups/{group['id']}").status_code == 204


def test_members_that_are_left_out_stay_and_an_empty_list_means_empty(house: House) -> None:
    push = opened(house)
    ids = sorted(push.user()["id"] for _ in range(2))
    group = push.group("Voirie", ids)["id"]
    push.put(f"/Groups/{group}", {"schemas": [GROUP], "displayName": "Voirie 2"})
    assert push.members(group) == ids
    push.patch(f"/Groups/{group}", {"op": "replace", "value": {"displayName": "Voirie 3"}})
    assert push.members(group) == ids
    push.put(f"/Groups/{group}", {"schemas": [GROUP], "displayName": "Voirie 3", "members": []})
    assert push.members(group) == []


def test_who_is_no_user_here_is_passed_over_in_a_group(house: House) -> None:
    push = opened(house)
    one = push.user()["id"]
    group = push.group("Voirie", [one, str(uuid4()), "no-id", str(push.record.organisation_id)])["id"]
    assert push.members(group) == [one]


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ({"op": "replace", "path": "nickname!", "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": "shoeSize", "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": "active", "value": "perhaps"}, "invalidValue"),
        ({"op": "move", "path": "title", "value": "x"}, "invalidSyntax"),
        ({"op": "remove"}, "noTarget"),
        ({"op": "replace", "path": "id", "value": str(uuid4())}, "mutability"),
        ({"op": "replace", "path": "groups", "value": []}, "mutability"),
        ({"op": "add", "path": 'emails[type ne "work"].value', "value": "x@y.example"}, "noTarget"),
        ({"op": "replace", "path": 'emails[shoe eq "x"].value', "value": "x@y.example"}, "invalidFilter"),
        ({"op": "remove", "path": "userName"}, "invalidValue"),
        ({"op": "replace", "path": "title", "value": "\u0000"}, "invalidValue"),
    ],
)
def test_a_wrong_operation_names_its_kind_and_changes_nothing(shared: Directory, operation: Any, kind: str) -> None:
    push = shared
    made = push.user()
    good = {"op": "replace", "path": "displayName", "value": "Somebody else"}
    answer = push.patch(f"/Users/{made['id']}", good, operation)
    assert (answer.status_code, answer.json().get("scimType")) == (400, kind), answer.text
    assert push.get(f"/Users/{made['id']}").json() == made


def test_names_in_every_script_come_back_as_they_were_sent(house: House) -> None:
    push = opened(house)
    names = [
        "Ξένια Ωμέγα",
        "محمد الأمين",
        "山田太郎",
        "Zoë 🦉 Łukasz",
        "A\u0301nge\u0301",
        "\u202ertl\u202c",
        "👨\u200d👩",
    ]
    for place, name in enumerate(names):
        made = push.user(f"u{place}", displayName=name, nickName=name)
        assert push.get(f"/Users/{made['id']}").json()["displayName"] == name
        [same] = found(push, f'nickName eq "{name}"')
        assert same["id"] == made["id"]
    sharp = push.post("/Users", {"schemas": [USER], "userName": "Straße"})
    assert sharp.status_code == 201
    assert push.post("/Users", {"schemas": [USER], "userName": "STRASSE"}).status_code == 409
    for hostile in (b'{"userName": "\\ud800"}', b'{"userName": "a\\u0000b"}', b"\xff\xfe", b'{"a":' * 5000):
        answer = push.http.post("/Users", content=hostile, headers={"Content-Type": "application/scim+json"})
        assert answer.status_code == 400, (hostile[:20], answer.text)
