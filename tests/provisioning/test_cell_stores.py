"""A cell's Ceph gets another address and other administrator's keys while it serves; all of it on real Cephs."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import text

from control_plane import audit, fleet, placement, provisioning
from control_plane.placement import CellView
from control_plane.storage import AccessKey, CephObjectStore
from kit.db import transaction
from kit.errors import Refusal, Refusals, Unavailable
from kit.vault import Vault
from tests.provisioning.rotating import INES
from tests.world.administrators import administrator, keys_of, settings, works
from tests.world.house import CELL, WHOLE, House, open_house

if TYPE_CHECKING:
    from tests.world.ceph import RunningCeph

AT_ONCE = timedelta(0)


@pytest.fixture
def admin(ceph: "RunningCeph") -> AccessKey:
    return administrator(ceph)


@pytest.fixture(scope="module")
def unchanged(postgres: str, _template: str, vault: Vault, ceph: "RunningCeph") -> Iterator[House]:
    """A house whose store nothing changes."""
    with open_house(postgres, _template, vault, store=settings(ceph, administrator(ceph))) as opened:
        yield opened


@pytest.fixture
def house(postgres: str, _template: str, vault: Vault, ceph: "RunningCeph", admin: AccessKey) -> Iterator[House]:
    with open_house(postgres, _template, vault, store=settings(ceph, admin)) as opened:
        yield opened


def cell(house: House) -> CellView:
    with transaction(house.engine) as session:
        return placement.cell(session, CELL)


def change(house: House, **changes: Any) -> CellView:
    with transaction(house.engine) as session:
        return provisioning.change_store(session, CELL, changes, INES)


def rotate(house: House) -> AccessKey:
    """A new administrator's key; what the cell has then."""
    with transaction(house.engine) as session:
        made = provisioning.rotate_admin_key(session, CELL, INES).store
    return AccessKey(made["admin_key_id"], house.vault.open(made["admin_secret_sealed"], f"store-admin:{CELL}"))


def refused(house: House, **changes: Any) -> dict[str | None, str]:
    """The fields that a change refuses, with their codes; the settings are what they were."""
    before = cell(house).store
    with pytest.raises((Refusal, Refusals)) as caught:
        change(house, **changes)
    assert cell(house).store == before
    found = caught.value.refusals if isinstance(caught.value, Refusals) else [caught.value]
    return {one.field: one.code for one in found}


def events(house: House) -> list[Any]:
    with transaction(house.engine) as session:
        found = audit.events(session, audit.Filter(verb="cell.")).items
    return [one for one in found if one.verb.startswith("cell.store")]


def whole(house: House, *organisations: UUID) -> bool:
    """Whether each is as it should be in every world. The oracle also counts what other tests have at this Ceph."""
    house.post()
    return all(house.inventory(one) == WHOLE for one in organisations)


def gateway_of(house: House) -> str:
    store = house.store
    assert isinstance(store, CephObjectStore)
    return store.gateway.endpoint


def test_another_gateway_of_the_same_ceph_is_used_by_running_workers_and_told_to_the_tenant_app(
    house: House, ceph: "RunningCeph"
) -> None:
    first = house.live()
    assert gateway_of(house) == ceph.endpoints[0]
    change(house, endpoint=f"{ceph.endpoints[1]}/", public_endpoint="https://files.example")
    assert gateway_of(house) == ceph.endpoints[1]
    assert whole(house, first, house.live())
    with transaction(house.engine) as session:
        told = fleet.cell_file(session, house.vault, CELL)["store"]
    assert (told["endpoint"], told["public_endpoint"]) == (ceph.endpoints[1], "https://files.example")
    (event,) = events(house)
    assert (event.actor["name"], event.data["after"]["endpoint"]) == (INES.name, ceph.endpoints[1])
    change(house, public_endpoint=None)
    assert "public_endpoint" not in cell(house).store


def test_another_ceph_is_refused_although_its_key_works(
    house: House, ceph_tls: "RunningCeph", admin: AccessKey
) -> None:
    other = administrator(ceph_tls)
    there: dict[str, Any] = {"endpoint": ceph_tls.endpoint, "ca_file": str(ceph_tls.ca_file)}
    there |= {"admin_key_id": other.key_id, "admin_secret": other.secret}
    house.live()
    assert refused(house, **there) == {"endpoint": "store_other"}
    assert cell(house).store["admin_key_id"] == admin.key_id


def test_a_cell_whose_files_are_nowhere_yet_may_go_to_another_ceph(house: House, ceph_tls: "RunningCeph") -> None:
    """The control: but for the organisations nothing speaks against that Ceph."""
    other = administrator(ceph_tls)
    change(
        house,
        endpoint=ceph_tls.endpoint,
        ca_file=str(ceph_tls.ca_file),
        admin_key_id=other.key_id,
        admin_secret=other.secret,
    )
    assert whole(house, house.live())


def test_whoever_is_not_settled_or_leaves_does_not_hold_up_a_change(house: House, ceph: "RunningCeph") -> None:
    house.order()
    gone = house.live()
    house.close_and_erase_now(gone)
    house.settle(gone)
    change(house, endpoint=ceph.endpoints[1])


