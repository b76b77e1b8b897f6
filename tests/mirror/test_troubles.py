"""A mirror that is away, or refuses: said clearly and soon, its lag grows in sight, and it recovers by itself."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine

from control_plane.storage import AccessKey, CephObjectStore, MirrorPace, mirror_sides
from tests.mirror.town import Town, admin_call, backup_user, keys_in, open_town
from tests.storage.between import standing_between
from tests.world.ceph import GATEWAY, running_ceph, wait_until

if TYPE_CHECKING:
    from tests.world.ceph import RunningCeph


@pytest.fixture(scope="module")
def fragile(world_folder: Path) -> Iterator["RunningCeph"]:
    """A second cluster that may be broken."""
    with running_ceph(world_folder / "ceph-fragile") as running:
        yield running


@pytest.fixture
def fragile_town(engine: Engine, ceph: "RunningCeph", ceph_store: CephObjectStore, fragile: "RunningCeph") -> Town:
    key = backup_user(fragile.endpoint, AccessKey(fragile.admin_key_id, fragile.admin_secret))
    return open_town(engine, ceph_store, ceph.cluster.store_settings(), fragile.endpoint, key)


def test_a_mirror_that_dies_in_the_middle_is_waited_for_with_its_lag_in_sight(
    fragile_town: Town, fragile: "RunningCeph"
) -> None:
    town = fragile_town
    org = town.organisation()
    org.put(b"one")
    town.settle(org)
    org.small(2500)
    worker = town.worker()
    town.ask(org)
    turn = threading.Thread(target=worker.turn, args=(org.id,))
    turn.start()
    wait_until(lambda: len(keys_in(org.mirror)) > 100, pause=0.01)
    fragile.kill(GATEWAY)
    turn.join(timeout=120)
    assert not turn.is_alive()
    first = town.seen(org)
    assert (first.state, first.error_code, first.well) == ("failing", "store_unavailable", False)
    assert first.error is not None
    assert first.error.startswith("mirror: ")
    assert first.missing > 0
    assert first.oldest_unmirrored_at is not None
    time.sleep(0.5)
    second = town.once(org, worker)
    assert second.state == "failing"
    assert second.lag_seconds is not None
    assert first.lag_seconds is not None
    assert second.lag_seconds > first.lag_seconds + 0.4
    fragile.restart(GATEWAY)
    last = town.settle(org, worker=worker)
    assert (last.missing, last.error, last.objects) == (0, None, 2501)
    assert last.lag_seconds is not None
    assert org.same()
    worker.close()


def test_a_mirror_that_hangs_is_given_up_after_a_bounded_time(
    fragile_town: Town, fragile: "RunningCeph", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror_sides, "REQUEST_SECONDS", 3)
    town = fragile_town
    org = town.organisation()
    org.small(1000)
    worker = town.worker(MirrorPace(slice=timedelta(minutes=5), first_retry=timedelta(0), last_retry=timedelta(0)))
    town.ask(org)
    turn = threading.Thread(target=worker.turn, args=(org.id,))
    turn.start()
    wait_until(lambda: len(keys_in(org.mirror)) > 20, pause=0.01)
    with fragile.frozen(GATEWAY):
        turn.join(timeout=120)
        assert not turn.is_alive()
        assert town.seen(org).error_code == "store_unavailable"
    assert town.settle(org, worker=worker).objects == 1000
    worker.close()


def test_a_mirror_whose_key_is_refused_says_which_side_refused(town: Town) -> None:
    org = town.organisation()
    org.put(b"one")
    town.sql("update cell set store = jsonb_set(store, '{mirror,key_id}', '\"NOBODY\"')")
    found = town.once(org)
    assert (found.state, found.error_code) == ("failing", "store_key_unknown")
    assert found.error is not None
    assert "(mirror)" in found.error


def test_a_user_who_may_have_no_more_buckets_is_told_so(fragile_town: Town, fragile: "RunningCeph") -> None:
    town = fragile_town
    admin = AccessKey(fragile.admin_key_id, fragile.admin_secret)
    first, second = town.organisation(), town.organisation()
    town.settle(first)
    limit = {"uid": "backup", "max-buckets": "1"}
    assert admin_call(fragile.endpoint, admin, "POST", "user", limit).status_code == 200
    found = town.once(second)
    assert (found.state, "TooManyBuckets" in (found.error or "")) == ("failing", True)
    assert admin_call(fragile.endpoint, admin, "POST", "user", limit | {"max-buckets": "0"}).status_code == 200
    assert town.settle(second).state == "whole"


def test_failures_are_tried_again_ever_more_slowly(town: Town) -> None:
    pace = MirrorPace()
    waits = [pace.retry_in(attempt).total_seconds() for attempt in range(8)]
    assert waits == [15, 30, 60, 120, 240, 480, 600, 600]


def test_answers_that_are_lost_cost_nothing(town: Town) -> None:
    """Every seventh call to the mirror is lost, on the way there or back: all the same it becomes equal."""
    org = town.organisation()
    org.small(150)
    with standing_between(town.backup_endpoint) as between:
        town.aim("mirror,endpoint", between.endpoint)
        fates = ["lose the call", "lose the answer", "unknown error"]
        between.fate = lambda number, _method, _path: fates[number // 7 % 3] if number % 7 == 0 else "pass"  # type: ignore[return-value]
        assert town.settle(org).objects == 150
    assert org.same()
