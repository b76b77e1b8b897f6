"""Several pushes at once, and many operations in one request."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg

from tests.scim.directories import BULK, DOMAIN, USER, Directory, a_user, client_of, opened
from tests.workspace.houses import House, together
from tests.world.cells import run


def also(push: Directory) -> Directory:
    """The same directory by a connection of its own."""
    return Directory(push.house, push.record, push.secret, client_of(push.house, push.record, push.secret))


def bulk(push: Directory, *operations: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    answer = push.post("/Bulk", {"schemas": [BULK], "Operations": list(operations), **more})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["Operations"]
    return found


def test_of_ten_pushes_of_one_user_at_once_one_makes_him(house: House) -> None:
    push = opened(house)
    pushers = [also(push) for _ in range(10)]
    answers = together([lambda one=one: one.post("/Users", a_user("anna")) for one in pushers])
    assert sorted(one.status_code for one in answers) == [201] + [409] * 9
    assert {one.json()["scimType"] for one in answers if one.status_code == 409} == {"uniqueness"}
    assert house.rows(push.record, "select count(*) from principal where email = %s", f"anna@{DOMAIN}") == [(1,)]


def test_the_offer_s_seats_hold_when_directories_push_at_once(house: House) -> None:
    push = opened(house, entitlements={"members": 5})
    pushers = [also(push) for _ in range(10)]
    answers = together([lambda one=one, n=n: one.post("/Users", a_user(f"s{n}")) for n, one in enumerate(pushers)])
    assert sorted(one.status_code for one in answers) == [201] * 4 + [403] * 6


def test_two_pushes_of_members_at_once_lose_none(house: House) -> None:
    push = opened(house)
    ids = sorted(push.user(f"m{n}")["id"] for n in range(12))
    group = push.group("Voirie")["id"]
    pushers = [also(push) for _ in range(6)]

    def add(one: Directory, mine: list[str]) -> list[int]:
        operations = [{"op": "add", "path": "members", "value": [{"value": of}]} for of in mine]
        return [one.patch(f"/Groups/{group}", each).status_code for each in operations]

    done = together([lambda one=one, mine=ids[k::6]: add(one, mine) for k, one in enumerate(pushers)])
    assert {status for some in done for status in some} == {200}
    assert push.members(group) == ids
    assert push.get(f"/Groups/{group}").json()["meta"]["version"] == 'W/"13"'


def test_of_writers_with_the_same_version_one_wins(house: House) -> None:
    push = opened(house)
    made = push.user("anna")
    pushers = [also(push) for _ in range(6)]
    match = {"If-Match": made["meta"]["version"]}
    answers = together(
        [
            lambda one=one, n=n: one.patch(
                f"/Users/{made['id']}", {"op": "replace", "path": "title", "value": str(n)}, headers=match
            )
            for n, one in enumerate(pushers)
        ]
    )
    assert sorted(one.status_code for one in answers) == [200] + [412] * 5


def test_without_the_lock_two_changes_of_one_user_lose_one(house: House) -> None:
    """The control: read, change and write as the product does, but with no lock between the two."""
    push = opened(house)
    made = push.user("anna")

    async def naive() -> None:
        first, second = await asyncpg.connect(house.cell.admin_url), await asyncpg.connect(house.cell.admin_url)
        try:
            for conn in (first, second):
                await conn.execute(f"set search_path = {push.record.slot}")
            read = "select data::text from scim_user where id = $1"
            seen = [await conn.fetchval(read, UUID(made["id"])) for conn in (first, second)]
            for conn, data, name in zip((first, second), seen, ("nickName", "title"), strict=True):
                changed = data[:-1] + f', "{name}": "x"}}'
                await conn.execute("update scim_user set data = $2::jsonb where id = $1", UUID(made["id"]), changed)
        finally:
            await first.close()
            await second.close()

    run(naive())
    lost = push.get(f"/Users/{made['id']}").json()
    assert ("nickName" in lost, "title" in lost) == (False, True)
    pushers = [also(push) for _ in range(2)]
    steps = [{"op": "replace", "path": name, "value": "y"} for name in ("nickName", "userType")]
    together(
        [
            lambda one=one, step=step: one.patch(f"/Users/{made['id']}", step)
            for one, step in zip(pushers, steps, strict=True)
        ]
    )
    kept = push.get(f"/Users/{made['id']}").json()
    assert (kept["nickName"], kept["userType"]) == ("y", "y")


def test_a_bulk_makes_people_and_the_group_that_names_them_before_they_are_made(house: House) -> None:
    push = opened(house)
    members = [{"value": "bulkId:anna"}, {"value": "bulkId:bruno"}]
    done = bulk(
        push,
        {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {"displayName": "Voirie", "members": members}},
        {"method": "post", "path": "/Users", "bulkId": "anna", "data": a_user("anna")},
        {"method": "POST", "path": "/Users", "bulkId": "bruno", "data": a_user("bruno")},
        {"method": "PATCH", "path": "/Users/bulkId:anna", "data": {"Operations": [{"op": "remove", "path": "name"}]}},
    )
    assert [one["status"] for one in done] == ["201", "201", "201", "200"]
    assert [one["method"] for one in done] == ["POST"] * 3 + ["PATCH"]
    group = done[0]["location"].rpartition("/")[2]
    assert push.members(group) == sorted(one["location"].rpartition("/")[2] for one in done[1:3])
    assert done[0]["version"] == 'W/"1"'
    assert push.get(done[1]["location"]).json().get("name") is None


def test_one_wrong_operation_of_a_bulk_undoes_no_other(house: House) -> None:
    push = opened(house)
    made = push.user("anna")
    done = bulk(
        push,
        {"method": "POST", "path": "/Users", "bulkId": "1", "data": a_user("anna")},
        {"method": "POST", "path": "/Users", "bulkId": "2", "data": {"userName": "eve@evil.example"}},
        {"method": "PUT", "path": f"/Users/{made['id']}", "version": 'W/"9"', "data": a_user("anna")},
        {"method": "DELETE", "path": f"/Users/{uuid4()}"},
        {"method": "GET", "path": "/Users"},
        {"method": "POST", "path": "/Users/7", "data": {}},
        {"method": "PATCH", "path": "/Users/bulkId:nobody", "data": {}},
        {"method": "POST", "path": "/Users"},
        {"method": "POST", "path": "/Users", "bulkId": "3", "data": a_user("bruno")},
    )
    assert [one["status"] for one in done] == ["409", "400", "412", "404", "400", "400", "400", "400", "201"]
    assert done[0]["response"]["scimType"] == "uniqueness"
    assert done[0]["bulkId"] == "1"
    assert sorted(push.names()) == [f"anna@{DOMAIN}", f"bruno@{DOMAIN}"]


def test_a_bulk_ends_after_as_many_errors_as_it_says(house: House) -> None:
    push = opened(house)
    wrong = {"method": "DELETE", "path": f"/Users/{uuid4()}"}
    good = {"method": "POST", "path": "/Users", "bulkId": "x", "data": a_user("anna")}
    done = bulk(push, wrong, wrong, good, failOnErrors=2)
    assert [one["status"] for one in done] == ["404", "404"]
    assert push.names() == []
    assert [one["status"] for one in bulk(push, wrong, good, failOnErrors=2)] == ["404", "201"]


def test_operations_that_wait_for_each_other_are_refused(house: House) -> None:
    push = opened(house)
    done = bulk(
        push,
        {"method": "POST", "path": "/Groups", "bulkId": "a", "data": {"displayName": "A", "externalId": "bulkId:b"}},
        {"method": "POST", "path": "/Groups", "bulkId": "b", "data": {"displayName": "B", "externalId": "bulkId:a"}},
    )
    assert [one["status"] for one in done] == ["400", "400"]
    assert push.get("/Groups").json()["totalResults"] == 0


def test_a_bulk_that_is_too_long_is_refused_as_a_whole(house: House) -> None:
    push = opened(house)
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": str(n), "data": {"userName": str(n)}} for n in range(1001)
    ]
    answer = push.post("/Bulk", {"Operations": operations})
    assert (answer.status_code, answer.json()["status"]) == (413, "413")
    assert push.names() == []


def test_a_large_group_answers_a_change_without_its_members(house: House) -> None:
    push = opened(house)
    rows = (
        "insert into principal (id, kind, name) select gen_random_uuid(), 'm', 'n' || n from generate_series(1, 1100) n"
    )
    house.rows(push.record, rows)
    data = """select id, name, '{"userName": "x"}' from principal where name ~ '^n'"""
    house.rows(push.record, f"insert into scim_user (id, key, data) {data}")
    ids = [str(one) for (one,) in house.rows(push.record, "select id from scim_user")]
    group = push.group("Everybody", ids)["id"]
    first = {"op": "remove", "path": f'members[value eq "{ids[0]}"]'}
    assert push.patch(f"/Groups/{group}", first).status_code == 204
    assert len(push.members(group)) == 1099
    lean = push.patch(f"/Groups/{group}", {**first, "op": "add"}, params={"excludedAttributes": "members"})
    assert (lean.status_code, "members" in lean.json()) == (200, False)
    assert push.post("/Users", {"schemas": [USER], "userName": "one more"}).status_code == 201
