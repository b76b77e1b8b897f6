"""ETags of what directories read: another version as soon as anything else is shown, whoever changed it."""

from typing import Any

import pytest

from tests.scim.directories import DOMAIN, Directory, opened
from tests.workspace.houses import House

TITLE = {"op": "replace", "path": "title", "value": "Cheffe"}


def seen(push: Directory, path: str) -> str:
    """The version that is shown now, in the header and in the body alike."""
    answer = push.get(path)
    assert answer.headers["etag"] == answer.json()["meta"]["version"]
    found: str = answer.headers["etag"]
    return found


def counted(version: str) -> str:
    """The part that counts only changes by the directory."""
    return version.removeprefix('W/"').rstrip('"').split("-")[0]


def assert_another(push: Directory, path: str, before: str) -> dict[str, Any]:
    """Whoever has the version from before reads anew, and does not write over what he has not seen."""
    read = push.get(path, headers={"If-None-Match": before})
    assert read.status_code == 200
    assert push.patch(path, TITLE, headers={"If-Match": before}).status_code == 412
    assert push.delete(path, headers={"If-Match": before}).status_code == 412
    now = read.headers["etag"]
    # The control: the count of the row's own changes, which was the whole version once, saw nothing.
    assert (now != before, counted(now)) == (True, counted(before))
    assert push.get(path, headers={"If-None-Match": now}).status_code == 304
    found: dict[str, Any] = read.json()
    return found


def test_whoever_is_kept_out_by_hand_is_another_version_and_let_in_again_the_first_one(house: House) -> None:
    push = opened(house)
    owner = house.owner(push.record)
    made = push.user("anna")
    path, first = f"/Users/{made['id']}", made["meta"]["version"]
    assert first == seen(push, path)
    owner.post(f"/members/{made['id']}/deactivation")
    assert assert_another(push, path, first)["active"] is False
    owner.post(f"/members/{made['id']}/deactivation/removal")
    assert push.get(path, headers={"If-None-Match": first}).status_code == 304
    assert push.patch(path, TITLE, headers={"If-Match": first}).status_code == 200


@pytest.mark.parametrize("change", ["taken in", "renamed", "sent out", "deleted"])
def test_a_group_of_his_that_changes_makes_another_version_of_a_user(house: House, change: str) -> None:
    push = opened(house)
    made = push.user("anna")
    path = f"/Users/{made['id']}"
    group = f"/Groups/{push.group('Voirie', [] if change == 'taken in' else [made['id']])['id']}"
    before = seen(push, path)
    member = [{"value": made["id"]}]
    if change == "taken in":
        push.patch(group, {"op": "add", "path": "members", "value": member})
    elif change == "renamed":
        push.patch(group, {"op": "replace", "path": "displayName", "value": "Parcs"})
    elif change == "sent out":
        push.patch(group, {"op": "remove", "path": "members", "value": member})
    else:
        push.delete(group)
    shown = assert_another(push, path, before).get("groups", [])
    names = {"taken in": ["Voirie"], "renamed": ["Parcs"]}
    assert [one["display"] for one in shown] == names.get(change, [])


def test_the_version_is_the_same_whatever_is_asked_for_and_in_every_list(house: House) -> None:
    push = opened(house)
    made = push.user("anna")
    push.group("Voirie", [made["id"]])
    version = seen(push, f"/Users/{made['id']}")
    for asked in ({"excludedAttributes": "groups"}, {"attributes": "userName,meta.version"}):
        answer = push.get(f"/Users/{made['id']}", params=asked)
        assert (answer.headers["etag"], "groups" in answer.json()) == (version, False)
        [listed] = push.get("/Users", params=asked).json()["Resources"]
        assert listed["meta"]["version"] == version
    assert push.patch(f"/Users/{made['id']}", TITLE, headers={"If-Match": version}).status_code == 200


def test_a_user_that_is_deleted_makes_another_version_of_his_groups_alone(house: House) -> None:
    push = opened(house, domains=(DOMAIN,))
    made = push.user("anna")
    his, other = (f"/Groups/{push.group(name, members)['id']}" for name, members in (("a", [made["id"]]), ("b", [])))
    before, beside = seen(push, his), seen(push, other)
    modified = push.get(his).json()["meta"]["lastModified"]
    assert push.delete(f"/Users/{made['id']}").status_code == 204
    read = push.get(his, headers={"If-None-Match": before})
    assert (read.status_code, read.json().get("members")) == (200, None)
    assert read.json()["meta"]["lastModified"] > modified
    rename = {"op": "replace", "path": "displayName", "value": "c"}
    assert push.patch(his, rename, headers={"If-Match": before}).status_code == 412
    # The control: whom it does not concern is as he was read.
    assert push.get(other, headers={"If-None-Match": beside}).status_code == 304
    assert push.patch(other, rename, headers={"If-Match": beside}).status_code == 200
