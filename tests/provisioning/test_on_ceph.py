"""The loop against a real Ceph: what an organisation is sold, allowed and refused holds at the gateway itself."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import obstore
import pytest
from obstore.exceptions import PermissionDeniedError
from obstore.store import S3Store

from control_plane import organisations, provisioning, storage
from control_plane.audit import SYSTEM, Actor
from control_plane.storage import AccessKey, BucketWish
from kit.db import transaction
from kit.ids import new_id
from kit.vault import Vault
from tests.faults.crashes import CrashPoint, kill_at
from tests.provisioning.rotating import AT_ONCE, end, key_ids, locked_out, published, rotate, states
from tests.world.ceph import RunningCeph, running_ceph
from tests.world.house import CELL, NOTHING, WHOLE, House, Killed, open_house

GB = 10**9
POINTS = ("before", "effect", "commit")


@pytest.fixture(scope="module")
def house(postgres: str, _template: str, vault: Vault, ceph: RunningCeph) -> Iterator[House]:
    """Its cell keeps its files in the session's Ceph."""
    settings = ceph.store_settings(vault, CELL)
    with open_house(postgres, _template, vault, store=settings) as opened:
        yield opened


def client(ceph: RunningCeph, organisation: UUID, key: AccessKey) -> S3Store:
    """The bucket by one key, as the tenant app opens it."""
    return S3Store(
        storage.bucket_name(organisation),
        endpoint=ceph.endpoint,
        access_key_id=key.key_id,
        secret_access_key=key.secret,
        region=ceph.region,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )


def refused(act, *arguments: object) -> bool:  # type: ignore[no-untyped-def]
    try:
        act(*arguments)
    except PermissionDeniedError:
        return True
    return False


def act(house: House, action: str, organisation: UUID, **options: object) -> float:
    """Do it; the seconds until it is true."""
    with transaction(house.engine) as session:
        getattr(organisations, action)(session, organisation, actor=SYSTEM, **options)
    return house.settle(organisation)


def whole(house: House, organisation: UUID) -> bool:
    house.post()
    return house.inventory(organisation) == WHOLE


def nothing(house: House, organisation: UUID) -> bool:
    seen = house.inventory(organisation)
    return replace(seen, ready_mails=0) == NOTHING and house.state(organisation) == "erased"


def test_an_order_becomes_an_account_a_bucket_and_a_quota(house: House, ceph: RunningCeph) -> None:
    organisation = house.live(offer="public-sector")
    usage = house.stored(organisation)
    assert (usage.quota_bytes, usage.mode, usage.used_bytes) == (100 * GB, "open", 0)
    assert usage.key_ids == key_ids(organisation, 1)
    mine = client(ceph, organisation, house.keyring(organisation).current)
    obstore.put(mine, "one", b"bonjour")
    assert bytes(obstore.get(mine, "one").bytes()) == b"bonjour"
    assert whole(house, organisation)


def test_another_organisations_key_opens_nothing(house: House, ceph: RunningCeph) -> None:
    one, two = house.live(), house.live()
    obstore.put(client(ceph, one, house.keyring(one).current), "one", b"bonjour")
    assert refused(obstore.get, client(ceph, one, house.keyring(two).current), "one")


def test_a_changed_offer_changes_the_quota(house: House) -> None:
    organisation = house.live()
    assert house.stored(organisation).quota_bytes == 20 * GB
    act(house, "change_offer", organisation, offer="business")
    assert house.stored(organisation).quota_bytes == 500 * GB


def test_a_quota_and_a_key_changed_by_hand_are_mended(house: House) -> None:
    organisation = house.live()
    name = storage.account_name(organisation)
    ours = house.keyring(organisation).current
    foreign = AccessKey(f"PVFOREIGN{new_id().hex[-8:].upper()}", "s" * 40)
    house.set_quota_by_hand(organisation, GB)
    house.store.ensure_account(name, [ours, foreign], 0)
    assert house.stored(organisation).key_ids == {ours.key_id, foreign.key_id}
    house.wake(organisation)
    house.loop().run(organisation)
    assert house.stored(organisation).quota_bytes == 20 * GB
    assert house.stored(organisation).key_ids == {ours.key_id}
    assert house.last_operation(organisation).kind == "verify"


def test_without_drift_a_look_changes_nothing(house: House) -> None:
    organisation = house.live()
    # The first look sets what a creation leaves to it.
    for _ in range(2):
        house.wake(organisation)
        house.loop().run(organisation)
    assert house.last_operation(organisation).kind == "create"


def test_a_bucket_removed_by_hand_comes_back(house: House) -> None:
    organisation = house.live()
    house.remove_by_hand(organisation)
    house.wake(organisation)
    house.loop().run(organisation)
    assert whole(house, organisation)


def test_read_only_and_suspension_reach_the_gateway_and_are_taken_back(house: House, ceph: RunningCeph) -> None:
    organisation = house.live()
    mine = client(ceph, organisation, house.keyring(organisation).current)
    obstore.put(mine, "one", b"bonjour")
    act(house, "read_only", organisation, reason="not paid")
    assert refused(obstore.put, mine, "two", b"x")
    assert bytes(obstore.get(mine, "one").bytes()) == b"bonjour"
    act(house, "suspend", organisation, reason="an attack", kind="contract")
    assert refused(obstore.get, mine, "one")
    act(house, "resume", organisation, kind="contract")
    assert bytes(obstore.get(mine, "one").bytes()) == b"bonjour"
    assert refused(obstore.put, mine, "two", b"x")
    act(house, "resume", organisation)
    obstore.put(mine, "two", b"x")


