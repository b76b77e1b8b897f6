"""Lost calls, lost answers, a gateway that dies and a disk that hangs: bounded in time, and settled by the next run."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from control_plane.storage import BucketWish, CephObjectStore
from kit.errors import Unavailable
from tests.storage.between import Between, Fate, standing_between
from tests.storage.stands import SOLD, CephStand, Org, ceph_stand, new_key, settle
from tests.world.ceph import DISK, GATEWAY, RunningCeph, wait_until

UNCHANGED = [False, False, False]


@pytest.fixture
def between(on_ceph: CephStand) -> Iterator[Between]:
    with standing_between(on_ceph.endpoint) as made:
        yield made


@pytest.fixture
def beyond(on_ceph: CephStand, between: Between) -> Iterator[CephObjectStore]:
    """The session's Ceph, as a store sees it with somebody in between."""
    store = CephObjectStore.at(between.endpoint, on_ceph.admin_key)
    yield store
    store.close()


def whole(stand: CephStand, org: Org) -> None:
    """Exactly one of everything, and its keys open its bucket."""
    assert settle(stand.store, org) == UNCHANGED
    assert stand.keys_of(org) == {key.key_id for key in org.keys}
    assert stand.done("GET", "bucket", uid=org.name) == [org.name]
    assert {stand.put(org, key=key).status_code for key in org.keys} == {200}


@pytest.mark.parametrize("fate", ["lose the call", "lose the answer", "unknown error"])
def test_each_call_that_goes_wrong_once_is_repeated_in_place(
    on_ceph: CephStand, between: Between, beyond: CephObjectStore, org: Org, fate: Fate
) -> None:
    failed: set[str] = set()

    def once(_number: int, method: str, path: str) -> Fate:
        if f"{method} {path}" in failed:
            return "pass"
        failed.add(f"{method} {path}")
        return fate

    between.fate = once
    org.keys.append(new_key())
    settle(beyond, org)
    assert settle(beyond, org) == UNCHANGED
    assert len(failed) >= 10
    whole(on_ceph, org)
    assert beyond.remove(org.name, org.name, org.key, 1)
    assert org.name not in set().union(*on_ceph.store.inventory())


@pytest.mark.parametrize("fate", ["lose the call", "lose the answer"])
def test_a_run_that_breaks_off_at_any_call_is_settled_by_the_next(
    on_ceph: CephStand, between: Between, beyond: CephObjectStore, fate: Fate
) -> None:
    for last in range(40):
        org = Org(keys=[new_key(), new_key()])
        between.calls.clear()
        # From this call on the gateway is away.
        between.fate = lambda number, _method, _path, last=last: "pass" if number < last else fate  # type: ignore[misc]
        try:
            settle(beyond, org, mode="read_only")
        except Unavailable as away:
            words = str(away)
        else:
            assert last > 6
            return
        assert words.startswith("store_unavailable: ")
        settle(on_ceph.store, org)
        whole(on_ceph, org)
    raise AssertionError("it never came to its end")


@pytest.mark.parametrize("fate", ["lose the call", "lose the answer"])
def test_a_removal_that_breaks_off_at_any_call_is_settled_by_the_next(
    on_ceph: CephStand, between: Between, beyond: CephObjectStore, fate: Fate
) -> None:
    for last in range(40):
        org = Org()
        settle(on_ceph.store, org)
        on_ceph.put(org)
        between.calls.clear()
        between.fate = lambda number, _method, _path, last=last: "pass" if number < last else fate  # type: ignore[misc]
        try:
            beyond.remove(org.name, org.name, org.key, 1)
        except Unavailable:
            on_ceph.store.remove(org.name, org.name, org.key, 1)
            assert org.name not in set().union(*on_ceph.store.inventory())
        else:
            assert last > 8
            return
    raise AssertionError("it never came to its end")


def test_a_gateway_that_hangs_is_given_up_in_time(between: Between, beyond: CephObjectStore, org: Org) -> None:
    beyond.gateway.read_seconds = 1.0
    between.fate = lambda *_: "hang"
    with pytest.raises(Unavailable, match="GET /admin/user: ReadTimeout"):
        beyond.ensure_account(org.name, org.keys, 1)
    # Not repeated: whoever asks again has waited long enough.
    assert len(between.calls) == 1


def test_a_gateway_that_is_not_there_says_so_at_once(on_ceph: CephStand, org: Org) -> None:
    store = CephObjectStore.at("http://127.0.0.1:9", on_ceph.admin_key)
    with pytest.raises(Unavailable, match="Connection refused"):
        store.ensure_account(org.name, org.keys, 1)
    assert [check.ok for check in store.check()] == [True, False]


@pytest.fixture
def breakable(broken_ceph: RunningCeph) -> Iterator[CephStand]:
    with ceph_stand(broken_ceph.endpoint, broken_ceph.admin_key_id, broken_ceph.admin_secret) as stand:
        yield stand


def test_a_frozen_disk_is_a_clear_error_in_bounded_time(broken_ceph: RunningCeph, breakable: CephStand) -> None:
    new, *known = (Org() for _ in range(5))
    for org in known:
        settle(breakable.store, org)
    attempts: list[Callable[[], object]] = [
        lambda: store.ensure_account(new.name, new.keys, 1),
        lambda: store.ensure_account(known[0].name, [new_key()], 1),
        lambda: store.ensure_bucket(known[1].name, known[1].name, known[1].key, BucketWish(2 * SOLD), 1),
        lambda: store.ensure_mode(known[2].name, "suspended", 1),
        lambda: store.remove(known[3].name, known[3].name, known[3].key, 1),
    ]

    def told_of(attempt: Callable[[], object]) -> str:
        with pytest.raises(Unavailable) as told:
            attempt()
        return str(told.value)

    with standing_between(broken_ceph.endpoint) as between:
        store = CephObjectStore.at(between.endpoint, breakable.admin_key)
        with broken_ceph.frozen(DISK), ThreadPoolExecutor(len(attempts)) as pool:
            results = list(pool.map(told_of, attempts))
        # What was asked before the freeze may still come true after it: the next look mends that as well.
        wait_until(lambda: between.under_way == 0)
        store.close()
    assert all(words.startswith("store_unavailable: ") and "Timeout" in words for words in results), results
    for org in (new, *known):
        settle(breakable.store, org)
        whole(breakable, org)


def test_a_gateway_killed_in_the_middle_leaves_nothing_that_the_repeat_does_not_settle(
    broken_ceph: RunningCeph, breakable: CephStand
) -> None:
    organisations = [Org(keys=[new_key(), new_key()]) for _ in range(150)]

    def attempt(org: Org) -> bool:
        try:
            settle(breakable.store, org)
        except Unavailable:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(attempt, org) for org in organisations]
        wait_until(lambda: sum(one.done() for one in running) > 20, pause=0.01)
        broken_ceph.kill(GATEWAY)
        settled = [one.result() for one in running]
    assert True in settled
    assert False in settled
    broken_ceph.restart(GATEWAY)
    # Ceph waits half a minute for the word of a gateway that was killed, and every write with it.
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda org: wait_until(lambda: attempt(org)), organisations))
        list(pool.map(lambda org: whole(breakable, org), organisations))
