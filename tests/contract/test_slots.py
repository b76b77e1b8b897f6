"""Slots are built whole, taken once, and dropped without a trace."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import psycopg
import pytest

from kit.errors import Refusal, Unavailable
from migrations.tenant import compiled
from tenant_app.contract import CellDatabase, Owner
from tests.world.cells import Cell, fresh_database


def test_an_organisation_that_asks_again_keeps_its_slot(cell: Cell) -> None:
    organisation = uuid4()
    first = cell.database.take_slot(organisation, 1)
    assert [cell.database.take_slot(organisation, fence) for fence in (1, 2, 2, 5)] == [first] * 4


def take(cell: Cell, organisation: UUID) -> str:
    """As a worker does: it asks again when somebody stood in its way for long."""
    while True:
        try:
            return cell.database.take_slot(organisation, 1)
        except Unavailable as trouble:
            if trouble.code != "cell_busy":
                raise


def test_twenty_at_once_get_twenty_slots_and_each_the_same_one_again(cell: Cell) -> None:
    cell.database.build_slots(5)  # fewer than are asked for: the others are built while they wait
    organisations = [uuid4() for _ in range(20)]
    # As many as there are connections.
    with ThreadPoolExecutor(16) as threads:
        taken = list(threads.map(lambda each: take(cell, each), organisations * 2))
    assert len(set(taken[:20])) == 20
    assert taken[:20] == taken[20:]


def test_a_stock_of_none_still_gives_a_slot(cell: Cell) -> None:
    while cell.database.spares():
        cell.database.take_slot(uuid4(), 1)
    organisation = uuid4()
    slot = cell.database.take_slot(organisation, 1)
    found = cell.database.inspect(organisation)
    assert (found.slot, found.schema, found.role, found.drift) == (slot, True, True, ())


def test_builders_at_the_same_time_never_collide(cell: Cell) -> None:
    with ThreadPoolExecutor(4) as threads:
        built = [name for names in threads.map(cell.database.build_slots, [3] * 4) for name in names]
    assert len(set(built)) == 12
    assert cell.database.inventory().orphans == frozenset()


def test_a_building_that_fails_leaves_neither_schema_nor_role_nor_row(cell: Cell) -> None:
    before = cell.database.inventory()
    number = cell.sql("select last_value from directory.slot_number")[0][0] + 1
    cell.sql(f"create schema slot_{number:06d}")  # in the way of the next one
    with pytest.raises(psycopg.errors.DuplicateSchema):
        cell.database.build_slots(1)
    cell.sql(f"drop schema slot_{number:06d}")
    assert cell.database.inventory() == before


def test_two_databases_of_one_cluster_share_roles_and_nothing_else(cell: Cell, postgres: str) -> None:
    with fresh_database(postgres) as url:
        neighbour = Cell(url)
        here, there = cell.tenant(), neighbour.tenant()
        neighbour.database.unpublish(there.organisation_id, 2)
        assert neighbour.database.drop_slot(there.organisation_id, 2)
        assert cell.database.inspect(here.organisation_id).drift == ()
        assert neighbour.database.inventory().schemas == frozenset()
        neighbour.close()


def test_the_owner_is_made_once_and_keeps_what_he_changed(cell: Cell) -> None:
    organisation, owner = uuid4(), Owner(id=uuid4(), email="Ada@Example.org ", name="Ada")
    slot = cell.database.take_slot(organisation, 1)
    assert cell.database.ensure_owner(organisation, owner, 1)
    cell.sql(f"update {slot}.principal set name = 'Ada King'")
    assert not cell.database.ensure_owner(organisation, owner, 2)
    assert cell.sql(f"select id, email, name, role, kind from {slot}.principal") == [
        (owner.id, "ada@example.org", "Ada King", 3, "m")
    ]


def test_an_owner_whose_mail_another_person_has_is_refused(cell: Cell) -> None:
    organisation = uuid4()
    cell.database.take_slot(organisation, 1)
    cell.database.ensure_owner(organisation, Owner(id=uuid4(), email="a@example.org", name="A"), 1)
    with pytest.raises(Refusal) as refusal:
        cell.database.ensure_owner(organisation, Owner(id=uuid4(), email="a@example.org", name="B"), 1)
    assert refusal.value.code == "owner_email_taken"


def test_dropping_leaves_nothing_and_may_be_repeated(cell: Cell) -> None:
    record = cell.tenant()
    with pytest.raises(Unavailable, match="still_published"):
        cell.database.drop_slot(record.organisation_id, 2)
    assert cell.database.unpublish(record.organisation_id, 2)
    assert not cell.database.unpublish(record.organisation_id, 2)
    assert cell.database.drop_slot(record.organisation_id, 2)
    assert not cell.database.drop_slot(record.organisation_id, 2)
    left = cell.database.inventory()
    assert record.slot not in left.slots | dict.fromkeys(left.schemas | left.roles)
    assert cell.database.inspect(record.organisation_id).slot is None


def test_a_slot_has_the_tables_of_its_blueprint_and_stays_lean(cell: Cell) -> None:
    record = cell.tenant()
    relations = cell.sql("select relname, relkind from pg_class where relnamespace = %s::regnamespace", record.slot)
    assert {name for name, kind in relations if kind == "r"} == set(compiled().tables)
    assert len(compiled().tables) <= 24
    assert len(relations) <= 85


def test_no_slot_owns_its_tables(cell: Cell) -> None:
    record = cell.tenant()
    owners = cell.sql("select distinct tableowner from pg_tables where schemaname = %s", record.slot)
    assert owners == [(cell.database.names.builder,)]


@pytest.mark.parametrize(
    "work",
    [
        lambda cell, record: cell.database.take_slot(record.organisation_id, 4),
        lambda cell, record: cell.database.publish(record),
        lambda cell, record: cell.database.unpublish(record.organisation_id, 4),
        lambda cell, record: cell.database.drop_slot(record.organisation_id, 4),
        lambda cell, record: cell.database.repair(record.organisation_id, 4),
        lambda cell, record: cell.database.ensure_owner(
            record.organisation_id, Owner(id=uuid4(), email="z@example.org", name="Z"), 4
        ),
    ],
    ids=["take", "publish", "unpublish", "drop", "repair", "owner"],
)
def test_a_worker_that_lost_its_lease_changes_nothing(cell: Cell, work) -> None:
    record = cell.tenant()
    cell.database.take_slot(record.organisation_id, 5)
    before = cell.database.inspect(record.organisation_id)
    with pytest.raises(Unavailable) as refused:
        work(cell, record)
    assert refused.value.code == "fenced"
    assert cell.database.inspect(record.organisation_id) == before


def test_a_fence_outlives_the_organisation(cell: Cell) -> None:
    record = cell.tenant()
    cell.database.unpublish(record.organisation_id, 7)
    cell.database.drop_slot(record.organisation_id, 7)
    with pytest.raises(Unavailable, match="fenced"):
        cell.database.take_slot(record.organisation_id, 6)


def test_without_a_fence_a_zombie_would_bring_the_organisation_back(cell: Cell) -> None:
    """The control of the test above: it is the fence, and nothing else, that stops it."""
    record = cell.tenant()
    cell.database.unpublish(record.organisation_id, 7)
    cell.database.drop_slot(record.organisation_id, 7)
    cell.sql("delete from directory.fence where organisation_id = %s", record.organisation_id)
    assert cell.database.take_slot(record.organisation_id, 6)


def test_a_lost_database_is_unavailable_and_found_again(postgres: str) -> None:
    with fresh_database(postgres) as url:
        cell = Cell(url)
        organisation = uuid4()
        slot = cell.database.take_slot(organisation, 1)
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s", [cell.name]
            )
        assert cell.database.take_slot(organisation, 1) == slot
        cell.close()
    with pytest.raises(Unavailable, match="cell_unreachable"):
        CellDatabase(url).take_slot(organisation, 1)
