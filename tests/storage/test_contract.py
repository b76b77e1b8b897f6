"""What every object store promises its administrator: the same cases against the embedded one and a real Ceph."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import requests

from control_plane.storage import AccessKey, BucketWish, Mode, allowance
from kit.errors import Refusal, Unavailable
from tests.storage.stands import ORIGIN, SOLD, Org, Stand, new_key, settle
from tests.world.waiting import eventually

UNCHANGED = [False, False, False]


def test_each_ensure_done_twice_changes_nothing_the_second_time(stand: Stand, org: Org) -> None:
    assert settle(stand.store, org) == [True, True, False]
    assert settle(stand.store, org) == UNCHANGED
    assert stand.put(org).status_code == 200


def test_what_is_wanted_otherwise_is_changed(stand: Stand, org: Org) -> None:
    settle(stand.store, org)
    org.keys.append(new_key())
    assert settle(stand.store, org, quota=2 * SOLD, mode="read_only", origins=("https://b.example",)) == [True] * 3
    assert settle(stand.store, org, quota=None, mode="suspended", origins=()) == [False, True, True]
    usage = stand.store.usage(org.name, org.name)
    assert (usage.quota_bytes, usage.mode) == (None, "suspended")
    settle(stand.store, org)
    assert settle(stand.store, org) == UNCHANGED


DRIFTS: dict[str, tuple[Callable[[Any, Org], None], list[bool]]] = {
    "a higher quota": (lambda stand, org: stand.set_quota(org, 2**40), [False, True, False]),
    "a lower quota": (lambda stand, org: stand.set_quota(org, 4096), [False, True, False]),
    "a suspension": (lambda stand, org: stand.set_mode(org, "suspended"), [False, False, True]),
    "a freeze": (lambda stand, org: stand.set_mode(org, "read_only"), [False, False, True]),
    "one key more": (lambda stand, org: stand.add_key(org, new_key()), [True, False, False]),
    "another secret": (
        lambda stand, org: stand.add_key(org, AccessKey(org.key.key_id, "x" * 32)),
        [True, False, False],
    ),
    "no bucket": (lambda stand, org: stand.drop_bucket(org), [False, True, False]),
    "another origin": (lambda stand, org: stand.set_origin(org, "https://evil.example"), [False, True, False]),
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_what_was_changed_by_hand_is_found_and_mended(stand: Stand, org: Org, drift: str) -> None:
    settle(stand.store, org)
    by_hand, found = DRIFTS[drift]
    by_hand(stand, org)
    # In the order in which a frozen account is opened, the changes are told as they were asked for.
    assert settle(stand.store, org) == found
    assert settle(stand.store, org) == UNCHANGED
    usage = stand.store.usage(org.name, org.name)
    assert (usage.quota_bytes, usage.mode, usage.key_ids) == (SOLD, "open", {org.key.key_id})
    assert stand.put(org).status_code == 200
    assert stand.preflight(org, ORIGIN) == ORIGIN
    assert stand.preflight(org, "https://evil.example") is None


def test_a_bucket_is_made_and_equipped_though_its_account_is_frozen(stand: Stand, org: Org) -> None:
    settle(stand.store, org, mode="suspended")
    stand.drop_bucket(org)  # type: ignore[attr-defined]
    assert settle(stand.store, org, mode="suspended") == [False, True, False]
    assert stand.put(org).status_code == 403
    settle(stand.store, org, mode="read_only")
    assert settle(stand.store, org, mode="read_only", origins=("https://b.example",)) == [False, True, False]
    assert stand.put(org).status_code == 403
    assert stand.preflight(org, "https://b.example") == "https://b.example"


def test_parallel_ensures_of_one_organisation_leave_one_of_everything(stand: Stand, org: Org) -> None:
    org.keys.append(new_key())
    barrier = threading.Barrier(8)

    def run(_: int) -> None:
        barrier.wait()
        settle(stand.store, org)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))
    assert settle(stand.store, org) == UNCHANGED
    assert stand.store.usage(org.name, org.name).key_ids == {key.key_id for key in org.keys}
    assert [stand.put(org, key=key).status_code for key in org.keys] == [200, 200]


def test_eight_workers_settle_many_organisations_through_one_store(stand: Stand) -> None:
    organisations = [Org() for _ in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda org: settle(stand.store, org), organisations))
        again = list(pool.map(lambda org: settle(stand.store, org), organisations))
    assert again == [UNCHANGED] * 40
    accounts, buckets = stand.store.inventory()
    assert {org.name for org in organisations} <= accounts & buckets
    assert {stand.put(org).status_code for org in organisations} == {200}


MODES: list[tuple[Mode, int, int]] = [("read_only", 200, 403), ("suspended", 403, 403), ("open", 200, 200)]


@pytest.mark.parametrize(("mode", "reading", "writing"), MODES)
def test_a_freeze_reaches_what_was_signed_before(
    stand: Stand, org: Org, mode: Mode, reading: int, writing: int
) -> None:
    settle(stand.store, org)
    name = f"/{org.name}/{uuid4()}"
    stand.call(org.key, "PUT", name, body=b"kept")
    read, write = stand.signed(org, "GET", name), stand.signed(org, "PUT", f"/{org.name}/{uuid4()}")
    assert requests.get(read, timeout=60).status_code == 200
    stand.store.ensure_mode(org.name, mode, 1)
    eventually(lambda: requests.get(read, timeout=60).status_code == reading)
    eventually(lambda: requests.put(write, data=b"x", timeout=60).status_code == writing)
    assert stand.store.usage(org.name, org.name).mode == mode


def test_a_rotation_lets_both_keys_work_and_then_only_the_new_one(stand: Stand, org: Org) -> None:
    settle(stand.store, org)
    old, new = org.key, new_key()
    # Until the first answer by the new key, workers may serve either.
    stand.store.ensure_account(org.name, [new, old], 1)
    assert [stand.put(org, key=key).status_code for key in (old, new)] == [200, 200]
    stand.store.ensure_account(org.name, [new], 1)
    assert [stand.put(org, key=key).status_code for key in (old, new)] == [403, 200]
    assert stand.store.usage(org.name, org.name).key_ids == {new.key_id}


def test_the_stores_quota_is_the_last_word(stand: Stand, org: Org) -> None:
    sold = 1024**2
    settle(stand.store, org, quota=sold)
    hard = allowance.hard_kib(sold) * allowance.KIB
    step = 512 * 1024
    answers = [stand.put(org, b"x" * step) for _ in range(hard // step + 2)]
    admitted = sum(answer.status_code == 200 for answer in answers) * step
    assert sold < admitted <= hard
    assert answers[-1].status_code == 403
    assert "<Code>QuotaExceeded</Code>" in answers[-1].text
    # Another offer, and the next upload goes in.
    settle(stand.store, org, quota=100 * sold)
    assert stand.put(org, b"x" * step).status_code == 200


def test_usage_counts_what_lies_there_now(stand: Stand, org: Org) -> None:
    assert stand.store.usage(org.name, org.name) is None
    settle(stand.store, org)
    names = [f"/{org.name}/{uuid4()}" for _ in range(3)]
    for name, size in zip(names, (0, 1, 5000), strict=True):
        assert stand.call(org.key, "PUT", name, body=b"x" * size).status_code == 200
    usage = stand.store.usage(org.name, org.name)
    assert (usage.used_bytes, usage.objects, usage.quota_bytes) == (5001, 3, SOLD)
    stand.call(org.key, "DELETE", names[2])
    usage = stand.store.usage(org.name, org.name)
    assert (usage.used_bytes, usage.objects, usage.mode, usage.key_ids) == (1, 2, "open", {org.key.key_id})


@pytest.mark.parametrize("mode", ["open", "read_only", "suspended"])
def test_a_removal_takes_everything_and_a_second_one_finds_nothing(stand: Stand, org: Org, mode: Mode) -> None:
    settle(stand.store, org)
    for _ in range(5):
        stand.put(org)
    stand.begin_upload(org)
    settle(stand.store, org, mode=mode)
    assert stand.store.remove(org.name, org.name, org.key, 1)
    assert not stand.store.remove(org.name, org.name, org.key, 1)
    accounts, buckets = stand.store.inventory()
    assert org.name not in accounts | buckets
    assert stand.put(org).status_code in {403, 404}
    assert stand.store.usage(org.name, org.name) is None


@pytest.mark.parametrize("missing", ["bucket", "key"])
def test_a_removal_that_finds_half_of_it_takes_the_rest(stand: Stand, org: Org, missing: str) -> None:
    settle(stand.store, org)
    stand.put(org)
    if missing == "bucket":
        stand.drop_bucket(org)  # type: ignore[attr-defined]
    else:
        stand.store.ensure_account(org.name, [], 1)
    assert stand.store.remove(org.name, org.name, new_key() if missing == "key" else org.key, 1)
    accounts, buckets = stand.store.inventory()
    assert org.name not in accounts | buckets


def test_somebody_elses_bucket_is_neither_taken_nor_removed(stand: Stand, org: Org) -> None:
    other = Org()
    settle(stand.store, org)
    settle(stand.store, other)
    stand.put(org)
    for attempt in (
        lambda: stand.store.remove(org.name, other.name, other.key, 1),
        lambda: stand.store.ensure_bucket(org.name, other.name, other.key, BucketWish(None), 1),
    ):
        with pytest.raises(Refusal, match="belongs to another account"):
            attempt()
    assert stand.store.usage(org.name, org.name).objects == 1
    assert stand.store.usage(org.name, other.name) is None
    assert settle(stand.store, other) == UNCHANGED


@pytest.mark.parametrize("name", ["admin", "org-", f"org-{'a' * 31}", f"org-{'A' * 32}", f"org-{'a' * 32}/x", "", ".."])
def test_a_name_that_no_organisation_has_is_not_touched(stand: Stand, org: Org, name: str) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: stand.store.ensure_account(name, [org.key], 1),
        lambda: stand.store.ensure_bucket(name, org.name, org.key, BucketWish(None), 1),
        lambda: stand.store.ensure_mode(name, "suspended", 1),
        lambda: stand.store.usage(name, name),
        lambda: stand.store.remove(name, org.name, org.key, 1),
        lambda: stand.store.remove(org.name, name, org.key, 1),
    ]
    for attempt in attempts:
        with pytest.raises(Refusal, match="not the name of an organisation"):
            attempt()


def test_an_account_that_is_missing_is_for_an_earlier_step(stand: Stand, org: Org) -> None:
    with pytest.raises(Unavailable, match="store_account_missing"):
        stand.store.ensure_mode(org.name, "suspended", 1)


def test_the_inventory_leaves_out_what_is_not_ours(stand: Stand, org: Org) -> None:
    settle(stand.store, org)
    stranger = f"stranger-{uuid4().hex}"
    stand.add_stranger(stranger)  # type: ignore[attr-defined]
    accounts, buckets = stand.store.inventory()
    assert org.name in accounts & buckets
    assert stranger not in accounts
    assert all(name.startswith("org-") for name in accounts | buckets)


def test_a_store_that_is_well_says_so(stand: Stand) -> None:
    assert [check.name for check in stand.store.check() if not check.ok or check.warning] == []
