"""Keys rotate while everything works: the key that a workspace uses opens its store at every moment, and no other."""

import signal
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from control_plane import audit, fleet, organisations, provisioning, storage
from control_plane.audit import SYSTEM, Filter
from control_plane.provisioning import STEPS, Grace
from kit.db import transaction
from kit.errors import Refusal, Unavailable
from tests.faults.crashes import MAKING_POINTS, CrashPoint, failing, kill_at
from tests.provisioning.rotating import (
    AT_ONCE,
    end,
    held,
    key_ids,
    locked_out,
    published,
    rotate,
    rotated,
    states,
    version_of,
)
from tests.tenancy.beating import follower
from tests.world.house import CELL, House, Killed
from tests.world.waiting import eventually, freeze

# The owner is made once: a rotation does not come by.
POINTS = [point for point in MAKING_POINTS if point.step != "owner"]


@pytest.fixture(autouse=True)
def _nobody(house: House) -> None:
    house.nobody_serves()


def test_a_new_key_stands_beside_the_old_one_and_is_published(house: House) -> None:
    organisation = house.live()
    assert held(house, organisation) == key_ids(organisation, 1)
    rotated(house, organisation)
    assert held(house, organisation) == key_ids(organisation, 1, 2)
    assert {published(house, organisation)["key_id"]} == key_ids(organisation, 2)
    assert states(house, organisation) == {1: "retiring", 2: "current"}
    assert house.last_operation(organisation).kind == "rotate"
    assert house.complaints(organisation) == []


def test_the_old_key_stays_until_every_process_serves_the_new_one(house: House) -> None:
    organisation = house.live()
    rotated(house, organisation)
    new = version_of(house, organisation)
    house.served(new, "one")
    house.served(new - 1, "two")
    assert end(house, organisation) == 0
    assert house.keys(organisation).store[1].confirmed_at is None
    house.served(None, "two")
    assert end(house, organisation) == 0, "one of an older release says nothing"
    house.served(new + 5, "two")
    assert end(house, organisation) == 1
    house.settle(organisation)
    assert held(house, organisation) == key_ids(organisation, 2)


def test_a_process_that_was_silent_for_two_minutes_is_gone(house: House) -> None:
    organisation = house.live()
    rotated(house, organisation)
    assert Grace().silent == timedelta(minutes=2)
    house.served(0, "dead", seconds_ago=60)
    assert end(house, organisation) == 0
    house.served(0, "dead", seconds_ago=121)
    assert end(house, organisation) == 1
    house.settle(organisation)
    assert states(house, organisation) == {1: "gone", 2: "current"}


def test_what_was_signed_with_the_old_key_runs_out_first(house: House) -> None:
    organisation = house.live()
    rotated(house, organisation)
    assert end(house, organisation, Grace()) == 0
    waiting = house.keys(organisation).store[1]
    assert (waiting.state, waiting.last_use_ended_at) == ("retiring", None)
    assert waiting.confirmed_at is not None
    assert Grace().signed + Grace().margin == timedelta(seconds=90)
    house.sql("update store_key set confirmed_at = now() - interval '30 seconds' where state = 'retiring'")
    assert end(house, organisation, Grace()) == 0
    house.sql("update store_key set confirmed_at = now() - interval '91 seconds' where state = 'retiring'")
    assert end(house, organisation, Grace()) == 1


def test_the_end_of_its_last_use_is_kept_and_told(house: House) -> None:
    organisation = house.live()
    rotated(house, organisation)
    assert end(house, organisation) == 1
    house.settle(organisation)
    gone = house.keys(organisation).store[1]
    assert gone.state == "gone"
    assert gone.created_at <= gone.retired_at <= gone.confirmed_at == gone.last_use_ended_at <= gone.removed_at  # type: ignore[operator]
    assert house.last_operation(organisation).kind == "retire"
    assert house.sql(
        "select secret_sealed from store_key where state = 'gone' and organisation_id = :o", o=organisation
    ) == [(None,)]
    with transaction(house.engine) as session:
        told = audit.events(session, Filter(organisation_id=organisation, verb="store_key.")).items
    assert [(event.verb, event.actor["name"], event.data["version"]) for event in told] == [
        ("store_key.ended", "Parvis", 1),
        ("store_key.rotated", "Inès Bakkali", 2),
    ]
    assert told[0].data["last_use_ended_at"] == gone.last_use_ended_at.isoformat()  # type: ignore[union-attr]
    assert house.complaints(organisation) == []


def whole_rotation(house: House, organisation: UUID, **options: object) -> list[str]:
    watch = locked_out(house, organisation)
    rotate(house, organisation)
    house.loop(watch, **options).run(organisation)  # type: ignore[arg-type]
    end(house, organisation)
    house.loop(watch, **options).run(organisation)  # type: ignore[arg-type]
    return watch.found  # type: ignore[attr-defined,no-any-return]


