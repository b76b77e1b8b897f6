"""One organisation's mirror is in one worker's hands at a time, however many workers there are."""

import threading
import time
from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from control_plane import storage
from control_plane.storage import MirrorPace
from kit.db import transaction
from tests.mirror.town import Town, keys_in
from tests.storage.between import Fate, standing_between
from tests.world.waiting import PATIENCE, eventually

PACE = MirrorPace(slice=timedelta(seconds=0.2), lease=timedelta(minutes=5), note_every=timedelta(seconds=0.1))


class Hands:
    """Who has whom in hand at this moment; `most` is how many ever had the same one, and `met` when two had."""

    def __init__(self) -> None:
        self.met = threading.Event()
        self.now: Counter[UUID] = Counter()
        self.turns: Counter[UUID] = Counter()
        self.most = 0
        self._lock = threading.Lock()

    def watch(self, what: str, one: UUID) -> None:
        with self._lock:
            self.now[one] += 1 if what == "begin" else -1
            self.turns[one] += what == "begin"
            self.most = max(self.most, self.now[one])
            if self.most > 1:
                self.met.set()


def crowd(town: Town, *, until_they_meet: bool = False) -> Hands:
    """Several workers, each with several threads, until nothing is due, or two meet on one organisation."""
    hands = Hands()
    stop = {"stop": hands.met} if until_they_meet else {}
    workers = [town.worker(PACE, watch=hands.watch, workers=2, **stop) for _ in range(4)]
    threads = [threading.Thread(target=one.round, args=(PATIENCE,)) for one in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for worker in workers:
        worker.close()
    return hands


@pytest.fixture
def busy(town: Town) -> Town:
    """Three organisations with more to copy than fits into a slice."""
    for _ in range(3):
        town.organisation().small(500)
    return town


def test_never_two_workers_on_one_organisation(busy: Town) -> None:
    with busy.slowed("mirror,endpoint", 0.001):
        hands = crowd(busy)
    assert hands.most == 1
    assert sum(hands.turns.values()) > 3
    assert all(one.same() for one in busy.organisations)


def test_the_control_without_leases_two_do_work_on_one(busy: Town) -> None:
    """Somebody takes every lease away: then they do meet. Even so nothing breaks, for objects never change."""
    stop = threading.Event()

    def robbing() -> None:
        while not stop.is_set():
            busy.sql("update mirror set lease_until = null, due_at = now()")
            time.sleep(0.01)

    robber = threading.Thread(target=robbing)
    robber.start()
    hands = crowd(busy, until_they_meet=True)
    stop.set()
    robber.join()
    assert hands.most > 1
    for org in busy.organisations:
        busy.settle(org)
        assert org.same()


def test_a_worker_that_lost_its_lease_writes_and_removes_nothing_more(town: Town) -> None:
    org = town.organisation()
    org.small(3000, 10)
    town.ask(org)
    worker = town.worker(MirrorPace(note_every=timedelta(seconds=0.05)))
    turn = threading.Thread(target=worker.turn, args=(org.id,))
    turn.start()
    eventually(lambda: len(keys_in(org.mirror)) > 20)
    # As another worker takes it over.
    town.sql("update mirror set fence = fence + 1, lease_until = now() + interval '1 hour', cursor = 'his'")
    turn.join(timeout=60)
    assert not turn.is_alive()
    with town.engine.connect() as connection:
        row = connection.execute(text("select cursor, lease_until > now() as held from mirror")).one()
    assert (row.cursor, row.held) == ("his", True)
    worker.close()


def test_a_lease_is_kept_while_one_object_takes_longer_than_it(town: Town) -> None:
    org = town.organisation()
    org.put(bytes(9 * 1024 * 1024))
    town.ask(org)
    lease = timedelta(seconds=5)
    pace = MirrorPace(slice=timedelta(minutes=5), lease=lease, note_every=timedelta(seconds=0.2))
    begun, enough = threading.Event(), threading.Event()

    def held(_number: int, method: str, path: str) -> Fate:
        if method == "PUT" and "partNumber" in path:
            begun.set()
            enough.wait(60)
        return "pass"

    with standing_between(town.backup_endpoint) as between:
        between.fate = held
        town.aim("mirror,endpoint", between.endpoint)
        worker, rival = town.worker(pace), town.worker(pace)
        turn = threading.Thread(target=worker.turn, args=(org.id,))
        turn.start()
        assert begun.wait(PATIENCE)
        until = time.monotonic() + lease.total_seconds() * 1.5
        while time.monotonic() < until:
            assert not rival.turn(org.id)
            time.sleep(0.1)
        enough.set()
        turn.join(timeout=60)
        assert not turn.is_alive()
        worker.close()
        rival.close()
    assert town.seen(org).objects == 1


def test_whoever_waits_for_work_in_other_hands_does_not_spin(town: Town) -> None:
    org = town.organisation()
    town.ask(org)
    hands = Hands()
    worker = town.worker(watch=hands.watch)
    with transaction(town.engine) as session:
        storage.mirror_ledger.claim(session, org.id, timedelta(minutes=1))
        assert worker.round(60) == 5.0
    assert hands.turns[org.id] == 0
    worker.close()
