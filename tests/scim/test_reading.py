"""Filters, sorting, pages, chosen attributes, versions: held against what scim2-models finds in the same users."""

from typing import Any
from uuid import uuid4

import pytest
from scim2_models import EnterpriseUser, ScimFilter, User

from tests.scim.directories import DOMAIN, ENTERPRISE, GROUP, USER, Directory, opened
from tests.workspace.houses import House

PEOPLE: list[dict[str, Any]] = [
    {"userName": "anna", "displayName": "Anna Åkesson", "title": "Cheffe", "active": True, "userType": "Agent"},
    {"userName": "Bruno", "displayName": "bruno Petit", "active": False, "name": {"familyName": "Petit"}},
    {"userName": "chloé", "nickName": "O'Hara; drop table scim_user --", "name": {"familyName": "Étienne"}},
    {"userName": "dd%_x", "title": "100 % _sûr", "externalId": "D-7", "name": {"familyName": "petit"}},
    {
        "userName": "emil",
        "emails": [{"value": f"emil@{DOMAIN}", "type": "work"}, {"value": f"e@{DOMAIN}", "type": "home"}],
        "phoneNumbers": [{"value": "+33 1", "type": "work", "primary": True}],
        ENTERPRISE: {"department": "Voirie", "employeeNumber": "12"},
    },
    {
        "userName": "fatou",
        "emails": [{"value": f"Fatou@{DOMAIN}", "type": "Home", "primary": True}],
        ENTERPRISE: {"department": "voirie du nord", "manager": {"value": "emil"}},
    },
]
FILTERS = [
    'userName eq "ANNA"',
    'userName ne "anna"',
    'userName co "n"',
    'userName sw "b"',
    'userName ew "l"',
    'userName gt "chloé"',
    'userName le "bruno"',
    'USERNAME eq "emil" and ACTIVE eq true',
    f'{USER}:userName eq "emil"',
    "active eq true",
    "active eq false",
    "not (active eq true)",
    'title co "%"',
    'title co "_s"',
    "title pr",
    "not (title pr)",
    'title eq "cheffe"',
    'nickName eq "O\'Hara; drop table scim_user --"',
    'externalId eq "D-7"',
    'externalId eq "d-7"',
    'externalId co "-"',
    'name.familyName eq "PETIT"',
    "name.familyName pr",
    "name pr",
    'emails co "EMIL"',
    f'emails.value eq "fatou@{DOMAIN}"',
    'emails.type eq "home"',
    'emails[type eq "home"]',
    f'emails[type eq "home" and value sw "e@"]',  # noqa: F541
    'emails[type eq "work" and value sw "e@"]',
    "emails[primary eq true]",
    'emails[not (type eq "work")]',
    "emails pr",
    'emails.value ne "nobody@x.example"',
    'phoneNumbers[type eq "work"].value eq "+33 1"',
    f'{ENTERPRISE}:department eq "VOIRIE"',
    f'{ENTERPRISE}:department sw "voirie"',
    f'{ENTERPRISE}:manager.value eq "emil"',
    'meta.created gt "2020-01-01T00:00:00Z"',
    'meta.lastModified lt "2020-01-01T00:00:00+02:00"',
    "title eq null",
    'userType eq "Agent" or (userName sw "f" and active eq true)',
    'userName eq "a\\"b"',
]


@pytest.fixture(scope="module")
def town(house: House) -> Directory:
    """A workspace with these people and no others."""
    push = opened(house)
    for one in PEOPLE:
        answer = push.post("/Users", {"schemas": [USER, ENTERPRISE], **one})
        assert answer.status_code == 201, answer.text
    return push


def everybody(push: Directory) -> list[Any]:
    resources = push.get("/Users", params={"count": 1000}).json()["Resources"]
    return [User[EnterpriseUser].model_validate(one) for one in resources]


@pytest.mark.parametrize("condition", FILTERS)
def test_a_filter_finds_whom_the_library_finds(town: Directory, condition: str) -> None:
    bound = ScimFilter[User[EnterpriseUser]](condition)
    wanted = sorted(one.user_name for one in everybody(town) if bound.match(one))
    assert sorted(town.names(filter=condition)) == wanted
    searched = town.post("/Users/.search", {"filter": condition, "attributes": ["userName"]}).json()
    assert sorted(one["userName"] for one in searched["Resources"]) == wanted


def test_the_filters_above_tell_people_apart(town: Directory) -> None:
    """The control: had the filters been passed over, each would have found everybody."""
    sizes = {len(town.names(filter=one)) for one in FILTERS}
    assert {0, 1, 2, len(PEOPLE)} < sizes


