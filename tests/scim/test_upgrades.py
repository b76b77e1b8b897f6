"""A workspace whose slot waits for its upgrade: its directory is asked to come again, and nothing is lost."""

from typing import Any

import pytest

from migrations.tenant import compiled
from tests.scim.directories import ERROR, Directory, a_user, opened
from tests.workspace.houses import House

BEFORE = "0003"
TABLES = ("scim_event", "scim_removal", "scim_group_member", "scim_group", "scim_user")


@pytest.fixture
def older(house: House) -> Directory:
    """A directory of a workspace as the release before SCIM left it."""
    push = opened(house)
    for table in TABLES:
        house.rows(push.record, f"drop table {table}")
    house.cell.sql("update directory.slot set schema_version = %s where name = %s", BEFORE, push.record.slot)
    return push


def upgraded(push: Directory) -> None:
    house = push.house
    done = house.cell.database.upgrade()
    assert done.failed == {}
    found: list[Any] = house.cell.sql("select schema_version from directory.slot where name = %s", push.record.slot)
    assert found == [(compiled().version,)]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_slot_that_waits_for_its_upgrade_asks_the_directory_to_come_again(older: Directory, method: str) -> None:
    path = "Users" if method in {"GET", "POST"} else f"Users/{older.record.organisation_id}"
    body = {"Operations": [{"op": "replace", "path": "active", "value": False}]} if method == "PATCH" else a_user()
    answer = older.http.request(method, path, json=body)
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"].startswith("application/scim+json")
    assert int(answer.headers["retry-after"]) >= 1
    assert (answer.json()["schemas"], answer.json()["status"]) == ([ERROR], "503")
    assert "scim_user" not in answer.text


def test_each_operation_of_a_bulk_is_told_to_come_again(older: Directory) -> None:
    answer = older.post(
        "/Bulk", {"Operations": [{"method": "POST", "path": "/Users", "bulkId": "1", "data": a_user()}]}
    )
    assert [one["status"] for one in answer.json()["Operations"]] == ["503"]


def test_after_its_upgrade_the_same_push_goes_through(older: Directory) -> None:
    """The control: what it asks is right, only the slot was behind. What needs no slot answers all the while."""
    assert older.get("/ServiceProviderConfig").status_code == 200
    assert older.post("/Users", a_user("late")).status_code == 503
    upgraded(older)
    assert older.post("/Users", a_user("late")).status_code == 201