def test_the_published_key_opens_the_store_at_every_moment(house: House) -> None:
    organisation = house.live()
    assert whole_rotation(house, organisation) == []
    assert held(house, organisation) == key_ids(organisation, 2)


def test_the_control_without_an_overlap_it_does_not(house: House) -> None:
    from dataclasses import replace

    organisation = house.live()

    def hasty(run, world):  # type: ignore[no-untyped-def]
        newest = replace(run.keyring, all=run.keyring.all[-1:])
        return STEPS["storage"].act(replace(run, keyring=newest), world)

    steps = {**STEPS, "storage": replace(STEPS["storage"], act=hasty)}
    assert "effect-storage" in whole_rotation(house, organisation, steps=steps)


@pytest.mark.parametrize("crash", POINTS, ids=str)
def test_a_kill_anywhere_in_a_rotation_makes_no_third_key_and_locks_nobody_out(house: House, crash: CrashPoint) -> None:
    organisation = house.live()
    rotate(house, organisation)
    with pytest.raises(Killed):
        house.loop(kill_at(crash)).run(organisation)
    assert published(house, organisation)["key_id"] in held(house, organisation)
    house.settle(organisation)
    assert states(house, organisation) == {1: "retiring", 2: "current"}
    assert {published(house, organisation)["key_id"]} == key_ids(organisation, 2)
    assert end(house, organisation) == 1
    with pytest.raises(Killed):
        house.loop(kill_at(crash)).run(organisation)
    house.settle(organisation)
    assert (held(house, organisation), end(house, organisation)) == (key_ids(organisation, 2), 0)
    assert house.complaints(organisation) == []


@pytest.mark.parametrize("step", ["storage", "route"])
def test_until_the_store_has_it_the_new_key_is_not_published(house: House, step: str) -> None:
    organisation = house.live()
    rotate(house, organisation)
    house.loop(steps=failing(step, "before", Unavailable("away", "away"), times=3)).run(organisation)
    assert {published(house, organisation)["key_id"]} == key_ids(organisation, 1)
    assert end(house, organisation) == 0
    house.settle(organisation)
    assert {published(house, organisation)["key_id"]} == key_ids(organisation, 2)


def test_a_rotation_that_was_given_up_is_brought_to_its_end_quietly(house: House) -> None:
    organisation = house.live()
    rotate(house, organisation)
    house.loop(steps=failing("storage", "before", Refusal("store_refused", "No."))).run(organisation)
    assert house.last_operation(organisation).state == "failed"
    assert end(house, organisation) == 0
    house.wake(organisation)
    house.loop().run(organisation)
    assert {published(house, organisation)["key_id"]} == key_ids(organisation, 2)
    assert end(house, organisation) == 1


def test_two_rotations_in_a_row_end_both_old_keys(house: House) -> None:
    organisation = house.live()
    rotated(house, organisation)
    rotated(house, organisation)
    assert held(house, organisation) == key_ids(organisation, 1, 2, 3)
    # One ends at a time: the next look finds the other.
    assert end(house, organisation) == 1
    house.settle(organisation)
    assert end(house, organisation) == 1
    house.settle(organisation)
    assert held(house, organisation) == key_ids(organisation, 3)
    assert states(house, organisation) == {1: "gone", 2: "gone", 3: "current"}


def test_a_suspended_organisation_rotates_and_stays_suspended(house: House) -> None:
    organisation = house.live()
    with transaction(house.engine) as session:
        organisations.suspend(session, organisation, reason="not paid", actor=SYSTEM)
    house.settle(organisation)
    rotated(house, organisation)
    assert end(house, organisation) == 1
    house.settle(organisation)
    assert (house.stored(organisation).mode, house.state(organisation)) == ("suspended", "suspended")
    assert held(house, organisation) == key_ids(organisation, 2)


@pytest.mark.parametrize("what", ["store", "data"])
def test_while_something_is_under_way_or_nothing_is_left_nothing_rotates(house: House, what: str) -> None:
    organisation = house.order()
    with pytest.raises(Refusal, match="under way"):
        rotate(house, organisation, what)
    house.settle(organisation)
    house.close_and_erase(organisation)
    house.settle_for_good(organisation)
    with pytest.raises(Refusal, match="no keys"):
        rotate(house, organisation, what)
    assert set(states(house, organisation).values()) == {"gone"}


def test_an_overlap_waits_while_something_else_is_under_way(house: House) -> None:
    organisation = house.live()
    rotated(house, organisation)
    with transaction(house.engine) as session:
        organisations.suspend(session, organisation, reason="not paid", actor=SYSTEM)
    assert end(house, organisation) == 0
    house.settle(organisation)
    assert end(house, organisation) == 1


