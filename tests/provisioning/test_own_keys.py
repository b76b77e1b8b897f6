"""An offer with encryption by the tenant's own key: the record carries it, it rotates, and it ends with the tenant."""

import base64
import json
from collections.abc import Iterator
from uuid import UUID

import pytest

from control_plane import organisations, placement, provisioning, storage
from control_plane.audit import SYSTEM
from kit.db import transaction
from kit.errors import Refusal, Unavailable
from kit.vault import Vault
from tests.faults.crashes import REMOVING_POINTS, CrashPoint, kill_at
from tests.world.house import CELL, House, Killed, open_house


@pytest.fixture(scope="module")
def house(postgres: str, _template: str, vault: Vault) -> Iterator[House]:
    """Its cell's store is said to encrypt by keys of the tenants' own."""
    with open_house(postgres, _template, vault) as opened:
        with transaction(opened.engine) as session:
            store = {**placement.cell(session, CELL).store, "tenant_keys": True}
            placement.set_store(session, CELL, store, SYSTEM)
        opened.publish_offer("sealed-team", encryption="tenant")
        yield opened


def record(house: House, organisation: UUID) -> dict[str, object]:
    found = house.cell.inspect(organisation).record
    assert found is not None
    return found.store


def file_keys(house: House, organisation: UUID) -> dict[str, bytes]:
    """What the cell can open of the record: the keys of files, by their names."""
    with transaction(house.engine) as session:
        seals = storage.cell_vault(session, house.vault, CELL)
    sealed = record(house, organisation)["data_keys_sealed"]
    assert isinstance(sealed, dict)
    return {name: base64.b64decode(seals.open(text, f"data-key:{name}")) for name, text in sealed.items()}


def name(organisation: UUID, version: int) -> str:
    return f"pv-{organisation.hex}-{version}"


def change_offer(house: House, organisation: UUID, offer: str) -> None:
    with transaction(house.engine) as session:
        organisations.change_offer(session, organisation, offer=offer, actor=SYSTEM)
    house.settle(organisation)


def rotate(house: House, organisation: UUID) -> None:
    with transaction(house.engine) as session:
        provisioning.rotate_data_key(session, organisation, SYSTEM)
    house.settle(organisation)


def test_an_ordinary_offer_gives_the_cell_no_data_key(house: House) -> None:
    organisation = house.live()
    assert record(house, organisation)["data_key"] is None
    assert file_keys(house, organisation) == {}


def test_the_record_names_a_key_of_32_bytes_that_only_its_cell_opens(house: House) -> None:
    organisation = house.live(offer="sealed-team")
    assert record(house, organisation)["data_key"] == name(organisation, 1)
    keys = file_keys(house, organisation)
    assert list(keys) == [name(organisation, 1)]
    assert len(keys[name(organisation, 1)]) == 32
    assert keys == house.keyring(organisation).data_keys
    with pytest.raises(Unavailable):
        house.vault.open(
            next(iter(record(house, organisation)["data_keys_sealed"].values())),  # type: ignore[attr-defined]
            f"data-key:{name(organisation, 1)}",
        )


def test_the_key_of_files_is_not_the_one_that_seals_secrets(house: House) -> None:
    organisation = house.live(offer="sealed-team")
    wrapped = house.sql("select wrapped from organisation_key where organisation_id = :id", id=organisation)[0][0]
    data_key = base64.b64decode(house.vault.open(wrapped, f"organisation-key:{organisation}:1"))
    assert data_key not in file_keys(house, organisation).values()


def test_two_organisations_share_no_key(house: House) -> None:
    one, two = house.live(offer="sealed-team"), house.live(offer="sealed-team")
    assert not set(file_keys(house, one).values()) & set(file_keys(house, two).values())


def test_a_new_key_encrypts_new_files_and_the_old_one_stays_for_the_old_ones(house: House) -> None:
    organisation = house.live(offer="sealed-team")
    before = file_keys(house, organisation)
    rotate(house, organisation)
    assert record(house, organisation)["data_key"] == name(organisation, 2)
    after = file_keys(house, organisation)
    assert set(after) == {name(organisation, 1), name(organisation, 2)}
    assert after[name(organisation, 1)] == before[name(organisation, 1)]
    assert after[name(organisation, 2)] != after[name(organisation, 1)]
    assert [(key.version, key.state) for key in house.keys(organisation).data] == [(2, "current"), (1, "older")]
    assert house.complaints(organisation) == []


