"""A worker that dies, freezes, errs or loses an answer anywhere leaves exactly one of everything, or nothing."""

import threading

import pytest

from control_plane import organisations
from control_plane.audit import SYSTEM
from kit.db import transaction
from tests.faults.crashes import MAKING_POINTS, REMOVING_POINTS, TIMED_OUT, CrashPoint, Freezer, failing, kill_at
from tests.world.house import House, Killed

named = pytest.mark.parametrize


@named("crash", MAKING_POINTS, ids=str)
def test_a_kill_anywhere_in_a_creation_leaves_exactly_one_of_everything(house: House, crash: CrashPoint) -> None:
    organisation = house.order()
    with pytest.raises(Killed):
        house.loop(kill_at(crash)).run(organisation)
    house.settle(organisation)
    assert house.state(organisation) == "live"
    assert house.complaints(organisation) == []


@named("crash", REMOVING_POINTS, ids=str)
def test_a_kill_anywhere_in_a_removal_leaves_nothing(house: House, crash: CrashPoint) -> None:
    organisation = house.live()
    house.close_and_erase(organisation)
    with pytest.raises(Killed):
        house.loop(kill_at(crash)).run(organisation)
    house.settle_for_good(organisation)
    assert house.state(organisation) == "erased"
    assert house.complaints(organisation) == []


@named("crash", MAKING_POINTS, ids=str)
def test_a_worker_frozen_past_its_lease_does_no_harm_when_it_goes_on(house: House, crash: CrashPoint) -> None:
    organisation = house.order()
    thawed = run_frozen(house, organisation, crash)
    house.settle(organisation)
    assert house.state(organisation) == "live"
    thawed()
    house.settle(organisation)
    assert house.complaints(organisation) == []


@named("crash", MAKING_POINTS, ids=str)
def test_a_worker_frozen_in_a_creation_cannot_bring_back_what_was_removed_meanwhile(
    house: House, crash: CrashPoint
) -> None:
    organisation = house.order()
    thawed = run_frozen(house, organisation, crash)
    house.close_and_erase(organisation)
    house.settle_for_good(organisation)
    assert house.complaints(organisation) == []
    thawed()
    assert house.state(organisation) == "erased"
    assert house.complaints(organisation) == []


@named("crash", REMOVING_POINTS, ids=str)
def test_a_worker_frozen_in_a_removal_does_no_harm_when_it_goes_on(house: House, crash: CrashPoint) -> None:
    organisation = house.live()
    house.close_and_erase(organisation)
    thawed = run_frozen(house, organisation, crash)
    house.settle_for_good(organisation)
    thawed()
    assert house.state(organisation) == "erased"
    assert house.complaints(organisation) == []


def run_frozen(house: House, organisation: object, crash: CrashPoint) -> "threading.Thread | object":
    """Run a worker until it freezes there. Answers the function that thaws it and waits for its end."""
    freezer = Freezer(crash)
    worker = threading.Thread(target=house.loop(freezer).run, args=(organisation,))
    worker.start()
    assert freezer.frozen.wait(60)

    def thaw() -> None:
        freezer.thawed.set()
        worker.join(60)
        assert not worker.is_alive()

    return thaw


@named("when", ["before", "effect"])
@named("error", [TIMED_OUT, RuntimeError("a bug")], ids=["time-out", "bug"])
@named("step", ["slot", "storage", "owner", "route"])
def test_an_error_or_a_lost_answer_is_tried_again(house: House, step: str, when: str, error: Exception) -> None:
    organisation = house.order()
    house.loop(steps=failing(step, when, error)).run(organisation)
    assert house.state(organisation) == "provisioning"
    house.settle(organisation)
    assert house.state(organisation) == "live"
    assert house.complaints(organisation) == []


@named("when", ["before", "effect"])
@named("step", ["remove_route", "remove_storage", "remove_slot"])
def test_an_error_or_a_lost_answer_in_a_removal_is_tried_again(house: House, step: str, when: str) -> None:
    organisation = house.live()
    house.close_and_erase(organisation)
    house.loop(steps=failing(step, when, TIMED_OUT)).run(organisation)
    house.settle_for_good(organisation)
    assert house.state(organisation) == "erased"
    assert house.complaints(organisation) == []


