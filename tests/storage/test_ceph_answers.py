"""Ceph's answers to repeated, late and wrong calls as they were measured, and what becomes of each of them here."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from control_plane.storage import AccessKey, BucketWish
from control_plane.storage.admin import Admin
from kit.errors import Refusal
from tests.storage.stands import SOLD, CephStand, Org, new_key, settle
from tests.world.waiting import eventually

if TYPE_CHECKING:
    from tests.world.ceph import RunningCeph


def code(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["Code"]


def create(stand: CephStand, org: Org, **more):
    key = {"access_key": org.key.key_id, "secret_key": org.key.secret}
    return stand.admin("PUT", "user", uid=org.name, display_name=org.name, generate_key="false", **key, **more)


def test_a_user_that_exists_already_is_reconciled(on_ceph: CephStand, org: Org) -> None:
    assert create(on_ceph, org).status_code == 200
    assert code(create(on_ceph, org)) == (409, "UserAlreadyExists")
    # Somebody made it meanwhile: between our look and our call.
    assert Admin(on_ceph.store.gateway).create(org.name, org.key) is None
    assert settle(on_ceph.store, org)[:2] == [True, True]  # any number of buckets was allowed
    assert on_ceph.done("GET", "user", uid=org.name)["max_buckets"] == 1


def test_the_control_a_generated_key_comes_twice(on_ceph: CephStand, org: Org) -> None:
    """As one writes it at first: the second call, after a lost answer, leaves a key that nobody knows."""
    settle(on_ceph.store, org)
    for _ in range(2):
        on_ceph.done("PUT", "user", key="", uid=org.name, generate_key="true")
    assert len(on_ceph.keys_of(org)) == 3
    on_ceph.store.ensure_account(org.name, org.keys, 1)
    on_ceph.store.ensure_account(org.name, org.keys, 1)
    assert on_ceph.keys_of(org) == {org.key.key_id}


def test_the_control_parallel_creates_leave_dead_keys(on_ceph: CephStand, org: Org) -> None:
    """Without one at a time: each caller believes in its key, and all keys but one are dead."""
    tries = [Org(name=org.name) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: create(on_ceph, one), tries))
    # Mostly all eight are answered 200.
    assert len({one.key.key_id for one in tries} & on_ceph.keys_of(org)) == 1


def test_a_key_that_was_removed_before_is_removed(on_ceph: CephStand, org: Org) -> None:
    settle(on_ceph.store, org)
    spare = new_key()
    on_ceph.add_key(org, spare)
    removal = {"key": "", "uid": org.name, "access_key": spare.key_id}
    assert on_ceph.admin("DELETE", "user", **removal).status_code == 200
    assert code(on_ceph.admin("DELETE", "user", **removal)) == (403, "InvalidAccessKeyId")
    Admin(on_ceph.store.gateway).remove_key(org.name, spare.key_id)


def test_the_last_old_key_goes_only_after_the_new_one_is_there(on_ceph: CephStand, org: Org) -> None:
    settle(on_ceph.store, org)
    taken = Org()
    settle(on_ceph.store, taken)
    # The new key cannot be had: the old one must have been kept.
    with pytest.raises(Refusal, match="belongs to another account"):
        on_ceph.store.ensure_account(org.name, [taken.key], 1)
    assert on_ceph.keys_of(org) == {org.key.key_id}


def test_a_key_of_another_account_is_refused_when_an_account_is_made(on_ceph: CephStand, org: Org) -> None:
    settle(on_ceph.store, org)
    thief = Org(keys=[org.key])
    assert code(create(on_ceph, thief)) == (409, "KeyExists")
    with pytest.raises(Refusal, match="belongs to another account"):
        on_ceph.store.ensure_account(thief.name, thief.keys, 1)


def test_a_user_with_buckets_is_not_removed(on_ceph: CephStand, org: Org) -> None:
    settle(on_ceph.store, org)
    assert code(on_ceph.admin("DELETE", "user", uid=org.name)) == (409, "BucketAlreadyExists")
    on_ceph.done("POST", "user", uid=org.name, max_buckets=2)
    other = f"by-hand-{uuid4().hex}"
    assert on_ceph.call(org.key, "PUT", f"/{other}").status_code == 200
    on_ceph.put(org)
    with pytest.raises(Refusal, match="another bucket"):
        on_ceph.store.remove(org.name, org.name, org.key, 1)
    # Refused before anything was touched.
    assert on_ceph.store.usage(org.name, org.name).objects == 1
    assert on_ceph.put(org).status_code == 200
    on_ceph.call(org.key, "DELETE", f"/{other}")
    assert on_ceph.store.remove(org.name, org.name, org.key, 1)


def test_a_bucket_at_the_cap_is_looked_for_before_it_is_made(on_ceph: CephStand, org: Org) -> None:
    settle(on_ceph.store, org)
    answer = on_ceph.call(org.key, "PUT", f"/{org.name}")
    assert (answer.status_code, "<Code>TooManyBuckets</Code>" in answer.text) == (400, True)
    assert settle(on_ceph.store, org) == [False, False, False]
    # So is one who was made here, whose answer was lost, and who is asked for again as if new.
    on_ceph.store._new.add(org.name)
    assert not on_ceph.store.ensure_bucket(
        org.name, org.name, org.key, BucketWish(SOLD, ("https://acme.parvis.example",)), 1
    )


def test_a_bucket_elsewhere_that_fills_the_cap_is_refused(on_ceph: CephStand, org: Org) -> None:
    on_ceph.store.ensure_account(org.name, org.keys, 1)
    assert on_ceph.call(org.key, "PUT", f"/by-hand-{uuid4().hex}").status_code == 200
    with pytest.raises(Refusal, match="another bucket"):
        settle(on_ceph.store, org)


def test_an_organisation_can_own_one_bucket_only(on_ceph: CephStand, org: Org) -> None:
    settle(on_ceph.store, org)
    assert on_ceph.call(org.key, "PUT", f"/second-{uuid4().hex}").status_code == 400
    # 0 would be any number: it is drift.
    on_ceph.done("POST", "user", uid=org.name, max_buckets=0)
    assert on_ceph.store.ensure_account(org.name, org.keys, 1)
    assert on_ceph.call(org.key, "PUT", f"/third-{uuid4().hex}").status_code == 400


def test_an_unknown_users_buckets_are_none_and_an_unknown_user_is_none(on_ceph: CephStand, org: Org) -> None:
    assert on_ceph.done("GET", "bucket", uid=org.name) == []
    assert code(on_ceph.admin("GET", "user", uid=org.name)) == (404, "NoSuchUser")
    assert code(on_ceph.admin("GET", "bucket", bucket=org.name)) == (404, "NoSuchBucket")
    assert not on_ceph.store.remove(org.name, org.name, org.key, 1)


def test_an_unlinked_bucket_stays_open_to_its_key_and_is_linked_again(on_ceph: CephStand, org: Org) -> None:
    settle(on_ceph.store, org)
    on_ceph.done("POST", "bucket", bucket=org.name, uid=org.name)
    # Unlinking revokes nothing: it is no way to close an account.
    assert on_ceph.done("GET", "bucket", uid=org.name) == []
    assert on_ceph.put(org).status_code == 200
    assert settle(on_ceph.store, org) == [False, True, False]
    assert on_ceph.done("GET", "bucket", uid=org.name) == [org.name]


def quota_of(stand: CephStand, org: Org) -> dict[str, int]:
    return stand.done("GET", "bucket", bucket=org.name, stats="true")["bucket_quota"]


def test_the_control_a_quota_by_max_size_is_ignored(on_ceph: CephStand, org: Org) -> None:
    settle(on_ceph.store, org)
    before = quota_of(on_ceph, org)
    on_ceph.done("PUT", "bucket", quota="", uid=org.name, bucket=org.name, max_size=1, enabled="true")
    assert quota_of(on_ceph, org) == before
    assert on_ceph.put(org).status_code == 200


def test_a_quota_of_objects_alone_blocks_every_write_and_is_mended(on_ceph: CephStand, org: Org) -> None:
    settle(on_ceph.store, org, quota=None)
    assert not quota_of(on_ceph, org)["enabled"]
    on_ceph.done("PUT", "bucket", quota="", uid=org.name, bucket=org.name, max_objects=5, enabled="true")
    assert on_ceph.put(org).status_code == 403
    assert settle(on_ceph.store, org, quota=None) == [False, True, False]
    assert on_ceph.put(org).status_code == 200


def test_figures_are_those_of_now_where_the_users_are_old(on_ceph: CephStand, org: Org) -> None:
    # Ceph brings the users' up to date every few minutes: at most one of the two can have met with that.
    olds = []
    for one in (Org(), org):
        settle(on_ceph.store, one)
        on_ceph.put(one, b"x" * 5000)
        olds.append(on_ceph.done("GET", "user", uid=one.name, stats="true")["stats"]["size"])
    assert 0 in olds
    assert on_ceph.store.usage(org.name, org.name).used_bytes == 5000
    assert on_ceph.done("GET", "user", uid=org.name, stats="true", sync="true")["stats"]["size"] == 5000


def test_uploads_that_nobody_ends_are_ended_by_the_gateway_at_last(on_ceph: CephStand, org: Org) -> None:
    settle(on_ceph.store, org)
    assert settle(on_ceph.store, org) == [False, False, False]
    rule = on_ceph.call(org.key, "GET", f"/{org.name}", {"lifecycle": ""})
    assert "<DaysAfterInitiation>7</DaysAfterInitiation>" in rule.text


def test_what_one_gateway_is_told_holds_at_the_other(ceph: "RunningCeph", on_ceph: CephStand, org: Org) -> None:
    org.keys.append(new_key())
    settle(on_ceph.store, org)
    other = replace(on_ceph, endpoint=ceph.endpoints[1])
    # It knows the keys and the bucket by now, and must unlearn.
    assert [other.put(org, key=key).status_code for key in org.keys] == [200, 200]

    def comes_to(wanted: int, key: AccessKey) -> None:
        eventually(lambda: other.put(org, key=key).status_code == wanted)

    on_ceph.store.ensure_account(org.name, org.keys[:1], 1)
    comes_to(403, org.keys[1])
    for mode, status in (("read_only", 403), ("open", 200), ("suspended", 403), ("open", 200)):
        on_ceph.store.ensure_mode(org.name, mode, 1)  # type: ignore[arg-type]
        comes_to(status, org.key)
    on_ceph.set_quota(org, 4096)
    comes_to(403, org.key)


def test_names_come_whole_though_they_come_in_pages(on_ceph: CephStand, monkeypatch: pytest.MonkeyPatch) -> None:
    from control_plane.storage import admin

    organisations = [Org() for _ in range(7)]
    for org in organisations:
        settle(on_ceph.store, org)
    monkeypatch.setattr(admin, "NAMES", 3)
    accounts, buckets = on_ceph.store.inventory()
    assert {org.name for org in organisations} <= accounts & buckets
    # The control: one page is not all.
    assert on_ceph.done("GET", "metadata/user", max_entries=3)["truncated"] == "true"
