"""A push that would remove too many waits for an administrator, who agrees or not."""

from uuid import UUID, uuid4

import msgspec
import pytest

from kit.errors import Refusal
from tenant_app.contract import HistoryFilter
from tests.scim.directories import DOMAIN, USER, Directory, a_user, client_of, mapped, opened
from tests.workspace.houses import House, together

OFF = {"op": "replace", "path": "active", "value": False}
ON = {"op": "replace", "path": "active", "value": True}


def town(house: House, people: int = 29, brake: int = 20) -> tuple[Directory, list[str]]:
    """Thirty people with the owner: at 20 %, six may go within the hour."""
    push = opened(house, brake=brake)
    operations = [
        {"method": "POST", "path": "/Users", "data": a_user(f"p{n:02}"), "bulkId": str(n)} for n in range(people)
    ]
    made = push.post("/Bulk", {"Operations": operations}).json()["Operations"]
    return push, [one["location"].rpartition("/")[2] for one in made]


def enabled(push: Directory, ids: list[str]) -> int:
    return sum(push.person(one)[3] for one in ids)


@pytest.mark.parametrize("way", ["one by one", "bulk"])
def test_beyond_the_share_removals_wait_and_the_directory_sees_them_as_done(house: House, way: str) -> None:
    push, ids = town(house)
    if way == "bulk":
        operations = [{"method": "PATCH", "path": f"/Users/{one}", "data": {"Operations": [OFF]}} for one in ids[:8]]
        operations += [{"method": "DELETE", "path": f"/Users/{one}"} for one in ids[8:12]]
        done = push.post("/Bulk", {"Operations": operations}).json()["Operations"]
        assert [one["status"] for one in done] == ["200"] * 8 + ["204"] * 4
    else:
        assert {push.patch(f"/Users/{one}", OFF).json()["active"] for one in ids[:8]} == {False}
        assert {push.delete(f"/Users/{one}").status_code for one in ids[8:12]} == {204}
    assert enabled(push, ids) == 29 - 6
    assert push.get(f"/Users/{ids[7]}").json()["active"] is False
    assert push.get(f"/Users/{ids[11]}").status_code == 404
    waiting = house.cell.database.pending_removals(push.record.organisation_id)
    assert [str(one.principal_id) for one in waiting] == ids[6:12]
    assert [one.kind for one in waiting] == ["deactivate"] * 2 + ["delete"] * 4
    assert waiting[0].email == f"p06@{DOMAIN}"
    assert waiting[0].role == "member"
    assert len(push.events("user.removal_waits")) == 6


def test_who_asks_again_waits_once(house: House) -> None:
    push, ids = town(house, people=9)
    for one in ids[:5]:
        push.patch(f"/Users/{one}", OFF)
    push.patch(f"/Users/{ids[4]}", OFF)
    push.delete(f"/Users/{ids[4]}")
    assert len(house.cell.database.pending_removals(push.record.organisation_id)) == 2


def test_an_administrator_agrees_and_sessions_end(house: House) -> None:
    push, ids = town(house)
    database, of = house.cell.database, push.record.organisation_id
    house.owner(push.record)
    person, lea = house.add(push.record, 1, email=f"lea@{DOMAIN}")
    push.user("lea")
    for one in ids[:6]:
        push.patch(f"/Users/{one}", OFF)
    push.patch(f"/Users/{lea}", OFF)
    assert person.get("/account").url.path == "/account"
    waiting = database.pending_removals(of)
    assert lea in {one.principal_id for one in waiting}
    decided = database.approve_removals(of, [one.id for one in waiting if one.principal_id == lea], of)
    assert decided == [lea]
    assert person.get("/account").url.path == "/sign-in"
    assert push.person(str(lea))[3] is False
    assert database.approve_removals(of, [uuid4()], of) == []
    rest = database.approve_removals(of, None, of)
    assert len(rest) == len(waiting) - 1
    assert database.pending_removals(of) == []
    newest = database.scim_events(of, HistoryFilter(limit=200))
    assert {one.verb for one in newest} >= {"user.removal_approved", "user.removal_waits", "user.disabled"}
    assert newest[0].at >= newest[-1].at
    told = house.rows(
        push.record, "select actor_id from journal where verb = 'member.deactivated' and object_id = %s", lea
    )
    assert told == [(of,)]


def test_an_administrator_refuses_and_the_directory_may_ask_again(house: House) -> None:
    push, ids = town(house)
    database, of = house.cell.database, push.record.organisation_id
    for one in ids[:8]:
        push.patch(f"/Users/{one}", OFF)
    kept = database.refuse_removals(of, None, of)
    assert {str(one) for one in kept} == set(ids[6:8])
    assert database.pending_removals(of) == []
    assert enabled(push, ids[6:8]) == 2
    assert push.get(f"/Users/{ids[7]}").json()["active"] is True
    push.patch(f"/Users/{ids[7]}", OFF)
    assert [str(one.principal_id) for one in database.pending_removals(of)] == [ids[7]]