def test_a_new_offer_while_suspended_holds_once_it_is_open_again(house: House) -> None:
    organisation = house.live()
    act(house, "suspend", organisation, reason="an attack")
    act(house, "change_offer", organisation, offer="business")
    assert (house.stored(organisation).quota_bytes, house.stored(organisation).mode) == (500 * GB, "suspended")
    act(house, "resume", organisation)
    assert (house.stored(organisation).quota_bytes, house.stored(organisation).mode) == (500 * GB, "open")


def test_a_rotation_locks_nobody_out_and_then_the_old_key_opens_nothing(house: House, ceph: RunningCeph) -> None:
    organisation = house.live()
    old = client(ceph, organisation, house.keyring(organisation).current)
    obstore.put(old, "one", b"bonjour")
    watch = locked_out(house, organisation)
    rotate(house, organisation)
    house.loop(watch).run(organisation)
    new = client(ceph, organisation, house.keyring(organisation).current)
    # The control: during the overlap both open it.
    assert bytes(obstore.get(old, "one").bytes()) == bytes(obstore.get(new, "one").bytes()) == b"bonjour"
    assert end(house, organisation, AT_ONCE) == 1
    house.loop(watch).run(organisation)
    assert watch.found == []  # type: ignore[attr-defined]
    assert bytes(obstore.get(new, "one").bytes()) == b"bonjour"
    assert refused(obstore.get, old, "one")
    assert states(house, organisation) == {1: "gone", 2: "current"}


def test_a_removal_takes_every_object_and_leaves_nothing(house: House, ceph: RunningCeph) -> None:
    organisation = house.live()
    mine = client(ceph, organisation, house.keyring(organisation).current)
    for number in range(40):
        obstore.put(mine, f"{number}", b"x")
    house.close_and_erase(organisation)
    house.settle_for_good(organisation)
    assert nothing(house, organisation)
    assert {key.state for key in house.keys(organisation).data} == {"destroyed"}


def test_a_removal_works_while_suspended_and_in_the_middle_of_a_rotation(house: House, ceph: RunningCeph) -> None:
    organisation = house.live()
    obstore.put(client(ceph, organisation, house.keyring(organisation).current), "one", b"x")
    rotate(house, organisation)
    house.settle(organisation)
    act(house, "suspend", organisation, reason="an attack")
    house.close_and_erase(organisation)
    house.settle_for_good(organisation)
    assert nothing(house, organisation)


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_the_storage_step_leaves_exactly_one_of_everything(house: House, point: str) -> None:
    organisation = house.order()
    with pytest.raises(Killed):
        house.loop(kill_at(CrashPoint("storage", point))).run(organisation)
    house.settle(organisation)
    assert whole(house, organisation)
    assert house.stored(organisation).key_ids == key_ids(organisation, 1)


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_the_removal_of_the_store_leaves_nothing(house: House, point: str) -> None:
    organisation = house.live()
    house.close_and_erase(organisation)
    with pytest.raises(Killed):
        house.loop(kill_at(CrashPoint("remove_storage", point))).run(organisation)
    house.settle_for_good(organisation)
    assert nothing(house, organisation)


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_in_a_rotation_makes_no_third_key(house: House, point: str) -> None:
    organisation = house.live()
    rotate(house, organisation)
    with pytest.raises(Killed):
        house.loop(kill_at(CrashPoint("storage", point))).run(organisation)
    assert published(house, organisation)["key_id"] in house.stored(organisation).key_ids
    house.settle(organisation)
    assert house.stored(organisation).key_ids == key_ids(organisation, 1, 2)


def test_an_orphan_is_removed_by_hand_with_all_that_lies_there(house: House, ceph: RunningCeph) -> None:
    organisation = new_id()
    name, key = storage.account_name(organisation), AccessKey(f"PVX{organisation.hex[-8:].upper()}", "s" * 40)
    house.store.ensure_account(name, [key], 1)
    house.store.ensure_bucket(name, name, key, BucketWish(GB), 1)
    obstore.put(client(ceph, organisation, key), "one", b"x")
    provisioning.note_orphans(house.engine, house.world)
    house.sql("update orphan_sighting set first_seen_at = now() - interval '2 days' where name = :name", name=name)
    ines = Actor("staff", "7", "Inès Bakkali")
    assert provisioning.remove_orphan(house.engine, house.world, CELL, name, ines)
    assert all(name not in names for names in house.store.inventory())


@pytest.fixture
def frail(postgres: str, _template: str, vault: Vault, world_folder: Path) -> Iterator[tuple[House, RunningCeph]]:
    """A house with a Ceph of its own, which may be frozen."""
    with running_ceph(world_folder / "ceph-hangs") as own:
        settings = own.store_settings(vault, CELL)
        with open_house(postgres, _template, vault, store=settings) as opened:
            yield opened, own


def test_a_gateway_that_hangs_costs_bounded_time_and_the_loop_goes_on_later(frail: tuple[House, RunningCeph]) -> None:
    house, own = frail
    organisation = house.order()
    with own.frozen("gateway-0"):
        house.loop().run(organisation)
    assert house.state(organisation) == "provisioning"
    house.settle(organisation)
    assert house.complaints(organisation) == []
