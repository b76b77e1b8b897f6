"""An organisation is placed where its offer may live and where there is room, and nowhere twice."""

import threading
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import Engine, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from control_plane import audit, placement
from control_plane.audit import SYSTEM
from control_plane.catalogue import Requirements
from control_plane.placement.models import CellDatabase
from kit.db import transaction
from kit.errors import Refusal
from kit.ids import new_id
from kit.vault import Vault

ANYWHERE = Requirements()
MakeCell = Callable[..., None]


@pytest.fixture
def make_cell(engine: Engine) -> MakeCell:
    """A cell with databases of given capacities; nobody needs to reach them."""

    def make(name: str, *capacities: int, region: str = "fr-par", qualities: tuple[str, ...] = ()) -> None:
        with transaction(engine) as session:
            placement.add_cell(session, name, region, list(qualities), {"kind": "files", "root": "/nowhere"}, SYSTEM)
            cell_id = placement.cell(session, name).id
            for number, capacity in enumerate(capacities, 1):
                session.add(
                    CellDatabase(
                        id=new_id(),
                        cell_id=cell_id,
                        name=f"{name.replace('-', '_')}_{number}",
                        admin_url_sealed="",
                        app_url_sealed="",
                        capacity=capacity,
                    )
                )

    return make


def place(engine: Engine, requirements: Requirements = ANYWHERE, cell: str | None = None) -> placement.Place:
    with transaction(engine) as session:
        return placement.place(session, new_id(), requirements, cell)


def test_the_least_filled_database_is_taken(engine: Engine, make_cell: MakeCell) -> None:
    make_cell("local", 2, 4)
    taken = [place(engine).database for _ in range(6)]
    assert taken.count("local_1") == 2
    assert taken.count("local_2") == 4


def test_without_room_the_order_is_refused_with_no_room(engine: Engine, make_cell: MakeCell) -> None:
    make_cell("local", 1)
    place(engine)
    with pytest.raises(Refusal) as refused:
        place(engine)
    assert (refused.value.code, refused.value.status) == ("no_room", 503)


def test_a_region_and_qualities_are_met_or_refused(engine: Engine, make_cell: MakeCell) -> None:
    make_cell("plain", 9)
    make_cell("trusted", 9, region="fr-sud", qualities=("secnumcloud", "hds"))
    assert place(engine, Requirements(qualities=("secnumcloud",))).cell == "trusted"
    assert place(engine, Requirements(region="fr-par")).cell == "plain"
    with pytest.raises(Refusal, match="no room"):
        place(engine, Requirements(region="fr-par", qualities=("hds",)))


def test_a_cell_that_was_asked_for_must_fit_too(engine: Engine, make_cell: MakeCell) -> None:
    make_cell("plain", 9)
    assert place(engine, cell="plain").cell == "plain"
    for cell, code in (("moon", "unknown_cell"), ("plain", "cell_unfit")):
        with pytest.raises(Refusal) as refused:
            place(engine, Requirements(qualities=("hds",)), cell)
        assert (refused.value.code, refused.value.field) == (code, "cell")


def test_a_closed_cell_takes_nobody_new(engine: Engine, make_cell: MakeCell) -> None:
    make_cell("local", 9)
    with transaction(engine) as session:
        placement.open_cell(session, "local", open=False, actor=SYSTEM)
    with pytest.raises(Refusal, match="no room"):
        place(engine)
    with pytest.raises(Refusal, match="takes no new"):
        place(engine, cell="local")


def test_a_place_is_kept_and_given_back_once(engine: Engine, make_cell: MakeCell) -> None:
    make_cell("local", 9)
    one = new_id()
    with transaction(engine) as session:
        first = placement.place(session, one, ANYWHERE)
        assert placement.place(session, one, ANYWHERE) == first
        placement.note_slot(session, one, "slot_000001")
        assert placement.where(session, one) == placement.Place(**{**vars(first), "slot": "slot_000001"})
    for _ in range(2):
        with transaction(engine) as session:
            placement.release(session, one)
            assert placement.where(session, one) is None
            assert placement.cell(session, "local").tenants == 0


def many_at_once(engine: Engine, choose: Callable[[Session], object], count: int) -> int:
    """How many of so many at once got a place."""
    placed: list[UUID] = []
    barrier = threading.Barrier(count)

    def ask() -> None:
        barrier.wait()
        try:
            with transaction(engine) as session:
                choose(session)
                placed.append(new_id())
        except (Refusal, DBAPIError):
            return

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(placed)


