"""A mirror gets everything that the store has, keeps what was deleted for a while, and knows how far behind it is."""

import os
from datetime import timedelta
from uuid import uuid4

import obstore
import pytest

from control_plane.storage import MirrorPace
from tests.mirror.town import Town, keys_in
from tests.storage.between import standing_between
from tests.world.waiting import PATIENCE

MIB = 1024 * 1024
AGE = "update mirror_gone set seen_at = now() - make_interval(days => :days) where organisation_id = :id"


@pytest.mark.parametrize("of", ["town", "files_town"])
def test_what_is_in_the_store_comes_into_the_mirror_and_only_what_is_new_later(
    request: pytest.FixtureRequest, of: str
) -> None:
    town: Town = request.getfixturevalue(of)
    org = town.organisation()
    org.put(b"", b"a", os.urandom(8 * MIB), os.urandom(8 * MIB + 1), os.urandom(20 * MIB))
    first = town.settle(org)
    assert org.same()
    assert (first.state, first.copied, first.objects, first.missing) == ("whole", 5, 5, 0)
    assert first.bytes == first.copied_bytes == 36 * MIB + 2
    new = org.put(b"later")
    assert org.lacking == set(new)
    second = town.settle(org)
    assert (second.copied, second.objects) == (1, 6)
    assert org.same()
    assert first.whole_at is not None
    assert second.whole_at is not None
    assert first.whole_at < second.whole_at
    third = town.settle(org)
    assert (third.copied, third.objects) == (0, 6)
    assert keys_in(org.mirror) == keys_in(org.store)


def test_a_large_object_gets_the_entity_tag_of_the_store_so_that_listings_prove_it(town: Town) -> None:
    org = town.organisation()
    keys = [
        *org.put(os.urandom(20 * MIB), chunk_size=8 * MIB),
        *org.put(os.urandom(21 * MIB), chunk_size=5 * MIB),
        *org.put(os.urandom(9 * MIB), use_multipart=False),
    ]
    town.settle(org)
    tags = [[obstore.head(side, key)["e_tag"] for side in (org.store, org.mirror)] for key in keys]
    assert [one == other for one, other in tags] == [True, True, False]
    assert town.settle(org).differing == 0


def test_many_pages_are_compared_in_step_though_either_side_has_gaps(town: Town) -> None:
    org = town.organisation()
    keys = org.small(2300, 10)
    town.settle(org)
    org.delete(sorted(keys)[400:1700:2])
    org.delete(sorted(keys)[900:2100:3], of=org.mirror)
    found = town.settle(org)
    assert found.objects == len(keys_in(org.store)) == 1650
    assert org.lacking == set()
    assert found.kept == len(keys_in(org.mirror)) - 1650


def test_what_no_app_of_ours_wrote_is_left_alone(town: Town) -> None:
    org = town.organisation()
    [key] = org.put(b"ours")
    obstore.put(org.store, "a/stranger", b"not ours")
    assert town.settle(org).objects == 1
    obstore.put(org.mirror, "another/stranger", b"not ours either")
    assert town.settle(org).objects == 1
    assert keys_in(org.mirror) == {key, "another/stranger"}


def test_what_is_deleted_stays_in_the_mirror_for_its_retention(town: Town) -> None:
    org = town.organisation()
    kept, gone, back = org.put(b"kept", b"gone", b"back")
    town.settle(org)
    org.delete([gone, back])
    assert town.settle(org).kept == 2
    town.sql(AGE, days=29, id=org.id)
    assert (town.settle(org).removed, keys_in(org.mirror)) == (0, {kept, gone, back})
    obstore.put(org.store, back, b"back")
    town.sql(AGE, days=31, id=org.id)
    last = town.settle(org)
    assert (last.removed, last.kept) == (1, 0)
    assert keys_in(org.mirror) == keys_in(org.store) == {kept, back}
    # Whoever came back begins anew when it is deleted again.
    org.delete([back])
    assert town.settle(org).kept == 1


def test_the_retention_is_the_mirror_s_setting(town: Town) -> None:
    org = town.organisation()
    [gone] = org.put(b"gone")
    town.settle(org)
    org.delete([gone])
    town.settle(org)
    town.sql("update cell set store = jsonb_set(store, '{mirror,retention_days}', '2')")
    town.sql(AGE, days=3, id=org.id)
    assert town.settle(org).removed == 1
    assert keys_in(org.mirror) == set()


def test_a_frozen_organisation_is_mirrored_and_a_suspended_one_waits_with_its_lag_in_sight(town: Town) -> None:
    org = town.organisation()
    org.put(b"before")
    town.store.ensure_mode(org.name, "read_only", 1)
    assert town.settle(org).objects == 1
    town.store.ensure_mode(org.name, "suspended", 1)
    town.sql("update mirror set whole_at = whole_at - interval '1 hour'")
    found = town.once(org)
    assert (found.state, found.error_code, found.well) == ("suspended", "store_suspended", True)
    assert found.lag_seconds is not None
    assert found.lag_seconds > 3600
    town.store.ensure_mode(org.name, "open", 1)
    org.put(b"after")
    assert town.settle(org).objects == 2
    assert org.same()


