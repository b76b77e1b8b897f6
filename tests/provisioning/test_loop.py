"""The loop: what is asked becomes true, step by step, and everybody can see how far it is."""

import threading
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from control_plane import organisations, placement, provisioning
from control_plane.audit import SYSTEM
from control_plane.provisioning import Step
from control_plane.storage import AccessKey, BucketWish
from kit.db import transaction
from kit.errors import Refusal, Unavailable
from kit.ids import new_id
from tests.faults.crashes import CrashPoint, failing, kill_at
from tests.world.house import House, Killed


def ledger(house: House, organisation: UUID) -> list[tuple[str, str]]:
    with transaction(house.engine) as session:
        operation = provisioning.operations(session, organisation).items[0]
        return [(step.name, step.state) for step in provisioning.steps(session, operation.id)]


def act(house: House, action: str, organisation: UUID, **options: object) -> None:
    with transaction(house.engine) as session:
        getattr(organisations, action)(session, organisation, actor=SYSTEM, **options)
    house.settle(organisation)


def test_an_order_becomes_a_workspace_with_its_ledger_done(house: House) -> None:
    organisation = house.order("sevres-one")
    assert house.loop().run(organisation)
    assert ledger(house, organisation) == [(name, "done") for name in ("slot", "storage", "owner", "route")]
    record = house.cell.inspect(organisation).record
    assert record is not None
    assert (record.state, record.hosts, record.offer) == ("live", ("sevres-one.parvis.localhost",), "team")
    with transaction(house.engine) as session:
        operation = provisioning.current_operation(session, organisation)
        assert operation is not None
        assert (operation.state, provisioning.progress(session, operation).percent) == ("succeeded", 100)
        steps = provisioning.steps(session, operation.id)
        assert all(step.milliseconds and step.changed and step.attempts == 1 for step in steps)


def test_a_spare_is_taken_and_without_one_a_slot_is_built(house: House) -> None:
    (spare,) = house.cell.build_slots(1)
    first, second = house.live(), house.live()
    assert house.cell.inspect(first).slot == spare
    assert house.cell.inspect(second).slot not in {None, spare}


@pytest.mark.parametrize(
    ("action", "options", "state", "mode"),
    [
        ("suspend", {"reason": "an attack"}, "suspended", "suspended"),
        ("read_only", {"reason": "an attack"}, "read_only", "read_only"),
        ("close", {"reason": "they leave"}, "closing", "read_only"),
    ],
)
def test_a_hold_reaches_the_tenant_app_and_the_store_and_is_taken_back(
    house: House, action: str, options: dict[str, str], state: str, mode: str
) -> None:
    organisation = house.live()
    act(house, action, organisation, **options)
    record = house.cell.inspect(organisation).record
    assert record is not None
    assert (record.state, house.state(organisation)) == (state, state)
    assert house.stored(organisation).mode == mode
    act(house, "reopen" if action == "close" else "resume", organisation)
    assert (house.state(organisation), house.stored(organisation).mode) == ("live", "open")
    assert house.complaints(organisation) == []


def test_a_new_offer_reaches_the_store_and_the_record(house: House) -> None:
    organisation = house.live()
    assert house.stored(organisation).quota_bytes == 20 * 10**9
    act(house, "change_offer", organisation, offer="business")
    assert house.stored(organisation).quota_bytes == 500 * 10**9
    record = house.cell.inspect(organisation).record
    assert record is not None
    assert record.entitlements["members"] == 250


def test_the_owner_is_made_once_afterwards_owners_are_the_workspaces_own_affair(house: House) -> None:
    organisation = house.live()
    slot = house.cell.inspect(organisation).slot
    with psycopg.connect(house.cell_url) as connection:
        connection.execute(f"update {slot}.principal set role = 1".encode())
    act(house, "rename", organisation, name="Ville de Sèvres")
    house.wake(organisation)
    house.loop().run(organisation)
    with psycopg.connect(house.cell_url) as connection:
        assert connection.execute(f"select role from {slot}.principal".encode()).fetchall() == [(1,)]


def test_a_change_that_fails_for_good_leaves_the_organisation_as_it_was_and_is_tried_again_quietly(
    house: House,
) -> None:
    organisation = house.live()
    with transaction(house.engine) as session:
        organisations.suspend(session, organisation, reason="an attack", actor=SYSTEM)
    steps = failing("storage", "before", Refusal("store_refused", "The store refuses this."))
    house.loop(steps=steps).run(organisation)
    operation = house.last_operation(organisation)
    assert (operation.state, operation.error_code, operation.retryable) == ("failed", "store_refused", False)
    assert house.state(organisation) == "live"
    house.wake(organisation)
    house.loop().run(organisation)
    assert house.state(organisation) == "suspended"
    assert house.complaints(organisation) == []