def test_many_at_once_never_overfill_a_database_and_use_all_its_room(engine: Engine, make_cell: MakeCell) -> None:
    make_cell("local", 5, 5)
    assert many_at_once(engine, lambda session: placement.choose(session, ANYWHERE), 16) == 10
    with transaction(engine) as session:
        assert [database.tenants for database in placement.cell(session, "local").databases] == [5, 5]


def test_reading_first_and_writing_afterwards_would_lose_places(engine: Engine, make_cell: MakeCell) -> None:
    """The broken control: count, then write what was counted."""
    make_cell("local", 5)
    reading = threading.Barrier(8)

    def naive(session: Session) -> None:
        row = session.query(CellDatabase).one()
        reading.wait()
        session.execute(update(CellDatabase).values(tenants=row.tenants + 1))

    placed = many_at_once(engine, naive, 8)
    with transaction(engine) as session:
        assert placed > placement.cell(session, "local").tenants


def test_the_database_itself_refuses_a_tenant_too_many(engine: Engine, make_cell: MakeCell) -> None:
    make_cell("local", 1)
    with pytest.raises(DBAPIError, match="room"), engine.begin() as connection:
        connection.execute(text("update cell_database set tenants = 2"))


BAD = [
    ("postgresql://h/Name", "admin_url"),
    ("postgresql://h/", "admin_url"),
    ("mysql://u:p@h/db", "admin_url"),
    ("not an address", "admin_url"),
]


@pytest.mark.parametrize(("url", "field"), BAD)
def test_a_wrong_address_of_a_database_is_named(
    engine: Engine, make_cell: MakeCell, vault: Vault, url: str, field: str
) -> None:
    make_cell("local")
    with pytest.raises(Refusal) as refused, transaction(engine) as session:
        placement.add_database(session, vault, "local", url, 10, 0, SYSTEM)
    assert refused.value.field == field


@pytest.mark.parametrize(("numbers", "field"), [((0, 0), "capacity"), ((2001, 0), "capacity"), ((1, -1), "spares")])
def test_a_database_holds_at_most_two_thousand_tenants(
    engine: Engine, make_cell: MakeCell, vault: Vault, numbers: tuple[int, int], field: str
) -> None:
    make_cell("local")
    with pytest.raises(Refusal) as refused, transaction(engine) as session:
        placement.add_database(session, vault, "local", "postgresql://u@h/db", *numbers, SYSTEM)
    assert refused.value.field == field


def test_a_real_database_is_prepared_added_once_and_verified(
    engine: Engine, make_cell: MakeCell, vault: Vault, cell_url: str
) -> None:
    make_cell("local")
    with transaction(engine) as session:
        added = placement.add_database(session, vault, "local", cell_url, 10, 2, SYSTEM)
        assert placement.admin_url(session, vault, added.id) == cell_url
        assert f"{added.name}_app" in placement.tenant_app_url(session, vault, added.id)
        stored = session.execute(text("select admin_url_sealed || app_url_sealed from cell_database")).scalar_one()
        assert "postgresql" not in stored
    with transaction(engine) as session:
        checks = placement.verify(session, vault, "local")
    assert checks
    assert [check for check in checks if not check.ok] == []
    with pytest.raises(Refusal, match="belongs to a cell already"), transaction(engine) as session:
        placement.add_database(session, vault, "local", cell_url, 10, 2, SYSTEM)


@pytest.mark.parametrize("name", ["", "Local", "lo cal", "-local", "l" * 41, "é"])
def test_a_wrong_name_of_a_cell_is_refused(session: Session, name: str) -> None:
    with pytest.raises(Refusal) as refused:
        placement.add_cell(session, name, "fr-par", [], {}, SYSTEM)
    assert refused.value.field == "name"


def test_a_cell_is_added_once(session: Session) -> None:
    placement.add_cell(session, "local", "fr-par", ["b", "a", "b"], {}, SYSTEM)
    assert placement.cell(session, "local").qualities == ["a", "b"]
    with pytest.raises(Refusal, match="already"):
        placement.add_cell(session, "local", "fr-par", [], {}, SYSTEM)


@pytest.mark.parametrize("cell", [None, "plain"])
def test_an_offer_with_keys_of_the_tenants_own_goes_only_where_the_store_has_them(
    engine: Engine, make_cell: MakeCell, cell: str | None
) -> None:
    make_cell("plain", 9)
    with pytest.raises(Refusal) as refused, transaction(engine) as session:
        placement.place(session, new_id(), ANYWHERE, cell, own_keys=True)
    assert refused.value.code == ("cell_unfit" if cell else "no_room")
    with transaction(engine) as session:
        placement.set_store(session, "plain", {"kind": "files", "root": "/nowhere", "tenant_keys": True}, SYSTEM)
        assert placement.place(session, new_id(), ANYWHERE, cell, own_keys=True).cell == "plain"


