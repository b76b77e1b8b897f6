"""Rotating keys in tests, and looking at what stands where."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from control_plane import provisioning
from control_plane.audit import Actor
from control_plane.provisioning import Grace
from kit.db import transaction
from tests.world.house import House

AT_ONCE = Grace(signed=timedelta(0), margin=timedelta(0))
INES = Actor("staff", "7", "Inès Bakkali")


def rotate(house: House, organisation: UUID, what: str = "store") -> None:
    with transaction(house.engine) as session:
        getattr(provisioning, f"rotate_{what}_key")(session, organisation, INES)


def rotated(house: House, organisation: UUID, what: str = "store") -> None:
    rotate(house, organisation, what)
    house.settle(organisation)


def end(house: House, organisation: UUID, grace: Grace = AT_ONCE) -> int:
    """How many old keys of the organisation have ended in a round of the sweep."""
    before = list(states(house, organisation).values()).count("gone")
    provisioning.end_overlaps(house.engine, house.world, grace)
    return list(states(house, organisation).values()).count("gone") - before


def published(house: House, organisation: UUID) -> dict[str, object]:
    record = house.cell.inspect(organisation).record
    assert record is not None
    return record.store


def held(house: House, organisation: UUID) -> frozenset[str]:
    return house.stored(organisation).key_ids


def key_ids(organisation: UUID, *versions: int) -> set[str]:
    return {f"PV{organisation.hex[-12:].upper()}{version:02d}" for version in versions}


def states(house: House, organisation: UUID) -> dict[int, str]:
    return {key.version: key.state for key in house.keys(organisation).store}


def version_of(house: House, organisation: UUID) -> int:
    found = house.cell.changed_at(organisation)
    assert found is not None
    return found


def locked_out(house: House, organisation: UUID) -> Callable[[str, str], None]:
    """A watch that looks at every point whether the published key opens the store; it remembers where it did not."""
    found: list[str] = []

    def watch(point: str, step: str) -> None:
        if published(house, organisation)["key_id"] not in held(house, organisation):
            found.append(f"{point}-{step}")

    watch.found = found  # type: ignore[attr-defined]
    return watch