def test_the_gateway_of_the_mirror_is_no_store(house: House, ceph: "RunningCeph") -> None:
    mirror = {"endpoint": ceph.endpoints[1], "key_id": "M", "secret": "s"}
    with transaction(house.engine) as session:
        before = placement.store_to_change(session, CELL)
        placement.set_store(session, CELL, {**before, "mirror": mirror}, INES)
    assert refused(house, endpoint=ceph.endpoints[1]) == {"endpoint": "mirror_same"}


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"endpoint": "http://127.0.0.1:9"}, {"endpoint": "store_unreachable"}),
        ({"endpoint": "http://127.0.0.1:9/bucket"}, {"endpoint": "store_address_wrong"}),
        ({"public_endpoint": "https://files.example/a"}, {"public_endpoint": "store_address_wrong"}),
        ({"ca_file": "/nowhere/ca.pem"}, {"ca_file": "store_ca_missing"}),
        ({"admin_key_id": "NOBODY"}, {"admin_secret": "store_secret_missing"}),
        ({"admin_key_id": "NOBODY", "admin_secret": "s" * 40}, {"admin_key_id": "store_rights"}),
        ({"admin_secret": "s" * 40}, {"admin_key_id": "store_rights"}),
    ],
)
def test_a_wrong_setting_is_refused_by_its_field_and_nothing_is_stored(
    unchanged: House, changes: dict[str, Any], fields: dict[str, str]
) -> None:
    assert refused(unchanged, **changes) == fields
    assert events(unchanged) == []


def test_a_key_without_the_rights_is_refused_and_one_with_them_is_taken(house: House, ceph: "RunningCeph") -> None:
    weak, strong = administrator(ceph, "users=read"), administrator(ceph)
    assert refused(house, admin_key_id=weak.key_id, admin_secret=weak.secret) == {"admin_key_id": "store_rights"}
    change(house, admin_key_id=strong.key_id, admin_secret=strong.secret)
    kept, (event,) = cell(house).store, events(house)
    assert house.vault.open(kept["admin_secret_sealed"], f"store-admin:{CELL}") == strong.secret
    assert event.data["admin_secret"] == "replaced"
    assert strong.secret not in f"{kept} {event.data}"
    assert whole(house, house.live())


def test_a_store_of_files_has_no_key_to_replace(unchanged: House) -> None:
    with transaction(unchanged.engine) as session:
        placement.add_cell(session, "files", "fr-par", [], {"kind": "files", "root": "/nowhere"}, INES)
    with transaction(unchanged.engine) as session, pytest.raises(Refusal, match="Only a Ceph"):
        provisioning.rotate_admin_key(session, "files", INES)


def test_the_administrator_s_key_is_replaced_and_the_old_one_goes_after_the_overlap(
    house: House, ceph: "RunningCeph", admin: AccessKey
) -> None:
    first = house.live()
    fresh = rotate(house)
    assert (works(ceph, admin), works(ceph, fresh)) == (True, True)
    assert provisioning.end_admin_keys(house.engine) == 0
    assert works(ceph, admin), "runs that began before use it still"
    assert whole(house, first, house.live())
    assert provisioning.end_admin_keys(house.engine, AT_ONCE) == 1
    assert (works(ceph, admin), works(ceph, fresh), keys_of(ceph, fresh)) == (False, True, 1)
    assert provisioning.end_admin_keys(house.engine, AT_ONCE) == 0
    assert whole(house, first, house.live())
    assert [one.verb for one in events(house)] == ["cell.store_key_removed", "cell.store_key_rotated"]
    assert not any(secret in str([one.data for one in events(house)]) for secret in (admin.secret, fresh.secret))


def test_a_rotation_that_does_not_come_through_leaves_no_key_behind(
    house: House, ceph: "RunningCeph", admin: AccessKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cell(house).store

    def away(*_: Any) -> None:
        assert keys_of(ceph, admin) == 2, "the new key is there already"
        raise Unavailable("store_unavailable")

    with monkeypatch.context() as patched:
        patched.setattr(fleet, "must_fit", away)
        with pytest.raises(Unavailable):
            rotate(house)
    assert (cell(house).store, keys_of(ceph, admin)) == (before, 1)
    assert rotate(house).key_id != admin.key_id


def test_an_old_key_that_is_taken_up_again_does_not_go(house: House, ceph: "RunningCeph", admin: AccessKey) -> None:
    fresh = rotate(house)
    change(house, admin_key_id=admin.key_id, admin_secret=admin.secret)
    assert provisioning.end_admin_keys(house.engine, AT_ONCE) == 0
    assert (works(ceph, admin), works(ceph, fresh)) == (True, True)


def test_an_old_key_at_a_ceph_that_is_away_waits_and_holds_up_no_other_cell(
    house: House, ceph: "RunningCeph", admin: AccessKey
) -> None:
    rotate(house)
    with house.engine.begin() as connection:
        connection.execute(text('update cell set store = store || \'{"endpoint": "http://127.0.0.1:9"}\''))
    assert provisioning.end_admin_keys(house.engine, AT_ONCE) == 0
    with house.engine.begin() as connection:
        aim = {"endpoint": ceph.endpoint}
        connection.execute(
            text("update cell set store = store || jsonb_build_object('endpoint', cast(:endpoint as text))"), aim
        )
    assert provisioning.end_admin_keys(house.engine, AT_ONCE) == 1
    assert not works(ceph, admin)