def test_a_change_that_failed_can_be_tried_again_by_hand(house: House) -> None:
    organisation = house.live()
    with transaction(house.engine) as session:
        organisations.suspend(session, organisation, reason="an attack", actor=SYSTEM)
    house.loop(steps=failing("storage", "before", Refusal("store_refused", "No."))).run(organisation)
    with transaction(house.engine) as session:
        operation = provisioning.retry(session, organisation, SYSTEM)
        assert operation.kind == "suspend"
    house.settle(organisation)
    assert house.state(organisation) == "suspended"


def fail(house: House, organisation: UUID) -> None:
    house.loop(steps=failing("route", "before", Refusal("host_taken", "The host leads elsewhere."))).run(organisation)
    house.settle_for_good(organisation)
    assert house.state(organisation) == "failed"


def test_a_failed_creation_has_given_its_place_back_and_can_be_tried_again(house: House) -> None:
    organisation = house.order()
    fail(house, organisation)
    assert house.sql("select 1 from placement where organisation_id = :id", id=organisation) == []
    with transaction(house.engine) as session:
        again = provisioning.retry(session, organisation, SYSTEM)
        assert (again.kind, again.state) == ("create", "pending")
    house.settle(organisation)
    assert (house.state(organisation), house.get(organisation).failure) == ("live", None)
    assert house.complaints(organisation) == []


def test_a_failed_creation_can_be_erased(house: House) -> None:
    organisation = house.order()
    fail(house, organisation)
    house.close_and_erase(organisation)
    house.settle_for_good(organisation)
    assert house.state(organisation) == "erased"
    assert house.complaints(organisation) == []


def test_trying_again_makes_a_waiting_step_due_now(house: House) -> None:
    organisation = house.order()
    house.loop(steps=failing("storage", "before", Unavailable("store_unavailable", "away"))).run(organisation)
    house.sql(
        "update provisioning set wake_at = now() + interval '1 hour' where organisation_id = :id", id=organisation
    )
    assert not house.loop().run(organisation)
    with transaction(house.engine) as session:
        provisioning.retry(session, organisation, SYSTEM)
    assert house.loop().run(organisation)
    assert house.state(organisation) == "live"


def test_there_is_nothing_to_try_again_where_all_went_well(house: House) -> None:
    organisation = house.live()
    with pytest.raises(Refusal, match="nothing to try again"), transaction(house.engine) as session:
        provisioning.retry(session, organisation, SYSTEM)


def operation_of(house: House, organisation: UUID) -> UUID:
    return house.last_operation(organisation).id


@pytest.mark.parametrize(
    ("undo", "state", "operation"), [("cancel", "erased", "cancelled"), ("roll_back", "failed", "failed")]
)
@pytest.mark.parametrize("step", ["slot", "storage", "owner", "route"])
def test_a_creation_is_undone_before_its_route_is_published(
    house: House, undo: str, state: str, operation: str, step: str
) -> None:
    organisation = house.order()
    house.loop(steps=failing(step, "before", Unavailable("away", "away"))).run(organisation)
    with transaction(house.engine) as session:
        getattr(provisioning, undo)(session, operation_of(house, organisation), SYSTEM)
    house.settle_for_good(organisation)
    assert (house.state(organisation), house.last_operation(organisation).state) == (state, operation)
    assert house.complaints(organisation) == []


def test_a_creation_is_cancelled_before_it_began(house: House) -> None:
    organisation = house.order()
    with transaction(house.engine) as session:
        provisioning.cancel(session, operation_of(house, organisation), SYSTEM)
    house.settle_for_good(organisation)
    assert house.state(organisation) == "erased"
    assert house.complaints(organisation) == []


def test_past_the_point_of_no_return_nothing_is_cancelled(house: House) -> None:
    organisation = house.order()
    with pytest.raises(Killed):
        house.loop(kill_at(CrashPoint("route", "effect"))).run(organisation)
    with pytest.raises(Refusal, match="past the point"), transaction(house.engine) as session:
        provisioning.cancel(session, operation_of(house, organisation), SYSTEM)
    house.settle(organisation)
    with pytest.raises(Refusal, match="past the point"), transaction(house.engine) as session:
        provisioning.cancel(session, operation_of(house, organisation), SYSTEM)


def test_only_a_creation_can_be_undone(house: House) -> None:
    organisation = house.live()
    with transaction(house.engine) as session:
        operation = organisations.suspend(session, organisation, reason="an attack", actor=SYSTEM)
    with pytest.raises(Refusal, match="Only a creation"), transaction(house.engine) as session:
        provisioning.cancel(session, operation.id, SYSTEM)
    house.settle(organisation)