@pytest.mark.parametrize(
    "condition",
    [
        "userName",
        'userName eq "a" and',
        'userName like "a"',
        'shoeSize eq "42"',
        'name.shoe eq "x"',
        "active gt true",
        'active eq "perhaps"',
        "userName eq 7",
        'meta.created gt "yesterday"',
        'meta.created gt "2026-01-01T00:00:00"',
        'emails[shoe eq "x"]',
        'userName[value eq "x"]',
        "title gt null",
        "(" * 60 + 'userName eq "a"' + ")" * 60,
        'userName eq "' + "x" * 3000 + '"',
        'schemas eq "x"',
        'name eq "x"',
        'userName eq "a" ; drop table scim_user',
    ],
)
def test_a_wrong_filter_is_refused_as_one(town: Directory, condition: str) -> None:
    answer = town.get("/Users", params={"filter": condition})
    assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidFilter"), answer.text


@pytest.mark.parametrize(
    ("by", "order", "wanted"),
    [
        ("userName", "ascending", ["anna", "Bruno", "chloé", "dd%_x", "emil", "fatou"]),
        ("userName", "descending", ["fatou", "emil", "dd%_x", "chloé", "Bruno", "anna"]),
        ("title", "ascending", ["dd%_x", "anna"]),
        ("emails", "ascending", ["emil", "fatou"]),
        ("meta.created", "descending", ["fatou", "emil", "dd%_x", "chloé", "Bruno", "anna"]),
        (f"{ENTERPRISE}:department", "descending", ["fatou", "emil"]),
    ],
)
def test_a_list_is_sorted_and_who_has_nothing_to_sort_by_comes_last(
    town: Directory, by: str, order: str, wanted: list[str]
) -> None:
    assert town.names(sortBy=by, sortOrder=order)[: len(wanted)] == wanted


@pytest.mark.parametrize("by", ["groups", "shoe", "name", "emails[type eq 1]", 'x"; drop table scim_user'])
def test_what_cannot_be_sorted_by_is_refused(town: Directory, by: str) -> None:
    assert town.get("/Users", params={"sortBy": by}).status_code == 400


def test_pages_by_index_hold_everybody_once(town: Directory) -> None:
    seen = []
    for start in range(1, 8, 2):
        body = town.get("/Users", params={"startIndex": start, "count": 2, "sortBy": "userName"}).json()
        assert body["totalResults"] == len(PEOPLE)
        assert body["startIndex"] == start
        assert body["itemsPerPage"] == len(body["Resources"])
        seen += [one["userName"] for one in body["Resources"]]
    assert seen == town.names(sortBy="userName")
    assert town.get("/Users", params={"count": -5}).json()["Resources"] == []
    assert len(town.get("/Users", params={"startIndex": -5}).json()["Resources"]) == len(PEOPLE)
    for wrong in ({"count": "many"}, {"startIndex": "1.5"}):
        assert town.get("/Users", params=wrong).json()["scimType"] == "invalidValue"


def test_pages_by_cursor_hold_everybody_once_while_others_come_and_go(house: House) -> None:
    push = opened(house)
    first = [push.user(f"c{n}")["userName"] for n in range(7)]
    seen, cursor = [], ""
    while cursor is not None:
        body = push.get("/Users", params={"cursor": cursor, "count": 3}).json()
        seen += [one["userName"] for one in body["Resources"]]
        cursor = body.get("nextCursor")
        if len(seen) == 3:
            [gone] = push.get("/Users", params={"filter": f'userName eq "{first[0]}"'}).json()["Resources"]
            push.delete(f"/Users/{gone['id']}")
    assert seen == first
    wrong = push.get("/Users", params={"cursor": "nonsense!"})
    assert wrong.json()["scimType"] == "invalidCursor"


def test_only_the_attributes_that_were_asked_for_come(town: Directory) -> None:
    [one] = town.get("/Users", params={"filter": 'userName eq "emil"'}).json()["Resources"]
    path = f"/Users/{one['id']}"

    def asked(**params: str) -> dict[str, Any]:
        found: dict[str, Any] = town.get(path, params=params).json()
        return found

    assert set(asked(attributes="userName")) == {"schemas", "id", "userName"}
    assert asked(attributes="emails.type")["emails"] == [{"type": "work"}, {"type": "home"}]
    assert asked(attributes=f"{ENTERPRISE}:department")[ENTERPRISE] == {"department": "Voirie"}
    assert set(asked(attributes=f"{USER}:title,META.location")) == {"schemas", "id", "meta"}
    assert "emails" not in asked(excludedAttributes="EMAILS, id")
    assert asked(excludedAttributes="emails, id")["id"] == one["id"]
    assert asked(excludedAttributes="emails.type")["emails"][0] == {"value": f"emil@{DOMAIN}"}


