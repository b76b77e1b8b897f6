"""An organisation that is erased leaves nothing in the mirror, whatever was under way there."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from control_plane import placement, storage
from control_plane.storage import emptying, remove_mirror
from kit.db import transaction, vault_of
from kit.errors import Refusal, Unavailable
from kit.ids import new_id
from kit.vault import Vault
from tests.mirror.town import CELL, Org, Town, keys_in
from tests.world.waiting import eventually


def settings_of(town: Town) -> tuple[dict[str, Any], Vault, str]:
    with transaction(town.engine) as session:
        return placement.cell(session, CELL).store, vault_of(session), CELL


def there(town: Town, org: Org) -> bool:
    try:
        town.at_mirror("GET", org, {"list-type": "2"})
    except AssertionError:
        return False
    return True


def test_its_bucket_goes_with_all_that_it_kept_and_a_second_time_there_is_nothing(town: Town) -> None:
    org, other = town.organisation(), town.organisation()
    org.delete(org.small(5)[:2])
    other.put(b"another's")
    town.settle(org)
    town.settle(other)
    town.at_mirror("POST", org, {"uploads": ""}, key=str(new_id()))
    assert remove_mirror(*settings_of(town), org.id) is True
    assert not there(town, org)
    assert remove_mirror(*settings_of(town), org.id) is False
    assert other.same()


def in_bites(act: Callable[[], object]) -> int:
    """Do it again until nothing is left, as the loop does; how often something was left."""
    for bites in range(100):
        try:
            act()
        except Unavailable as left:
            if left.code != "removing":
                raise
        else:
            return bites
    raise AssertionError("it never ends")


def test_a_large_mirror_goes_in_bites(town: Town) -> None:
    org = town.organisation()
    org.small(2000, 10)
    town.settle(org)
    # Not the shortest go ends with nothing done.
    assert in_bites(lambda: remove_mirror(*settings_of(town), org.id, seconds=0)) == 2000 // emptying.AT_ONCE - 1
    assert not there(town, org)


def test_where_there_is_no_mirror_there_is_nothing_to_remove(town: Town) -> None:
    org = town.organisation()
    town.sql("update cell set store = store - 'mirror'")
    assert remove_mirror(*settings_of(town), org.id) is False


def test_a_mirror_that_is_away_keeps_the_removal_waiting(town: Town) -> None:
    org = town.organisation()
    town.aim("mirror,endpoint", "http://127.0.0.1:9")
    with pytest.raises(Unavailable) as gone:
        remove_mirror(*settings_of(town), org.id)
    assert gone.value.code == "store_unavailable"
    assert gone.value.detail.startswith("mirror: ")


def test_a_worker_that_is_at_it_stops_and_the_second_look_finds_what_it_left(town: Town) -> None:
    """As provisioning removes: the store, then the mirror, then the rows; and once more after a while."""
    org = town.organisation()
    org.small(2500, 10)
    town.ask(org)
    worker = town.worker()
    turn = threading.Thread(target=worker.turn, args=(org.id,))
    turn.start()
    eventually(lambda: len(keys_in(org.mirror)) >= 50)
    in_bites(lambda: town.store.remove(org.name, org.name, org.key, 1))
    in_bites(lambda: remove_mirror(*settings_of(town), org.id))
    with transaction(town.engine) as session:
        storage.destroy(session, org.id)
        storage.forget_mirror(session, org.id)
    turn.join(timeout=60)
    assert not turn.is_alive()
    in_bites(lambda: remove_mirror(*settings_of(town), org.id))
    assert not there(town, org)
    # Nobody begins it anew.
    worker.round(60)
    worker.close()
    assert not there(town, org)
    with transaction(town.engine) as session:
        assert storage.mirrors(session).items == []


def test_the_control_a_living_organisation_s_mirror_comes_back(town: Town) -> None:
    org = town.organisation()
    org.put(b"one")
    town.settle(org)
    remove_mirror(*settings_of(town), org.id)
    town.settle(org)
    assert org.same()
    with pytest.raises(Refusal), transaction(town.engine) as session:
        storage.mirror_status(session, new_id())
