"""What somebody changed by hand is found by the next look, mended, and told."""

from uuid import UUID

import psycopg
import pytest

from control_plane import audit, provisioning
from control_plane.audit import Filter
from kit.db import transaction
from kit.errors import Unavailable
from tests.faults.crashes import failing
from tests.world.house import House


def drifted(house: House, organisation: UUID) -> list[str]:
    """What a look for drift mended."""
    house.wake(organisation)
    assert house.loop().run(organisation)
    with transaction(house.engine) as session:
        found = audit.events(session, Filter(organisation_id=organisation, verb="organisation.mended")).items
    return found[0].data["steps"] if found else []


def test_without_drift_a_look_leaves_no_trace(house: House) -> None:
    organisation = house.live()
    before = house.sql("select count(*) from audit_event"), house.sql("select count(*) from operation")
    assert drifted(house, organisation) == []
    assert (house.sql("select count(*) from audit_event"), house.sql("select count(*) from operation")) == before


def test_a_quota_changed_by_hand_is_put_back(house: House) -> None:
    organisation = house.live()
    house.set_quota_by_hand(organisation, 1024)
    assert drifted(house, organisation) == ["storage"]
    assert house.stored(organisation).quota_bytes == 20 * 10**9


def test_a_missing_bucket_comes_back(house: House) -> None:
    organisation = house.live()
    house.remove_by_hand(organisation)
    assert drifted(house, organisation) == ["storage"]
    assert house.complaints(organisation) == []


DRIFTS = {
    "a host taken away": ("delete from directory.host where organisation_id = %s", "route"),
    "a record taken away": ("delete from directory.tenant where organisation_id = %s", "route"),
    "a state changed": ("update directory.tenant set state = 'suspended' where organisation_id = %s", "route"),
}


@pytest.mark.parametrize(("statement", "step"), DRIFTS.values(), ids=DRIFTS.keys())
def test_a_route_changed_by_hand_is_put_back(house: House, statement: str, step: str) -> None:
    organisation = house.live()
    with psycopg.connect(house.cell_url) as connection:
        connection.execute(statement.encode(), [organisation])
    assert drifted(house, organisation) == [step]
    assert house.complaints(organisation) == []
    with transaction(house.engine) as session:
        operation = provisioning.operations(session, organisation).items[0]
        assert (operation.kind, operation.state) == ("verify", "succeeded")


def test_a_right_taken_away_is_given_back(house: House) -> None:
    organisation = house.live()
    slot = house.cell.inspect(organisation).slot
    with psycopg.connect(house.cell_url) as connection:
        connection.execute(f"revoke select on {slot}.node from {slot}".encode())
        connection.execute(f"grant usage on schema {slot} to public".encode())
    assert not house.cell.inspect(organisation).grants_ok
    assert drifted(house, organisation) == ["slot"]
    assert house.cell.inspect(organisation).grants_ok


def test_what_is_checked_is_checked_again_later(house: House) -> None:
    organisation = house.live()
    (wake,) = house.sql(
        "select wake_at > now() + interval '2 hours' from provisioning where organisation_id = :id", id=organisation
    )
    assert wake[0]
    with transaction(house.engine) as session:
        provisioning.recheck(session, organisation)
    assert house.loop().run(organisation)


def test_a_look_that_cannot_finish_is_tried_again_and_leaves_a_trace_at_last(house: House) -> None:
    organisation = house.live()
    steps = failing("storage", "before", Unavailable("store_unavailable", "the disk is away"), times=100)
    for _ in range(house.pace.attempts):
        house.wake(organisation)
        house.loop(steps=steps).run(organisation)
    operation = house.last_operation(organisation)
    assert (operation.kind, operation.state, operation.error) == ("verify", "failed", "the disk is away")
    assert house.state(organisation) == "live"
