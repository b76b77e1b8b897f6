"""A removal in many bites, and what lies in a store without an owner."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from control_plane import audit, provisioning, storage
from control_plane.audit import Actor, Filter
from control_plane.provisioning import STEPS, StepSpec
from control_plane.provisioning.world import Effect
from control_plane.storage import AccessKey, BucketWish
from kit.db import transaction
from kit.errors import Refusal, Unavailable
from kit.ids import new_id
from tests.faults.crashes import CrashPoint, kill_at
from tests.world.house import CELL, QUICK, House, Killed

INES = Actor("staff", "7", "Inès Bakkali")


class Bites:
    """A store so full that its removal takes so many calls."""

    def __init__(self, count: int) -> None:
        self.left = count

    def steps(self) -> dict[str, StepSpec]:
        def act(run, world) -> Effect:  # type: ignore[no-untyped-def]
            self.left -= 1
            if self.left >= 0:
                raise Unavailable("removing", f"{self.left * 1000} objects left")
            return STEPS["remove_storage"].act(run, world)

        return {**STEPS, "remove_storage": replace(STEPS["remove_storage"], act=act)}


def line(house: House, organisation: UUID) -> provisioning.Step:
    with transaction(house.engine) as session:
        lines = provisioning.steps(session, house.last_operation(organisation).id)
    return next(one for one in lines if one.name == "remove_storage")


def test_a_removal_in_bites_comes_back_at_once_and_counts_no_attempt(house: House) -> None:
    organisation = house.live()
    house.close_and_erase(organisation)
    bites = Bites(3 * house.pace.attempts)
    steps = bites.steps()
    queue = "select attempts, lease_until from provisioning where organisation_id = :id"
    for _ in range(3 * house.pace.attempts):
        # Without a pause: it is due again at once.
        assert house.loop(steps=steps).run(organisation)
        assert house.sql(queue, id=organisation) == [(0, None)]
        told = line(house, organisation)
        assert (told.state, told.attempts, told.error) == ("running", 0, f"{bites.left * 1000} objects left")
    house.settle_for_good(organisation)
    assert house.state(organisation) == "erased"
    assert line(house, organisation).error is None
    assert house.complaints(organisation) == []


def test_another_trouble_in_between_waits_as_ever(house: House) -> None:
    organisation = house.live()
    house.close_and_erase(organisation)

    def act(_run, _world) -> Effect:  # type: ignore[no-untyped-def]
        raise Unavailable("store_unavailable", "away")

    steps = {**STEPS, "remove_storage": replace(STEPS["remove_storage"], act=act)}
    patient = replace(QUICK, first_retry=timedelta(seconds=60), last_retry=timedelta(seconds=60))
    house.loop(steps=steps, pace=patient).run(organisation)
    assert not house.loop().run(organisation)
    assert line(house, organisation).attempts == 1
    house.wake(organisation)
    house.settle_for_good(organisation)
    assert house.state(organisation) == "erased"


def test_a_worker_that_dies_between_bites_is_followed_by_another(house: House) -> None:
    organisation = house.live()
    house.close_and_erase(organisation)
    steps = Bites(2).steps()
    house.loop(steps=steps).run(organisation)
    with pytest.raises(Killed):
        house.loop(kill_at(CrashPoint("remove_storage", "before")), steps).run(organisation)
    house.settle_for_good(organisation)
    assert house.complaints(organisation) == []


def test_an_undone_creation_is_cleared_in_bites_too(house: House) -> None:
    organisation = house.order()
    with pytest.raises(Killed):
        house.loop(kill_at(CrashPoint("storage", "commit"))).run(organisation)
    with transaction(house.engine) as session:
        provisioning.roll_back(session, house.last_operation(organisation).id, INES)
    house.steps = Bites(5).steps()
    try:
        house.settle_for_good(organisation)
    finally:
        house.steps = None
    assert house.state(organisation) == "failed"
    assert house.complaints(organisation) == []


def stray(house: House) -> str:
    """An account with a bucket that no organisation has."""
    name, key = f"org-{new_id().hex}", AccessKey(f"PVX{new_id().hex[-8:].upper()}", "s" * 40)
    house.store.ensure_account(name, [key], 1)
    house.store.ensure_bucket(name, name, key, BucketWish(1000), 1)
    return name


def look(house: House) -> None:
    provisioning.note_orphans(house.engine, house.world)


def days_pass(house: House, name: str, days: int = 1) -> None:
    house.sql(
        "update orphan_sighting set first_seen_at = first_seen_at - make_interval(days => :days, secs => 1)"
        " where name = :name",
        days=days,
        name=name,
    )


def remove(house: House, name: str, cell: str = CELL) -> bool:
    return provisioning.remove_orphan(house.engine, house.world, cell, name, INES)


def seen(house: House) -> set[tuple[str, str, str]]:
    with transaction(house.engine) as session:
        return {(one.cell, one.kind, one.name) for one in provisioning.sightings(session)}


def test_what_has_no_owner_is_noted_and_removed_by_hand_after_a_day(house: House) -> None:
    name = stray(house)
    with pytest.raises(Refusal, match="has not been found"):
        remove(house, name)
    look(house)
    look(house)
    assert seen(house) == {(CELL, "account", name), (CELL, "bucket", name)}
    with pytest.raises(Refusal, match="less than a day"):
        remove(house, name)
    days_pass(house, name)
    assert remove(house, name)
    assert house.complaints() == []
    assert seen(house) == set()
    with transaction(house.engine) as session:
        told = audit.events(session, Filter(verb="orphan.")).items[:2]
    assert [(event.verb, event.actor["name"], event.data["name"]) for event in told] == [
        ("orphan.removed", "Inès Bakkali", name),
        ("orphan.removal_asked", "Inès Bakkali", name),
    ]


def test_a_part_that_was_seen_only_lately_keeps_the_whole(house: House) -> None:
    name = stray(house)
    look(house)
    days_pass(house, name, 9)
    house.sql("update orphan_sighting set first_seen_at = now() where kind = 'bucket'")
    with pytest.raises(Refusal, match="less than a day"):
        remove(house, name)
    house.sql("update orphan_sighting set first_seen_at = now() - interval '2 days'")
    assert remove(house, name)


def test_what_is_gone_or_has_an_owner_again_is_forgotten(house: House) -> None:
    name = stray(house)
    look(house)
    days_pass(house, name)
    house.store.remove(name, name, AccessKey("PVY", "s" * 40), 1)
    assert not remove(house, name)
    look(house)
    assert seen(house) == set()


def test_a_store_that_cannot_be_looked_into_proves_nothing(house: House) -> None:
    name = stray(house)
    look(house)

    def away(*_: object) -> storage.ObjectStore:
        raise Unavailable("store_unavailable", "away")

    blind = replace(house.world, make_store=away, _stores={})
    assert "unreachable" in {orphan.kind for orphan in provisioning.note_orphans(house.engine, blind)}
    assert (CELL, "bucket", name) in seen(house)
    look(house)
    days_pass(house, name)
    assert remove(house, name)


def test_an_organisations_own_is_never_removed_even_if_it_was_noted(house: House) -> None:
    organisation = house.live()
    name = storage.account_name(organisation)
    house.sql(
        "insert into orphan_sighting (cell, kind, name, first_seen_at)"
        " values (:cell, 'account', :name, now() - interval '9 days')",
        cell=CELL,
        name=name,
    )
    with pytest.raises(Refusal, match="belongs to an organisation"):
        remove(house, name)
    assert house.complaints(organisation) == []
    look(house)
    assert seen(house) == set()


@pytest.mark.parametrize("name", ["parvis-admin", "org-1", "org-" + "g" * 32, "backup", "org-" + "0" * 32 + "x", ""])
def test_a_name_that_no_organisation_can_have_is_not_ours_to_remove(house: House, name: str) -> None:
    with pytest.raises(Refusal, match="not ours to remove"):
        remove(house, name)


def test_a_frozen_worker_cannot_bring_an_orphan_back_that_was_removed(house: House) -> None:
    organisation = house.live()
    house.close_and_erase(organisation)
    house.settle_for_good(organisation)
    name, key = storage.account_name(organisation), AccessKey("PVZ", "s" * 40)
    house.store.ensure_account(name, [key], 9)
    look(house)
    days_pass(house, name)
    house.sql("update provisioning set fence = 9 where organisation_id = :id", id=organisation)
    assert remove(house, name)
    with pytest.raises(Unavailable, match="fenced"):
        house.store.ensure_account(name, [key], 9)


def test_an_unknown_cell_is_refused(house: House) -> None:
    name = stray(house)
    look(house)
    days_pass(house, name)
    house.sql("update orphan_sighting set cell = 'moon' where name = :name", name=name)
    with pytest.raises(Refusal, match="no cell called moon"):
        remove(house, name, "moon")
    look(house)
    days_pass(house, name)
    assert remove(house, name)