@pytest.mark.parametrize("way", ["patch", "post"])
def test_who_is_wanted_again_waits_no_more(house: House, way: str) -> None:
    push, ids = town(house)
    for one in ids[:6]:
        push.patch(f"/Users/{one}", OFF)
    if way == "patch":
        push.patch(f"/Users/{ids[6]}", OFF)
        push.patch(f"/Users/{ids[6]}", ON)
    else:
        push.delete(f"/Users/{ids[6]}")
        assert push.post("/Users", a_user("p06")).json()["id"] == ids[6]
    assert house.cell.database.pending_removals(push.record.organisation_id) == []
    house.cell.database.approve_removals(push.record.organisation_id, None, uuid4())
    assert push.person(ids[6])[3] is True


def test_an_hour_later_the_share_is_there_again(house: House) -> None:
    push, ids = town(house)
    for one in ids[:7]:
        push.patch(f"/Users/{one}", OFF)
    house.rows(push.record, "update scim_removal set asked_at = asked_at - interval '61 minutes'")
    push.patch(f"/Users/{ids[7]}", OFF)
    assert push.person(ids[7])[3] is False
    assert len(house.cell.database.pending_removals(push.record.organisation_id)) == 1


def test_a_group_that_lets_many_go_at_once_waits_as_a_whole(house: House) -> None:
    push = opened(house, brake=20, connection=mapped({"Staff": "member"}, otherwise=None))
    ids = [push.user(f"g{n}")["id"] for n in range(9)]
    group = push.group("Staff", ids)["id"]
    push.patch(f"/Groups/{group}", {"op": "replace", "path": "members", "value": [{"value": ids[0]}]})
    assert enabled(push, ids) == 9
    waiting = house.cell.database.pending_removals(push.record.organisation_id)
    assert {one.kind for one in waiting} == {"group"}
    assert len(waiting) == 8


def test_a_break_glass_account_goes_with_consent_only_and_keeps_its_role(house: House) -> None:
    push = opened(house, connection=mapped({"Staff": "guest"}, otherwise=None))
    house.owner(push.record)
    _, of = house.add(push.record, 2, email=f"glass@{DOMAIN}")
    identity = push.record.identity
    policy = msgspec.structs.replace(identity.policy, break_glass=(of,))
    push.record = house.change(push.record, identity=msgspec.structs.replace(identity, policy=policy))
    push.user("glass"), push.user("other")
    push.group("Staff", [str(of)])
    assert push.person(str(of))[2:] == (2, True)
    assert push.delete(f"/Users/{of}").status_code == 204
    assert push.person(str(of))[3] is True
    assert [one.principal_id for one in house.cell.database.pending_removals(push.record.organisation_id)] == [of]


def test_a_brake_of_one_hundred_holds_nobody(house: House) -> None:
    """The control: without it all of them go."""
    push, ids = town(house, brake=100)
    for one in ids:
        push.delete(f"/Users/{one}")
    assert enabled(push, ids) == 0


def test_two_pushes_at_once_do_not_slip_through_the_brake(house: House) -> None:
    push, ids = town(house)
    pushers = [Directory(house, push.record, push.secret, client_of(house, push.record, push.secret)) for _ in "1234"]
    found = together(
        [
            lambda one=one, mine=ids[k:16:4]: [one.patch(f"/Users/{of}", OFF).status_code for of in mine]
            for k, one in enumerate(pushers)
        ]
    )
    assert {status for some in found for status in some} == {200}
    assert enabled(push, ids) == 29 - 6


def test_the_last_owner_is_kept_when_an_administrator_agrees_too_late(house: House) -> None:
    push = opened(house, brake=0, domains=(DOMAIN, "example.org"))
    database, of = house.cell.database, push.record.organisation_id
    house.owner(push.record)
    _, second = house.add(push.record, 3, email=f"second@{DOMAIN}")
    push.user("second")
    for n in range(3):
        push.patch(f"/Users/{push.user(f'x{n}')['id']}", OFF)
    push.patch(f"/Users/{second}", OFF)
    house.rows(push.record, "update principal set role = 1 where role = 3 and id <> %s", second)
    with pytest.raises(Refusal, match="at least one owner"):
        database.approve_removals(of, None, of)
    assert push.person(str(second))[3] is True
    assert push.post("/Users", {"schemas": [USER], "userName": "x"}).status_code == 201
    assert UUID(str(second)) in {one.principal_id for one in database.pending_removals(of)}
