"""What one sees of mirrors and may ask of them; each wish is recorded, and refused where it cannot be met."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from control_plane import audit, placement, storage
from control_plane.audit import Actor, Filter
from control_plane.storage import check_mirror, open_mirror
from kit.db import transaction, vault_of
from kit.errors import Refusal
from kit.ids import new_id
from tests.mirror.town import CELL, Town

JEANNE = Actor("staff", "7", "Jeanne")


def refused(town: Town, act: str, organisation_id: UUID, **asked: Any) -> Refusal:
    with pytest.raises(Refusal) as found, transaction(town.engine) as session:
        getattr(storage, act)(session, organisation_id, JEANNE, **asked)
    return found.value


def test_before_anybody_looks_a_mirror_is_new_and_its_lag_unknown(town: Town) -> None:
    org = town.organisation()
    seen = town.seen(org)
    assert (seen.cell, seen.endpoint, seen.state, seen.lag_seconds) == (CELL, town.backup_endpoint, "new", None)
    assert seen.well


def test_who_asks_for_a_mirror_is_first_in_the_line(town: Town) -> None:
    orgs = [town.organisation() for _ in range(3)]
    for org in orgs:
        town.settle(org)
    town.sql("update mirror set due_at = now()")
    town.ask(orgs[2])
    with transaction(town.engine) as session:
        assert storage.mirror_ledger.due(session, 10)[0] == orgs[2].id


def test_mirrors_are_listed_page_by_page_those_that_lag_most_first(town: Town) -> None:
    orgs = [town.organisation() for _ in range(5)]
    for number, org in enumerate(orgs[:4]):
        town.settle(org)
        town.sql("update mirror set whole_at = now() - make_interval(hours => :n) where organisation_id = :id",
                 n=number, id=org.id)  # fmt: skip
    worker = town.worker()
    with transaction(town.engine) as session:
        storage.mirror_ledger.begin(session)
    worker.close()
    found: list[UUID] = []
    cursor = None
    while True:
        with transaction(town.engine) as session:
            page = storage.mirrors(session, cell=CELL, cursor=cursor, limit=2)
        found += [one.organisation_id for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == [orgs[4].id, orgs[3].id, orgs[2].id, orgs[1].id, orgs[0].id]
    with transaction(town.engine) as session:
        assert len(storage.mirrors(session).items) == 5


def test_a_cell_s_mirrors_are_summed_up(town: Town) -> None:
    one, two, three = (town.organisation() for _ in range(3))
    one.put(b"one", b"two")
    for org in (one, two):
        town.settle(org)
    town.store.ensure_mode(three.name, "suspended", 1)
    town.once(three)
    town.sql("update mirror set whole_at = now() - interval '2 hours' where organisation_id = :id", id=two.id)
    with transaction(town.engine) as session:
        found = storage.mirror_summary(session, CELL)
    assert (found.organisations, found.states) == (3, {"whole": 2, "suspended": 1})
    assert (found.objects, found.bytes, found.missing, found.never) == (2, 6, 0, 1)
    assert found.worst_lag_seconds is not None
    assert 7200 <= found.worst_lag_seconds < 7300
    assert found.endpoint == town.backup_endpoint


def test_every_wish_and_its_end_are_recorded(town: Town) -> None:
    org = town.organisation()
    keys = org.small(2)
    town.settle(org)
    org.delete(keys)
    with transaction(town.engine) as session:
        run = storage.restore_mirror(session, org.id, JEANNE)
    assert (run.state, run.kind, run.requested_by["name"]) == ("pending", "restore", "Jeanne")
    assert town.end_of(run).state == "done"
    town.verify(org)
    with transaction(town.engine) as session:
        events = audit.events(session, Filter(organisation_id=org.id, verb="mirror.")).items
    told = [(one.verb, one.actor["name"]) for one in reversed(events)]
    assert told == [
        ("mirror.asked", "Parvis"),
        ("mirror.restoration_asked", "Jeanne"),
        ("mirror.restored", "Parvis"),
        ("mirror.verification_asked", "Parvis"),
        ("mirror.verified", "Parvis"),
    ]
    assert events[2].data["restored"] == 2


def test_one_run_at_a_time(town: Town) -> None:
    org = town.organisation()
    town.settle(org)
    with transaction(town.engine) as session:
        run = storage.verify_mirror(session, org.id, JEANNE)
    assert refused(town, "verify_mirror", org.id).code == "mirror_busy"
    assert refused(town, "restore_mirror", org.id).code == "mirror_busy"
    seen = town.seen(org)
    assert seen.run is not None
    assert seen.run.id == run.id
    town.end_of(run)
    town.verify(org)
    with transaction(town.engine) as session:
        assert [one.state for one in storage.mirror_runs(session, org.id)] == ["done", "done"]


def test_what_cannot_be_met_is_refused(town: Town) -> None:
    org = town.organisation()
    assert refused(town, "mirror_now", new_id()).status == 404
    assert refused(town, "restore_mirror", org.id, keys=[]).code == "mirror_keys_many"
    assert refused(town, "restore_mirror", org.id, keys=[new_id() for _ in range(1001)]).code == "mirror_keys_many"
    with pytest.raises(Refusal), transaction(town.engine) as session:
        storage.mirror_run(session, new_id())
    town.sql("update store_key set stored_at = null")
    assert refused(town, "verify_mirror", org.id).code == "mirror_nothing"
    town.sql("update cell set store = store - 'mirror'")
    assert refused(town, "mirror_now", org.id).code == "mirror_off"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"endpoint": ""}, "store_incomplete"),
        ({"endpoint": "backup.example"}, "store_address_wrong"),
        ({"secret_sealed": None}, "store_incomplete"),
        ({"retention_days": 0}, "mirror_retention_wrong"),
        ({"retention_days": "thirty"}, "mirror_retention_wrong"),
        ({"ca_file": "/nowhere.pem"}, "store_ca_missing"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name_and_shown_in_the_row(
    town: Town, wrong: dict[str, Any], code: str
) -> None:
    org = town.organisation()
    with transaction(town.engine) as session:
        settings = cell_store(session)
        settings["mirror"] |= wrong
        with pytest.raises(Refusal) as found:
            open_mirror(settings, vault_of(session), CELL)
        assert found.value.code == code
    town.sql("update cell set store = cast(:store as jsonb)", store=json.dumps(settings))
    worker = town.worker()
    town.sql("insert into mirror (organisation_id) values (:id)", id=org.id)
    assert worker.turn(org.id)
    worker.close()
    seen = town.seen(org)
    assert (seen.state, seen.error_code) == ("failing", code)


def cell_store(session: Any) -> dict[str, Any]:
    return placement.cell(session, CELL).store


def test_a_mirror_at_the_store_itself_is_no_mirror(town: Town) -> None:
    with transaction(town.engine) as session:
        settings, vault = cell_store(session), vault_of(session)
    settings["mirror"]["endpoint"] = settings["endpoint"]
    with pytest.raises(Refusal) as found:
        open_mirror(settings, vault, CELL)
    assert found.value.code == "mirror_same"


def test_whether_a_mirror_is_well_can_be_asked(town: Town) -> None:
    with transaction(town.engine) as session:
        settings, vault = cell_store(session), vault_of(session)
    assert all(one.ok for one in check_mirror(settings, vault, CELL))
    settings["mirror"]["key_id"] = "NOBODY"
    assert [one.name for one in check_mirror(settings, vault, CELL) if not one.ok] == ["the key of the mirror works"]
    settings["mirror"]["endpoint"] = "http://127.0.0.1:9"
    assert [one.name for one in check_mirror(settings, vault, CELL) if not one.ok] == ["the gateway answers"]
    assert check_mirror({}, vault, CELL) == []


def test_times_of_a_restoration_are_moments_not_local_words(town: Town) -> None:
    org = town.organisation()
    town.settle(org)
    moment = datetime.now(UTC) - timedelta(hours=1)
    run = town.restore(org, as_of=moment)
    assert datetime.fromisoformat(run.asked["as_of"]) == moment