def test_one_object_that_cannot_be_read_keeps_no_other_from_its_copy(town: Town) -> None:
    org = town.organisation()
    keys = org.small(30)
    bad = sorted(keys)[10]
    with standing_between(town.endpoint) as between:
        town.aim("endpoint", between.endpoint)
        between.fate = lambda _number, _method, path: "unknown error" if path.endswith(bad) else "pass"
        found = town.once(org)
        assert (found.state, found.missing, found.copied, found.lag_seconds) == ("failing", 1, 29, None)
        assert found.error is not None
        assert found.error.startswith(f"{bad}: 500")
        assert found.oldest_unmirrored_at is not None
        assert org.lacking == {bad}
        between.fate = lambda _number, _method, _path: "pass"
        assert town.settle(org).missing == 0
    assert org.same()


def test_an_object_that_is_deleted_while_it_is_copied_is_no_trouble(town: Town) -> None:
    org = town.organisation()
    keys = sorted(org.small(40))
    with standing_between(town.endpoint) as between:
        town.aim("endpoint", between.endpoint)

        def deleting(_number: int, _method: str, path: str) -> str:
            if path.endswith(keys[20]):
                org.delete([keys[20]])
            return "pass"

        between.fate = deleting  # type: ignore[assignment]
        found = town.once(org)
    assert (found.state, found.objects, found.missing) == ("whole", 39, 0)


def test_a_long_pass_gives_way_to_others_and_goes_on_from_where_it_was(town: Town) -> None:
    large, small = town.organisation(), town.organisation()
    large.small(600)
    small.put(b"one")
    turns: list[str] = []
    names = {large.id: "large", small.id: "small"}
    pace = MirrorPace(slice=timedelta(seconds=0.5))
    worker = town.worker(pace, workers=1, watch=lambda what, one: turns.append(names[one]) if what == "begin" else None)
    with town.slowed("mirror,endpoint"):
        worker.round(PATIENCE)
        worker.close()
    assert turns.count("large") > 2
    assert turns.index("small") < 2, turns
    assert turns.count("small") == 1
    assert town.seen(large).state == town.seen(small).state == "whole"
    assert town.seen(large).copied == 600
    assert large.same()


def test_a_mirror_whose_bucket_is_lost_says_so_and_begins_anew(town: Town) -> None:
    org = town.organisation()
    org.small(20)
    assert town.settle(org).lag_seconds is not None
    org.delete(keys_in(org.mirror), of=org.mirror)
    town.at_mirror("DELETE", org)
    found = town.once(org)
    assert (found.state, found.objects, found.copied) == ("whole", 20, 20)
    assert org.same()


def test_a_bucket_that_is_lost_in_the_middle_of_a_pass_is_made_again(town: Town) -> None:
    org = town.organisation()
    org.small(600)
    worker = town.worker(MirrorPace(slice=timedelta(seconds=0.5)))
    with town.slowed("mirror,endpoint"):
        assert town.once(org, worker).state == "copying"
        worker.close()
        org.delete(keys_in(org.mirror), of=org.mirror)
        town.at_mirror("DELETE", org)
        assert town.settle(org).objects == 600
    assert org.same()


def test_another_mirror_begins_with_nothing_known(town: Town) -> None:
    org = town.organisation()
    org.put(b"one")
    town.settle(org)
    with standing_between(town.backup_endpoint) as between:
        town.aim("mirror,endpoint", between.endpoint)
        before = town.seen(org)
        assert (before.endpoint, before.state, before.lag_seconds) == (between.endpoint, "new", None)
        after = town.settle(org)
        assert (after.endpoint, after.objects, after.copied) == (between.endpoint, 1, 0)


def test_a_store_without_a_mirror_is_left_in_peace(town: Town) -> None:
    org = town.organisation()
    org.put(b"one")
    town.sql("update cell set store = store - 'mirror'")
    worker = town.worker()
    assert worker.round(PATIENCE) is None
    worker.close()
    assert town.seen(org).state == "off"


def test_an_organisation_without_a_bucket_yet_is_waited_for(town: Town) -> None:
    org = town.organisation()
    town.sql("update store_key set stored_at = null")
    worker = town.worker()
    worker.round(PATIENCE)
    assert town.seen(org).state == "new", "nobody has made it a row"
    town.sql("update store_key set stored_at = now()")
    worker.round(PATIENCE)
    assert town.seen(org).state == "whole"
    town.sql("update store_key set state = 'gone'")
    town.sql("update mirror set due_at = now()")
    assert worker.turn(org.id)
    assert town.seen(org).state == "waiting"
    worker.close()


def test_who_asks_while_a_pass_is_under_way_gets_another_one(town: Town) -> None:
    org = town.organisation()
    org.small(600)
    worker = town.worker(MirrorPace(slice=timedelta(seconds=0.5)))
    with town.slowed("mirror,endpoint"):
        assert town.once(org, worker).state == "copying"
        town.ask(org)
        while town.seen(org).state != "whole":
            assert worker.turn(org.id)
        first = town.seen(org).whole_at
        while town.seen(org).whole_at == first:
            assert worker.turn(org.id), "the one that was asked for"
        assert not worker.turn(org.id)
        worker.close()


def test_unfinished_uploads_of_a_dead_worker_are_cleared_away(town: Town) -> None:
    org = town.organisation()
    org.put(b"one")
    town.settle(org)
    town.at_mirror("POST", org, {"uploads": ""}, key=str(uuid4()))
    assert b"<UploadId>" in town.at_mirror("GET", org, {"uploads": ""})
    town.settle(org)
    assert b"<UploadId>" not in town.at_mirror("GET", org, {"uploads": ""})