@named("crash", MAKING_POINTS, ids=str)
def test_removal_in_the_middle_of_a_creation_leaves_nothing(house: House, crash: CrashPoint) -> None:
    organisation = house.order()
    asked = threading.Event()

    def ask_there(point: str, step: str) -> None:
        if (step, point) == (crash.step, crash.point) and not asked.is_set():
            asked.set()
            house.close_and_erase(organisation)

    house.loop(ask_there).run(organisation)
    house.settle_for_good(organisation)
    assert house.state(organisation) == "erased"
    assert house.complaints(organisation) == []


@named("step", ["slot", "storage", "owner", "route"])
@named("when", ["before", "effect"])
def test_a_creation_that_fails_for_good_leaves_a_readable_reason_and_nothing_else(
    house: House, step: str, when: str
) -> None:
    organisation = house.order()
    steps = failing(step, when, TIMED_OUT, times=100)
    for _ in range(house.pace.attempts):
        house.wake(organisation)
        house.loop(steps=steps).run(organisation)
    assert house.state(organisation) == "failed"
    house.settle_for_good(organisation)
    assert house.get(organisation).failure == "the answer did not come in time"
    assert house.last_operation(organisation).state == "failed"
    assert house.complaints(organisation) == []


def test_a_step_that_kills_every_worker_is_given_up_after_some_of_them(house: House) -> None:
    organisation = house.order()
    deaths = 0
    while house.state(organisation) != "failed":
        assert deaths < 20
        house.sql("update provisioning set wake_at = now(), lease_until = now() where lease_until is not null")
        try:
            house.loop(kill_at(CrashPoint("storage", "before"))).run(organisation)
        except Killed:
            deaths += 1
    assert deaths == house.pace.attempts
    house.settle_for_good(organisation)
    assert "several times" in (house.get(organisation).failure or "")
    assert house.complaints(organisation) == []


@named("step", ["remove_route", "remove_storage", "remove_slot"])
def test_a_removal_is_never_given_up_however_many_workers_die_or_err(house: House, step: str) -> None:
    organisation = house.live()
    house.close_and_erase(organisation)
    for number in range(2 * house.pace.attempts):
        house.sql(
            "update provisioning set wake_at = now(), lease_until = least(lease_until, now())"
            " where organisation_id = :id",
            id=organisation,
        )
        if number % 2:
            house.loop(steps=failing(step, "before", TIMED_OUT)).run(organisation)
        else:
            with pytest.raises(Killed):
                house.loop(kill_at(CrashPoint(step, "before"))).run(organisation)
    house.settle_for_good(organisation)
    assert house.state(organisation) == "erased"
    assert house.complaints(organisation) == []


@named("crash", REMOVING_POINTS, ids=str)
def test_a_kill_in_the_undoing_of_a_failed_creation_leaves_nothing(house: House, crash: CrashPoint) -> None:
    from kit.errors import Refusal

    organisation = house.order()
    refused = failing("route", "effect", Refusal("host_taken", "The host leads elsewhere."))
    with pytest.raises(Killed):
        house.loop(kill_at(crash), refused).run(organisation)
    house.settle_for_good(organisation)
    assert house.state(organisation) == "failed"
    assert house.complaints(organisation) == []


def test_a_hold_placed_while_the_resuming_is_frozen_wins(house: House) -> None:
    organisation = house.live()
    with transaction(house.engine) as session:
        organisations.suspend(session, organisation, reason="not paid", actor=SYSTEM)
    house.settle(organisation)
    with transaction(house.engine) as session:
        organisations.resume(session, organisation, actor=SYSTEM)
    thawed = run_frozen(house, organisation, CrashPoint("route", "before"))
    with transaction(house.engine) as session:
        organisations.suspend(session, organisation, reason="still not paid", actor=SYSTEM)
    house.settle(organisation)
    thawed()
    house.settle(organisation)
    assert house.state(organisation) == "suspended"
    record = house.cell.inspect(organisation).record
    assert record is not None
    assert record.state == "suspended"
    assert house.complaints(organisation) == []