def test_leaving_the_offer_keeps_the_keys_of_what_was_encrypted(house: House) -> None:
    organisation = house.live(offer="sealed-team")
    before = file_keys(house, organisation)
    change_offer(house, organisation, "business")
    assert record(house, organisation)["data_key"] is None
    assert file_keys(house, organisation) == before
    rotate(house, organisation)
    assert file_keys(house, organisation) == before
    change_offer(house, organisation, "sealed-team")
    assert record(house, organisation)["data_key"] == name(organisation, 2)
    assert set(file_keys(house, organisation)) == {name(organisation, 1), name(organisation, 2)}


def test_an_offer_that_needs_own_keys_goes_only_where_there_are_some(house: House) -> None:
    organisation = house.live()
    house.sql("update cell set store = store - 'tenant_keys'")
    try:
        with pytest.raises(Refusal, match="cannot encrypt by a key of the organisation's own") as refused:
            change_offer(house, organisation, "sealed-team")
        assert (refused.value.code, refused.value.field, refused.value.status) == ("cell_unfit", "offer", 409)
    finally:
        house.sql("update cell set store = store || '{\"tenant_keys\": true}'")
    change_offer(house, organisation, "sealed-team")
    assert record(house, organisation)["data_key"] == name(organisation, 1)


def destroyed(house: House, organisation: UUID) -> bool:
    return {key.state for key in house.keys(organisation).data} == {"destroyed"}


def test_erasing_an_organisation_destroys_its_keys_after_its_store(house: House) -> None:
    organisation = house.live(offer="sealed-team")
    rotate(house, organisation)
    sealed = house.sql("select secret_sealed from store_key where organisation_id = :id", id=organisation)[0][0]
    house.close_and_erase(organisation)
    too_early: list[str] = []

    def watch(point: str, step: str) -> None:
        bucket = storage.bucket_name(organisation)
        if destroyed(house, organisation) and bucket in house.store.inventory()[1]:
            too_early.append(f"{point}-{step}")

    house.loop(watch).run(organisation)
    house.settle_for_good(organisation)
    assert too_early == []
    assert destroyed(house, organisation)
    rows = house.sql("select wrapped, destroyed_at from organisation_key where organisation_id = :id", id=organisation)
    assert [(row[0], row[1] is not None) for row in rows] == [(None, True), (None, True)]
    # Nothing that the database still holds opens what was sealed: not even with the master key.
    everything = json.dumps([list(map(str, row)) for row in house.sql("select * from organisation_key")])
    assert sealed not in everything
    assert house.complaints(organisation) == []


@pytest.mark.parametrize("crash", REMOVING_POINTS, ids=str)
def test_a_kill_in_a_removal_destroys_keys_only_once_the_store_is_empty(house: House, crash: CrashPoint) -> None:
    organisation = house.live(offer="sealed-team")
    house.close_and_erase(organisation)
    with pytest.raises(Killed):
        house.loop(kill_at(crash)).run(organisation)
    if destroyed(house, organisation):
        assert storage.bucket_name(organisation) not in house.store.inventory()[1]
    house.settle_for_good(organisation)
    assert destroyed(house, organisation)
    assert house.complaints(organisation) == []


def test_a_creation_that_was_undone_and_tried_again_has_new_keys(house: House) -> None:
    from tests.faults.crashes import failing

    organisation = house.order(offer="sealed-team")
    house.loop(steps=failing("route", "before", Refusal("host_taken", "The host leads elsewhere."))).run(organisation)
    house.settle_for_good(organisation)
    assert destroyed(house, organisation)
    with transaction(house.engine) as session:
        provisioning.retry(session, organisation, SYSTEM)
    house.settle(organisation)
    assert record(house, organisation)["data_key"] == name(organisation, 2)
    assert house.stored(organisation).key_ids == {f"PV{organisation.hex[-12:].upper()}02"}
    assert house.complaints(organisation) == []