def test_without_that_wish_any_store_will_do(engine: Engine, make_cell: MakeCell) -> None:
    """The control."""
    make_cell("plain", 9)
    assert place(engine).cell == "plain"


CEPH = {
    "kind": "ceph",
    "endpoint": "https://gateway.example",
    "admin_key_id": "ADMIN",
    "mirror": {"endpoint": "https://mirror.example", "key_id": "M"},
}


def stored(engine: Engine) -> dict[str, object]:
    with engine.connect() as connection:
        found: dict[str, object] = connection.execute(text("select store from cell")).scalar_one()
        return found


def with_secrets(admin: str = "of the gateway", mirror: str = "of the mirror") -> dict[str, object]:
    return {**CEPH, "admin_secret": admin, "mirror": {**CEPH["mirror"], "secret": mirror}}  # type: ignore[dict-item]


def test_the_secrets_of_a_store_are_sealed_for_their_cell(engine: Engine, vault: Vault) -> None:
    with transaction(engine) as session:
        placement.add_cell(session, "local", "fr-par", [], with_secrets(), SYSTEM)
    kept = stored(engine)
    assert "of the" not in str(kept)
    assert {"admin_secret", "secret"}.isdisjoint({*kept, *kept["mirror"]})  # type: ignore[misc]
    assert vault.open(kept["admin_secret_sealed"], placement.admin_purpose("local")) == "of the gateway"  # type: ignore[arg-type]
    assert vault.open(kept["mirror"]["secret_sealed"], placement.mirror_purpose("local")) == "of the mirror"  # type: ignore[index]


def test_a_store_changes_its_addresses_and_keeps_the_secrets_that_are_left_out(engine: Engine) -> None:
    with transaction(engine) as session:
        placement.add_cell(session, "local", "fr-par", [], with_secrets(), SYSTEM)
    before = stored(engine)
    with transaction(engine) as session:
        placement.set_store(session, "local", {**CEPH, "endpoint": "https://other.example"}, SYSTEM)
        placement.set_store(session, "local", {**CEPH, "endpoint": "https://other.example"}, SYSTEM)
    after = stored(engine)
    assert after == {**before, "endpoint": "https://other.example"}
    with transaction(engine) as session:
        (event,) = audit.events(session, audit.Filter(verb="cell.store_set")).items
    assert event.data["after"]["endpoint"] == "https://other.example"
    assert "sealed" not in str(event.data)


def test_a_secret_belongs_to_its_key_and_goes_with_it(engine: Engine) -> None:
    with transaction(engine) as session:
        placement.add_cell(session, "local", "fr-par", [], with_secrets(), SYSTEM)
        changed = {**CEPH, "admin_key_id": "OTHER", "mirror": {**CEPH["mirror"], "key_id": "N"}}  # type: ignore[dict-item]
        placement.set_store(session, "local", changed, SYSTEM)
    kept = stored(engine)
    assert "admin_secret_sealed" not in kept
    assert "secret_sealed" not in kept["mirror"]  # type: ignore[operator]


def test_a_store_keeps_its_kind(engine: Engine, make_cell: MakeCell) -> None:
    make_cell("local", 9)
    with pytest.raises(Refusal, match="keeps the kind"), transaction(engine) as session:
        placement.set_store(session, "local", CEPH, SYSTEM)
    with pytest.raises(Refusal, match="no cell called moon"), transaction(engine) as session:
        placement.set_store(session, "moon", CEPH, SYSTEM)


def test_each_cell_has_a_random_key_of_its_own_that_stays(engine: Engine, make_cell: MakeCell, vault: Vault) -> None:
    for name in ("one", "two"):
        make_cell(name, 9)
    with transaction(engine) as session:
        one, two = (placement.cell_vault(session, vault, name) for name in ("one", "two"))
        assert one == placement.cell_vault(session, vault, "one")
    assert one != two
    assert {one.master, two.master}.isdisjoint({vault.master, vault.derive("cell:one"), vault.derive("cell:two")})
    with pytest.raises(Refusal, match="no cell called moon"), transaction(engine) as session:
        placement.cell_vault(session, vault, "moon")
