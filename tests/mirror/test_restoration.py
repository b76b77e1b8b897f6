"""What the store has lost comes back from the mirror, byte by byte, and nothing that is there is overwritten."""

import os
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import obstore
import pytest

from control_plane import storage
from control_plane.audit import SYSTEM
from control_plane.storage import MirrorPace
from kit.db import transaction
from kit.errors import Refusal
from kit.ids import new_id
from tests.mirror.town import Org, Town, keys_in

MIB = 1024 * 1024


def contents(org: Org) -> dict[str, bytes]:
    return {key: bytes(obstore.get(org.store, key).bytes()) for key in keys_in(org.store)}


@pytest.mark.parametrize("of", ["town", "files_town"])
def test_what_was_deleted_comes_back_byte_by_byte(request: pytest.FixtureRequest, of: str) -> None:
    town: Town = request.getfixturevalue(of)
    org = town.organisation()
    org.put(b"", *(os.urandom(700) for _ in range(30)), os.urandom(8 * MIB), os.urandom(19 * MIB))
    before = contents(org)
    town.settle(org)
    lost = sorted(before)[::2]
    org.delete(lost)
    # The mirror has even noticed: what it keeps for its retention is what a restoration is for.
    assert town.settle(org).kept == len(lost)
    run = town.restore(org)
    assert (run.state, run.restored, run.mismatches, run.checked) == ("done", len(lost), 0, len(before))
    assert run.restored_bytes == sum(len(before[key]) for key in lost)
    assert contents(org) == before
    assert town.settle(org).kept == 0
    assert org.same()


@pytest.mark.parametrize("of", ["town", "files_town"])
def test_nothing_that_is_there_is_overwritten(request: pytest.FixtureRequest, of: str) -> None:
    town: Town = request.getfixturevalue(of)
    org = town.organisation()
    one, two = org.put(b"one", b"two")
    town.settle(org)
    obstore.put(org.store, one, b"another")
    org.delete([two])
    assert town.restore(org).restored == 1
    assert town.restore(org, keys=[UUID(one)]).restored == 0
    assert contents(org) == {one: b"another", two: b"two"}


def test_only_the_objects_that_are_named_come_back(town: Town) -> None:
    org = town.organisation()
    one, two, three = org.put(b"one", b"two", b"three")
    town.settle(org)
    org.delete([one, two])
    nowhere = new_id()
    run = town.restore(org, keys=[UUID(one), UUID(three), nowhere])
    assert (run.state, run.expected, run.checked, run.restored) == ("done", 3, 3, 1)
    assert run.findings == [{"key": str(nowhere), "what": "not_in_mirror"}]
    assert contents(org) == {one: b"one", three: b"three"}


def test_many_named_objects_come_back_in_several_goes(town: Town) -> None:
    org = town.organisation()
    keys = org.small(120)
    before = contents(org)
    town.settle(org)
    org.delete(keys)
    run = town.restore(org, keys=[UUID(key) for key in keys])
    assert (run.restored, run.checked) == (120, 120)
    assert contents(org) == before


def test_what_there_was_at_a_moment_comes_back_and_nothing_else(town: Town) -> None:
    org = town.organisation()
    long_gone, gone = org.put(b"was deleted before", b"was there")
    town.settle(org)
    org.delete([long_gone])
    town.settle(org)
    time.sleep(0.05)
    moment = datetime.now(UTC)
    time.sleep(0.05)
    [later] = org.put(b"came later")
    town.settle(org)
    org.delete([gone, later])
    town.settle(org)
    run = town.restore(org, as_of=moment)
    assert (run.restored, contents(org)) == (1, {gone: b"was there"})
    # The control: without a moment all that the mirror keeps comes back.
    assert town.restore(org).restored == 2
    assert keys_in(org.store) == {long_gone, gone, later}


def test_a_restoration_that_is_broken_off_goes_on(town: Town) -> None:
    org = town.organisation()
    org.small(600)
    before = contents(org)
    town.settle(org)
    org.delete(keys_in(org.store))
    with transaction(town.engine) as session:
        run = storage.restore_mirror(session, org.id, SYSTEM)
    shown: list[tuple[int, int | None]] = []
    pace = MirrorPace(slice=timedelta(seconds=0.3), lease=timedelta(seconds=0.2), note_every=timedelta(seconds=0.1))
    with town.slowed("endpoint"):
        while not shown or len(keys_in(org.store)) < 600:
            worker = town.worker(pace)
            worker.turn(org.id)
            worker.close()
            with transaction(town.engine) as session:
                now = storage.mirror_run(session, run.id)
            shown.append((now.restored, now.expected))
        assert len(shown) > 2
        assert shown == sorted(shown)
        assert shown[-1] == (600, 600)
        assert town.end_of(run).state == "done"
    assert contents(org) == before


@pytest.mark.parametrize("mode", ["read_only", "suspended"])
def test_a_frozen_account_is_refused_with_the_cure(town: Town, mode: storage.Mode) -> None:
    org = town.organisation()
    town.settle(org)
    town.store.ensure_mode(org.name, mode, 1)
    with pytest.raises(Refusal) as refused:
        town.restore(org)
    assert refused.value.code == "mirror_account_closed"
    assert "frozen or suspended" in str(refused.value)


def test_an_account_that_is_frozen_meanwhile_ends_the_restoration(town: Town) -> None:
    org = town.organisation()
    keys = org.small(3)
    town.settle(org)
    org.delete(keys)
    with transaction(town.engine) as session:
        run = storage.restore_mirror(session, org.id, SYSTEM)
    town.store.ensure_mode(org.name, "read_only", 1)
    ended = town.end_of(run)
    assert (ended.state, ended.error_code, ended.restored) == ("failed", "mirror_account_closed", 0)
    town.store.ensure_mode(org.name, "open", 1)
    assert town.restore(org).restored == 3


def test_a_full_store_ends_the_restoration_with_the_cure(town: Town) -> None:
    org = town.organisation(quota=MIB)
    keys = org.put(os.urandom(3 * MIB))
    town.settle(org)
    org.delete(keys)
    org.put(os.urandom(4 * MIB))
    ended = town.restore(org)
    assert (ended.state, ended.error_code) == ("failed", "mirror_store_full")


def test_an_organisation_that_is_erased_is_not_restored(town: Town) -> None:
    org = town.organisation()
    with transaction(town.engine) as session:
        storage.destroy(session, org.id)
    with pytest.raises(Refusal) as refused:
        town.restore(org)
    assert refused.value.code == "mirror_nothing"
    with pytest.raises(Refusal) as refused, transaction(town.engine) as session:
        storage.restore_mirror(session, new_id(), SYSTEM)
    assert refused.value.status == 404