def age(house: House, organisation: UUID, days: int) -> None:
    house.sql(
        "update store_key set created_at = now() - make_interval(days => :days) where organisation_id = :id",
        days=days,
        id=organisation,
    )


def test_keys_rotate_by_age(house: House) -> None:
    old, young, busy = house.live(), house.live(), house.live()
    for organisation, days in ((old, 91), (young, 89), (busy, 300)):
        age(house, organisation, days)
    with transaction(house.engine) as session:
        organisations.suspend(session, busy, reason="not paid", actor=SYSTEM)
    provisioning.keep_keys(house.engine, house.world, 0)
    assert states(house, old) == {1: "current"}
    provisioning.keep_keys(house.engine, house.world, 90)
    house.settle(old, busy)
    assert [states(house, one) for one in (old, young, busy)] == [
        {1: "retiring", 2: "current"},
        {1: "current"},
        {1: "current"},
    ]
    assert provisioning.rotate_aged(house.engine, 90) == 1
    house.settle(busy)
    assert held(house, busy) == key_ids(busy, 1, 2)
    with transaction(house.engine) as session:
        (event,) = audit.events(session, Filter(organisation_id=busy, verb="store_key.rotated")).items
    assert (event.actor["kind"], event.data["why"]) == ("system", "schedule")


def test_a_data_key_that_encrypts_no_file_is_destroyed_when_it_rotates(house: House) -> None:
    organisation = house.live()
    before = house.keyring(organisation)
    sealed = house.sql("select secret_sealed from store_key where organisation_id = :id", id=organisation)
    rotated(house, organisation, "data")
    assert house.keyring(organisation) == before
    assert house.sql("select secret_sealed from store_key where organisation_id = :id", id=organisation) != sealed
    assert [(key.version, key.state) for key in house.keys(organisation).data] == [(2, "current"), (1, "destroyed")]
    assert house.complaints(organisation) == []


def test_destroyed_keys_are_gone_for_good(house: House) -> None:
    organisation = house.live()
    before = house.sql("select secret_sealed from store_key where organisation_id = :id", id=organisation)[0][0]
    rotated(house, organisation, "data")
    with transaction(house.engine) as session:
        from control_plane.storage.keys_chest import Chest

        chest = Chest.open(session, house.vault, organisation)
        with pytest.raises(Unavailable, match="vault_refused"):
            chest.seals.open(before, f"store-key:{organisation}:1")
    assert house.sql(
        "select version from organisation_key where organisation_id = :id and wrapped is not null", id=organisation
    ) == [(2,)]


def test_a_store_key_and_a_data_key_rotate_one_after_the_other(house: House) -> None:
    organisation = house.live()
    rotated(house, organisation)
    rotated(house, organisation, "data")
    assert len(house.keyring(organisation).all) == 2
    assert end(house, organisation) == 1
    house.settle(organisation)
    assert held(house, organisation) == key_ids(organisation, 2)
    assert house.complaints(organisation) == []


def test_a_cell_that_does_not_answer_keeps_its_old_keys(house: House) -> None:
    organisation = house.live()
    rotated(house, organisation)

    class Away:
        def served(self, _silent: timedelta) -> int:
            raise Unavailable("cell_unreachable", "away")

    class Databases:
        def get(self, _session: object, _database: UUID) -> Away:
            return Away()

    from dataclasses import replace

    away = replace(house.world, databases=Databases())  # type: ignore[arg-type]
    assert provisioning.end_overlaps(house.engine, away, AT_ONCE) == 0
    assert end(house, organisation) == 1


def test_what_people_see_of_keys_holds_no_secret(house: House) -> None:
    organisation = house.live()
    shown = repr(house.keys(organisation)) + repr(house.keyring(organisation))
    ring = house.keyring(organisation)
    assert ring.current.key_id in shown
    assert ring.current.secret not in shown
    with transaction(house.engine) as session:
        assert storage.keys_of(session, UUID(int=1)) == storage.KeysView([], [])


def test_a_real_process_of_the_tenant_app_confirms_within_seconds_and_a_frozen_one_does_not(
    house: House, tmp_path: Path
) -> None:
    organisation = house.live()
    path = tmp_path / "cell.json"
    with transaction(house.engine) as session:
        fleet.write_cell_file(session, house.vault, CELL, path)
    with follower(path) as (process, _):
        eventually(lambda: house.cell.served(Grace().silent) == house.cell.health().directory_version)
        freeze(process.pid)
        rotated(house, organisation)
        assert end(house, organisation) == 0
        process.send_signal(signal.SIGCONT)
        eventually(lambda: end(house, organisation) == 1)
    house.settle(organisation)
    assert held(house, organisation) == key_ids(organisation, 2)
