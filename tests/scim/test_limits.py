"""What is larger, deeper or stranger than a directory sends is refused in words; it is no incident of ours."""

import json
from typing import Any

import pytest

from tests.scim.directories import GROUP, Directory, a_user


def refused(answer: Any, *statuses: int) -> None:
    assert answer.status_code in (statuses or (400,)), answer.text
    assert answer.json()["detail"]


# Each of these characters becomes eighteen when names are compared.
LONG = "\ufdfa" * 200


def test_a_name_that_grows_when_it_is_compared_is_too_long(shared: Directory) -> None:
    refused(shared.post("/Users", a_user(userName=LONG)))
    refused(shared.post("/Groups", {"schemas": [GROUP], "displayName": LONG}))
    # The control: as many characters that stay what they are, and four bytes each.
    assert shared.post("/Users", a_user("wide", userName="\U00010400" * 250)).status_code == 201
    assert shared.post("/Groups", {"schemas": [GROUP], "displayName": "\U0001f600" * 250}).status_code == 201


@pytest.mark.parametrize(
    "asked",
    ["startIndex=99999999999999999999999", "startIndex=-99999999999999999999999", "count=99999999999999999999999"],
)
def test_a_place_beyond_all_numbers_is_a_place_all_the_same(shared: Directory, asked: str) -> None:
    shared.user()
    answer = shared.get(f"/Users?{asked}")
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1900-01-01T00:00:00+00:00:01"]
)
def test_a_moment_at_the_end_of_time_is_compared_or_refused(shared: Directory, moment: str) -> None:
    answer = shared.get("/Users", params={"filter": f'meta.created gt "{moment}"'})
    assert answer.status_code in {200, 400}, answer.text


@pytest.mark.parametrize("depth", [300, 900, 20_000])
def test_what_is_nested_without_end_is_refused(shared: Directory, depth: int) -> None:
    deep = "[" * depth + "]" * depth
    data = json.dumps({"userName": f"deep{depth}@sevres.example", "x": "DEEP"}).replace('"DEEP"', deep)
    operation = json.dumps({"method": "POST", "path": "/Users", "bulkId": "1", "data": "DATA"}).replace('"DATA"', data)
    answer = shared.http.post("Bulk", content=json.dumps({"Operations": ["ONE"]}).replace('"ONE"', operation))
    refused(answer)
    # One that is not read where it is so deep may be taken.
    assert shared.http.post("Users", content=data).status_code in {201, 400}


def test_half_a_character_is_refused(shared: Directory) -> None:
    body = json.dumps({"userName": "half\ud800@sevres.example"})
    refused(shared.http.post("Users", content=body))
    refused(shared.http.post("Users/.search", content=json.dumps({"filter": 'userName eq "\ud800"'})))


@pytest.mark.parametrize("name", ["attributes", "excludedAttributes"])
def test_more_attributes_than_there_are_are_refused(shared: Directory, name: str) -> None:
    many = [f"a{n}" for n in range(201)]
    refused(shared.post("/Users/.search", {name: many}))
    refused(shared.get("/Users", params={name: ",".join(many)}))
    # The control: as many as there might be.
    assert shared.post("/Users/.search", {name: many[:200]}).status_code == 200


def test_values_do_not_pile_up(shared: Directory) -> None:
    """Each request is bounded; so is what many of them, or many steps of one, leave behind."""
    one = shared.user()["id"]

    def more(start: int, count: int) -> dict[str, Any]:
        return {
            "op": "add",
            "path": "phoneNumbers",
            "value": [{"value": f"+33{n}"} for n in range(start, start + count)],
        }

    assert shared.patch(f"/Users/{one}", more(0, 150)).status_code == 200
    refused(shared.patch(f"/Users/{one}", more(150, 51)))
    refused(shared.patch(f"/Users/{one}", *[more(1000 + 100 * n, 100) for n in range(300)]))
    each = [{"op": "add", "path": f'phoneNumbers[type eq "t{n}"].value', "value": str(n)} for n in range(60)]
    refused(shared.patch(f"/Users/{one}", *each))
    # The control: up to the bound it goes on.
    assert shared.patch(f"/Users/{one}", more(150, 50)).status_code == 200
    assert len(shared.get(f"/Users/{one}").json()["phoneNumbers"]) == 200