def test_a_newer_wish_supersedes_the_one_before(house: House) -> None:
    organisation = house.live()
    with transaction(house.engine) as session:
        first = organisations.suspend(session, organisation, reason="an attack", actor=SYSTEM)
        organisations.resume(session, organisation, actor=SYSTEM)
    house.settle(organisation)
    with transaction(house.engine) as session:
        assert provisioning.operation(session, first.id).state == "superseded"
    assert house.state(organisation) == "live"


@pytest.mark.parametrize("step", ["slot", "storage", "route"])
def test_a_wish_that_comes_in_the_middle_of_a_run_goes_on_at_once(house: House, step: str) -> None:
    organisation = house.live()
    asked: list[bool] = []

    def ask(point: str, name: str) -> None:
        if (point, name) == ("effect", step) and not asked:
            asked.append(True)
            with transaction(house.engine) as session:
                organisations.suspend(session, organisation, reason="an attack", actor=SYSTEM)

    with transaction(house.engine) as session:
        organisations.rename(session, organisation, name="Ville de Sèvres", actor=SYSTEM)
    assert house.loop(ask).run(organisation)
    assert house.state(organisation) == "suspended"


def test_ten_bells_at_once_are_answered_by_one_worker(house: House) -> None:
    organisation = house.order()
    counted: list[str] = []
    # With a lease that outlasts any pause of the machine: a worker that slept past its own is rightly followed.
    patient = replace(house.pace, lease=timedelta(minutes=5))
    loop = house.loop(lambda point, step: counted.append(f"{point}-{step}"), pace=patient)
    threads = [threading.Thread(target=loop.run, args=(organisation,)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted.count("effect-slot") == 1
    assert house.state(organisation) == "live"
    assert house.complaints(organisation) == []


def test_a_bell_for_nobody_and_a_late_one_do_nothing(house: House) -> None:
    assert not house.loop().run(new_id())
    organisation = house.live()
    assert not house.loop().run(organisation)


def test_the_sweep_finds_what_no_bell_rang_for(house: House) -> None:
    waiting = [house.order() for _ in range(3)]
    assert house.loop().run_due() >= 3
    assert {house.state(one) for one in waiting} == {"live"}


def test_one_organisations_trouble_is_not_the_others(house: House) -> None:
    broken, fine = house.order(), house.order()
    house.sql("""update provisioning set "order" = '{}' where organisation_id = :id""", id=broken)
    house.loop().run_due()
    assert house.state(fine) == "live"
    house.sql("delete from placement where organisation_id = :id", id=broken)
    house.sql("update cell_database set tenants = tenants - 1")
    house.sql("update provisioning set wake_at = null where organisation_id = :id", id=broken)


def test_the_place_is_given_back_only_after_a_second_look(house: House) -> None:
    organisation = house.live()
    house.close_and_erase(organisation)
    house.settle(organisation)
    with transaction(house.engine) as session:
        assert placement.where(session, organisation) is not None
    house.settle_for_good(organisation)
    with transaction(house.engine) as session:
        assert placement.where(session, organisation) is None
    assert house.sql(
        """select "order"->'owner'->>'email' from provisioning where organisation_id = :id""", id=organisation
    ) == [("",)]


def test_orphans_of_every_kind_are_reported(house: House) -> None:
    stranger = new_id()
    slot = house.cell.take_slot(stranger, 1)
    name = f"org-{stranger.hex}"
    key = AccessKey("PVX", "s" * 40)
    house.store.ensure_account(name, [key], 1)
    house.store.ensure_bucket(name, name, key, BucketWish(1), 1)
    found = {(orphan.kind, orphan.name) for orphan in provisioning.orphans(house.engine, house.world)}
    assert found == {("slot", slot), ("account", name), ("bucket", name)}
    house.cell.drop_slot(stranger, 1)
    house.store.remove(name, name, key, 1)
    assert provisioning.orphans(house.engine, house.world) == []


def test_steps_wait_in_the_ledger_while_one_is_tried_again(house: House) -> None:
    organisation = house.order()
    house.loop(steps=failing("storage", "before", Unavailable("store_unavailable", "the disk is away"))).run(
        organisation
    )
    with transaction(house.engine) as session:
        operation = provisioning.operations(session, organisation, state="running").items[0]
        steps: list[Step] = provisioning.steps(session, operation.id)
        assert [step.state for step in steps] == ["done", "retrying", "waiting", "waiting"]
        assert (steps[1].error_code, steps[1].error, steps[1].attempts) == ("store_unavailable", "the disk is away", 1)
        assert steps[1].next_try_at is not None
        assert provisioning.progress(session, operation).percent == 25
    house.settle(organisation)
    with transaction(house.engine) as session:
        assert provisioning.steps(session, operation.id)[1].error is None
