"""Verification finds what is missing, cut or altered in the mirror, reports it, and mends nothing by itself."""

import os

import obstore
import pytest

from tests.mirror.town import Org, Town

MIB = 1024 * 1024


def aged(town: Town) -> None:
    """The last whole pass began well after everything was written."""
    town.sql("update mirror set whole_at = whole_at + interval '3 seconds'")


@pytest.fixture
def mirrored(town: Town) -> Org:
    org = town.organisation()
    org.put(*(os.urandom(500) for _ in range(20)), os.urandom(17 * MIB))
    town.settle(org)
    aged(town)
    return org


def large(org: Org) -> str:
    found: str = next(one["path"] for one in obstore.list(org.store).collect() if one["size"] > MIB)
    return found


def small(org: Org) -> list[str]:
    return sorted(one["path"] for one in obstore.list(org.store).collect() if one["size"] == 500)


@pytest.mark.parametrize("deep", [False, True])
def test_the_control_a_good_mirror_has_no_findings(town: Town, mirrored: Org, deep: bool) -> None:
    run = town.verify(mirrored, deep=deep)
    assert (run.state, run.checked, run.mismatches, run.findings) == ("done", 21, 0, [])
    assert run.read_bytes == (17 * MIB + 20 * 500 if deep else 0)
    seen = town.seen(mirrored)
    assert (seen.verified_objects, seen.mismatches, seen.well) == (21, 0, True)
    assert seen.verified_at is not None


def test_what_is_missing_cut_or_altered_is_found_and_left_as_it_is(town: Town, mirrored: Org) -> None:
    missing, cut, altered, *_ = small(mirrored)
    mirrored.delete([missing], of=mirrored.mirror)
    obstore.put(mirrored.mirror, cut, bytes(obstore.get(mirrored.store, cut).bytes())[:-1])
    obstore.put(mirrored.mirror, altered, bytes(500))
    run = town.verify(mirrored)
    wanted = [(missing, "missing"), (cut, "size"), (altered, "content")]
    assert [(one["key"], one["what"]) for one in run.findings] == sorted(wanted)
    assert (run.state, run.mismatches) == ("done", 3)
    seen = town.seen(mirrored)
    assert (seen.mismatches, seen.well) == (3, False)
    # What is merely missing a pass copies as ever; what differs it shows, and does not touch.
    after = town.settle(mirrored)
    assert (after.copied + seen.copied, after.differing) == (1, 2)
    assert len(obstore.get(mirrored.mirror, cut).bytes()) == 499
    assert bytes(obstore.get(mirrored.mirror, altered).bytes()) == bytes(500)
    assert mirrored.alike(missing)


def test_an_altered_object_whose_listing_looks_right_is_found_by_reading(town: Town, mirrored: Org) -> None:
    """Of the same size and in parts, so that its entity tag proves nothing: only a deep look is sure to find it."""
    key = large(mirrored)
    body = bytearray(obstore.get(mirrored.store, key).bytes())
    body[9 * MIB] ^= 1
    obstore.put(mirrored.mirror, key, bytes(body), chunk_size=8 * MIB)
    run = town.verify(mirrored, deep=True)
    assert [(one["key"], one["what"]) for one in run.findings] == [(key, "content")]
    assert run.read_bytes == 17 * MIB + 20 * 500


def test_of_objects_whose_listing_proves_nothing_some_are_read_at_each_verification(town: Town) -> None:
    org = town.organisation()
    keys = org.put(*(os.urandom(100) for _ in range(200)))
    town.settle(org)
    for key in keys:
        # Each comes in one part in the mirror: another entity tag for the same content.
        obstore.put(org.mirror, key, iter([bytes(obstore.get(org.store, key).bytes())]))
    run = town.verify(org)
    assert (run.mismatches, run.checked) == (0, 200)
    assert 0 < run.read_bytes // 100 < 60


def test_what_was_written_after_the_last_whole_pass_is_lag_and_no_finding(town: Town, mirrored: Org) -> None:
    town.sql("update mirror set whole_at = whole_at - interval '3 seconds'")
    mirrored.put(b"new")
    run = town.verify(mirrored)
    assert (run.checked, run.mismatches) == (21, 0)


def test_what_was_deleted_at_the_store_is_no_finding(town: Town, mirrored: Org) -> None:
    mirrored.delete(small(mirrored)[:5])
    run = town.verify(mirrored)
    assert (run.checked, run.mismatches) == (16, 0)


def test_only_the_first_findings_are_listed_and_all_are_counted(town: Town) -> None:
    org = town.organisation()
    org.small(260, 10)
    town.settle(org)
    aged(town)
    org.delete([one["path"] for one in obstore.list(org.mirror).collect()], of=org.mirror)
    run = town.verify(org)
    assert (run.mismatches, len(run.findings)) == (260, 200)