def test_a_version_goes_with_each_resource_and_guards_writes(house: House) -> None:
    push = opened(house)
    made = push.post("/Users", {"schemas": [USER], "userName": "x"})
    path, first = f"/Users/{made.json()['id']}", made.headers["etag"]
    assert made.headers["location"] == made.json()["meta"]["location"]
    assert made.json()["meta"]["version"] == first
    assert first.startswith('W/"1-')
    assert push.get(path, headers={"If-None-Match": first}).status_code == 304
    change = {"op": "replace", "path": "title", "value": "y"}
    changed = push.patch(path, change, headers={"If-Match": first})
    second = changed.headers["etag"]
    assert second.startswith('W/"2-')
    assert push.get(path, headers={"If-None-Match": first}).status_code == 200
    # What changes nothing makes no new version.
    assert push.patch(path, change).headers["etag"] == second
    stale = {"If-Match": first}
    for answer in (
        push.patch(path, {**change, "value": "z"}, headers=stale),
        push.put(path, {"schemas": [USER], "userName": "x"}, headers=stale),
        push.delete(path, headers=stale),
    ):
        assert (answer.status_code, answer.json()["status"]) == (412, "412")
    assert push.get(path).json()["title"] == "y"
    assert push.delete(path, headers={"If-Match": "*"}).status_code == 204


def test_groups_are_found_by_name_and_by_member_and_users_by_group(house: House) -> None:
    push = opened(house)
    anna, bruno = push.user("anna"), push.user("bruno")
    group = push.group("Voirie", [anna["id"]])
    push.group("Parcs", [])
    for condition in (
        'displayName eq "voirie"',
        f'members eq "{anna["id"]}"',
        f'members.value eq "{anna["id"]}"',
        f'members[value eq "{anna["id"]}"]',
        f'id eq "{group["id"]}"',
        "members pr",
    ):
        found = push.get("/Groups", params={"filter": condition}).json()["Resources"]
        assert [one["displayName"] for one in found] == ["Voirie"], condition
    assert push.names(filter=f'groups eq "{group["id"]}"') == [anna["userName"]]
    assert push.names(filter='groups.display eq "VOIRIE"') == [anna["userName"]]
    read = push.get(f"/Users/{anna['id']}").json()
    assert [(one["value"], one["display"]) for one in read["groups"]] == [(group["id"], "Voirie")]
    assert "groups" not in push.get(f"/Users/{bruno['id']}").json()
    assert push.get("/Groups", params={"filter": 'members[display eq "x"]'}).status_code == 400


def test_a_search_over_both_kinds_finds_both(house: House) -> None:
    push = opened(house)
    made = [push.user("anna")["id"], push.user("bruno")["id"], push.group("Anna's")["id"]]
    body = push.post("/.search", {}).json()
    assert [one["id"] for one in body["Resources"]] == made
    page = push.post("/.search", {"startIndex": 2, "count": 2, "attributes": ["displayName"]}).json()
    assert [one["id"] for one in page["Resources"]] == made[1:]
    assert page["totalResults"] == 3
    only = push.post("/.search", {"filter": 'displayName sw "anna" and userName pr'}).json()
    assert [one["id"] for one in only["Resources"]] == made[:1]
    assert push.post("/.search", {"filter": 'shoe eq "x"'}).json()["scimType"] == "invalidFilter"


def test_an_unknown_id_of_any_shape_is_not_there(house: House) -> None:
    push = opened(house)
    for kind in ("Users", "Groups"):
        for of in (str(uuid4()), "7", "%00", "x" * 500, str(push.record.organisation_id)):
            for answer in (
                push.get(f"/{kind}/{of}"),
                push.put(f"/{kind}/{of}", {"schemas": [USER], "userName": "a", "displayName": "a"}),
                push.patch(f"/{kind}/{of}", {"op": "replace", "path": "displayName", "value": "x"}),
                push.delete(f"/{kind}/{of}"),
            ):
                assert answer.status_code == 404, (of, answer.text)
                assert answer.json()["status"] == "404"
    assert push.post("/Groups", {"schemas": [GROUP]}).status_code == 400
