"""What an organisation sets up of its sign-in reaches its cell at once, stays there, and is put back when it drifts."""

import threading
from uuid import UUID

import psycopg
import pytest

from control_plane import identity, organisations, provisioning
from control_plane.audit import SYSTEM
from control_plane.identity import PolicyChange
from control_plane.provisioning import World
from kit.db import transaction
from kit.errors import Unavailable
from tenant_app.contract import Identity
from tests.faults.crashes import failing
from tests.world.house import House


def published(house: House, organisation: UUID) -> Identity:
    record = house.cell.inspect(organisation).record
    assert record is not None
    return record.identity


def set_policy(house: House, organisation: UUID, **fields: object) -> None:
    with transaction(house.engine) as session:
        identity.set_policy(session, organisation, PolicyChange(**fields), actor=SYSTEM)  # type: ignore[arg-type]


def operations(house: House, organisation: UUID) -> list[tuple[str, str]]:
    with transaction(house.engine) as session:
        found = provisioning.operations(session, organisation).items
        return [(one.kind, one.state) for one in reversed(found)]


def test_a_change_is_a_newer_generation_and_no_operation_of_its_own(house: House) -> None:
    organisation = house.live()
    ((before,),) = house.sql("select generation from provisioning where organisation_id = :id", id=organisation)
    set_policy(house, organisation, second_factor=True)
    house.settle(organisation)
    assert published(house, organisation).policy.second_factor
    ((after,),) = house.sql("select generation from provisioning where organisation_id = :id", id=organisation)
    assert after == before + 1
    assert operations(house, organisation) == [("create", "succeeded")]
    assert house.complaints(organisation) == []


def test_whoever_writes_in_the_directory_is_overruled_by_the_next_look(house: House) -> None:
    organisation = house.live()
    set_policy(house, organisation, networks=["192.0.2.0/24"])
    house.settle(organisation)
    with psycopg.connect(house.cell_url) as connection:
        connection.execute("update directory.tenant set identity = '{}' where organisation_id = %s", [organisation])
    assert published(house, organisation) == Identity()
    house.wake(organisation)
    assert house.loop().run(organisation)
    assert published(house, organisation).policy.networks == ("192.0.2.0/24",)
    assert operations(house, organisation)[-1] == ("verify", "succeeded")


def test_other_changes_of_the_organisation_carry_it_along(house: House) -> None:
    organisation = house.live()
    set_policy(house, organisation, session_seconds=3600)
    with transaction(house.engine) as session:
        organisations.suspend(session, organisation, reason="unpaid", actor=SYSTEM)
    house.settle(organisation)
    assert published(house, organisation).policy.session_seconds == 3600
    set_policy(house, organisation, session_seconds=7200)
    house.settle(organisation)
    record = house.cell.inspect(organisation).record
    assert record is not None
    assert (record.state, record.identity.policy.session_seconds) == ("suspended", 7200)


def test_a_change_while_something_is_under_way_is_published_all_the_same(house: House) -> None:
    organisation = house.live()
    with transaction(house.engine) as session:
        organisations.rename(session, organisation, name="Ville de Meudon", actor=SYSTEM)
    reached, go_on = threading.Event(), threading.Event()

    def watch(point: str, step: str) -> None:
        if (point, step) == ("effect", "route"):
            # The record has just been published, without what comes now.
            reached.set()
            go_on.wait(60)

    worker = threading.Thread(target=house.loop(watch=watch).run, args=(organisation,))
    worker.start()
    assert reached.wait(60)
    set_policy(house, organisation, second_factor=True)
    go_on.set()
    worker.join(60)
    house.settle(organisation)
    record = house.cell.inspect(organisation).record
    assert record is not None
    assert (record.name, record.identity.policy.second_factor) == ("Ville de Meudon", True)
    assert operations(house, organisation) == [
        ("create", "succeeded"),
        ("change", "superseded"),
        ("change", "succeeded"),
    ]


def test_a_change_during_a_look_for_drift_is_published_all_the_same(house: House) -> None:
    organisation = house.live()
    reached, go_on = threading.Event(), threading.Event()

    def watch(point: str, step: str) -> None:
        if (point, step) == ("effect", "route") and not reached.is_set():
            reached.set()
            go_on.wait(60)

    house.wake(organisation)
    worker = threading.Thread(target=house.loop(watch=watch).run, args=(organisation,))
    worker.start()
    assert reached.wait(60)
    set_policy(house, organisation, second_factor=True)
    go_on.set()
    worker.join(60)
    house.settle(organisation)
    assert published(house, organisation).policy.second_factor


def test_a_cell_that_is_away_learns_of_it_when_it_is_back(house: House) -> None:
    organisation = house.live()
    set_policy(house, organisation, second_factor=True)
    away = house.loop(steps=failing("route", "before", Unavailable("cell_unreachable", "away")))
    away.run(organisation)
    assert not published(house, organisation).policy.second_factor
    house.settle(organisation)
    assert published(house, organisation).policy.second_factor


@pytest.fixture
def forgetful(house: House) -> World:
    """The broken control: a world that was not told where sign-in is kept."""
    own = house.world
    return World(own.vault, own.databases, own.workspace_suffix, own.site_url, lambda *_: Identity())


def test_the_control_a_process_that_knows_nothing_of_sign_in_would_take_it_away(house: House, forgetful: World) -> None:
    organisation = house.live()
    set_policy(house, organisation, second_factor=True)
    house.settle(organisation)
    house.wake(organisation)
    house.loop(world=forgetful).run(organisation)
    assert published(house, organisation) == Identity()


def test_each_of_many_changes_is_published_by_one_look(house: House) -> None:
    organisation = house.live()
    for number in range(20):
        set_policy(house, organisation, session_seconds=3600 + number)
        assert house.loop().run(organisation)
        assert published(house, organisation).policy.session_seconds == 3600 + number
