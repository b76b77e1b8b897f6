"""Hundreds of workers killed at random while organisations are ordered, held, freed and removed."""

import random
import threading
from uuid import UUID

import pytest

from control_plane import organisations, provisioning
from control_plane.audit import SYSTEM
from kit.db import transaction
from kit.errors import Refusal
from tests.provisioning.rotating import AT_ONCE
from tests.world.house import House, Killed

ROTATING = ("rotate_store_key", "rotate_data_key", "end_overlaps")


class Reaper:
    """A watch that kills about every third worker, and counts."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.kills = 0
        self.lock = threading.Lock()

    def __call__(self, point: str, step: str) -> None:
        with self.lock:
            if self.random.random() < 0.3:
                self.kills += 1
                raise Killed(f"{point}-{step}")


def work(house: House, reaper: Reaper, kills: int) -> None:
    """A worker that dies is followed by another, until so many have died."""
    while reaper.kills < kills:
        try:
            if not house.loop(reaper).run_due(5):
                threading.Event().wait(0.01)
        except Killed:
            continue


def disturb(house: House, chance: random.Random, known: list[UUID]) -> None:
    """Somebody asks for something, whatever state it is in."""
    one = chance.choice(known)
    action = chance.choice(["order", "order", "suspend", "resume", "read_only", "erase", *ROTATING])
    try:
        if action == "order":
            known.append(house.order())
        elif action == "erase":
            house.close_and_erase_now(one)
        elif action == "end_overlaps":
            provisioning.end_overlaps(house.engine, house.world, AT_ONCE)
        elif action in ROTATING:
            with transaction(house.engine) as session:
                getattr(provisioning, action)(session, one, SYSTEM)
        else:
            change = getattr(organisations, action)
            options = {} if action == "resume" else {"reason": "a test of patience"}
            with transaction(house.engine) as session:
                change(session, one, actor=SYSTEM, **options)
    except Refusal:
        # Not in this state: that is an answer too.
        return


def torment(house: House, kills: int, seed: int) -> list[UUID]:
    chance, reaper = random.Random(seed), Reaper(seed)
    known = [house.order() for _ in range(10)]
    workers = [threading.Thread(target=work, args=(house, reaper, kills)) for _ in range(3)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        disturb(house, chance, known)
        threading.Event().wait(0.1)
    for worker in workers:
        worker.join()
    assert reaper.kills >= kills
    return known


def check(house: House, known: list[UUID]) -> None:
    house.settle_for_good(*known)
    assert house.complaints(*known) == []
    assert house.sql("select 1 from store_key where version > 1"), "keys rotated in the midst of it"
    assert {house.state(one) for one in known} <= {"live", "read_only", "suspended", "erased", "failed", "closing"}


def test_five_hundred_random_kills_leave_nothing_half_made(house: House) -> None:
    check(house, torment(house, 500, seed=20261123))


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(5))
def test_thousands_of_random_kills_leave_nothing_half_made(house: House, seed: int) -> None:
    check(house, torment(house, 2000, seed=seed))
