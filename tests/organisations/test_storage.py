"""An organisation's storage as each side sees it, on a real cell and a real store behind its gateway."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from control_plane import audit, organisations
from control_plane.audit import SYSTEM, Filter
from control_plane.organisations import StorageView
from kit.db import transaction
from kit.errors import Refusal
from kit.s3 import Bucket, Client
from kit.vault import Vault
from tests.filestore.gateway import running_gateway
from tests.world.house import House, open_house

KB, MB = 1000, 1_000_000


@pytest.fixture(scope="module")
def house(postgres: str, _template: str, vault: Vault) -> Iterator[House]:
    with open_house(postgres, _template, vault) as opened:
        yield opened


@pytest.fixture
def hanging(postgres: str, _template: str, vault: Vault) -> Iterator[House]:
    """A house whose store takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as listening:
        gateway = f"http://127.0.0.1:{listening.getsockname()[1]}"
        ceph = {"kind": "ceph", "endpoint": gateway, "admin_key_id": "A", "admin_secret": "s"}
        with open_house(postgres, _template, vault, store=ceph) as opened:
            yield opened


def storage_of(house: House, organisation: UUID, **options: Any) -> StorageView:
    with transaction(house.engine) as session:
        return organisations.storage_of(session, organisation, **options)


def report(house: House, organisation: UUID, storage_bytes: int, **found: Any) -> None:
    """The workspace's worker reports; with what its last comparison found."""
    told = {"storage_bytes": storage_bytes, "reconciled_at": "now", **found}
    with psycopg.connect(house.cell_url) as connection:
        connection.execute("delete from directory.usage where organisation_id = %s", [organisation])
        connection.execute(
            f"insert into directory.usage (organisation_id, {', '.join(told)})"
            f" values (%s, {', '.join(['%s'] * len(told))})".encode(),
            [organisation, *told.values()],
        )


def put(house: House, organisation: UUID, size: int) -> None:
    """A file arrives in the organisation's bucket."""
    key = house.keyring(organisation).current

    async def sent(endpoint: str) -> None:
        client = Client(endpoint, endpoint)
        bucket = Bucket(client, client.signer(key.key_id, key.secret), f"org-{organisation.hex}")
        await bucket.put(str(uuid4()), b"\0" * size)
        await client.close()

    with running_gateway(house.store_root) as gateway:
        asyncio.run(sent(gateway.url))


def test_both_sides_agree_where_they_count_the_same(house: House) -> None:
    made = house.live()
    put(house, made, 300 * KB)
    report(house, made, 300 * KB, store_bytes=300 * KB, store_objects=1)
    seen = storage_of(house, made)
    assert (seen.agreement, seen.findings, seen.difference, seen.comparing) == ("agree", [], 0, False)
    assert seen.store is not None
    assert (seen.store.objects, seen.store.mode, seen.sold_bytes) == (1, "open", seen.store.quota_bytes)
    assert [one.state for one in seen.keys.store] == ["current"]


def test_a_workspace_that_reported_nothing_leaves_it_unknown(house: House) -> None:
    seen = storage_of(house, house.live())
    assert (seen.agreement, seen.workspace, seen.comparing) == ("unknown", None, True)


def test_each_thing_that_is_wrong_is_found(house: House) -> None:
    made = house.live()
    report(house, made, 0, missing=2)
    assert storage_of(house, made).findings == ["files_missing"]
    report(house, made, 200 * MB)
    assert storage_of(house, made).findings == ["figures_differ"]
    report(house, made, 0)
    house.set_quota_by_hand(made, 5 * MB)
    assert storage_of(house, made).findings == ["limit_differs"]
    house.remove_by_hand(made)
    seen = storage_of(house, made)
    assert (seen.findings, seen.agreement, seen.trouble) == (["bucket_missing"], "differ", None)


def test_what_is_under_way_does_not_make_a_difference(house: House) -> None:
    made = house.live()
    put(house, made, 400 * KB)
    report(house, made, 0)
    seen = storage_of(house, made)
    assert (seen.difference, seen.agreement) == (400 * KB, "agree")


def test_a_store_that_hangs_is_told_within_its_time_and_refuses_nothing(hanging: House) -> None:
    ordered = hanging.order()
    seen = storage_of(hanging, ordered, seconds=0.4)
    assert (seen.store, seen.trouble, seen.agreement, seen.findings) == (None, "store_silent", "unknown", [])


def test_nothing_is_expected_of_what_is_not_there_yet_or_no_more(house: House) -> None:
    ordered = storage_of(house, house.order())
    assert (ordered.findings, ordered.agreement, ordered.expected) == ([], "unknown", False)
    gone = house.live()
    house.close_and_erase(gone)
    house.settle_for_good(gone)
    erased = storage_of(house, gone)
    assert (erased.cell, erased.findings, erased.store) == (None, [], None)
    assert {one.state for one in erased.keys.store} == {"gone"}


def test_a_comparison_is_asked_of_the_cell_and_stands_in_the_record(house: House) -> None:
    made = house.live()
    report(house, made, 0, store_bytes=0)
    with transaction(house.engine) as session:
        organisations.compare_books(session, made, actor=SYSTEM)
    assert storage_of(house, made).comparing
    with psycopg.connect(house.cell_url) as connection:
        chores = connection.execute("select due_at <= now() from directory.chore where organisation_id = %s", [made])
        assert chores.fetchall() == [(True,)]
    with transaction(house.engine) as session:
        assert audit.events(session, Filter(organisation_id=made, verb="storage.comparison_asked")).items


def test_a_suspended_workspace_is_not_compared(house: House) -> None:
    made = house.live()
    with transaction(house.engine) as session:
        organisations.suspend(session, made, reason="unpaid", actor=SYSTEM)
    house.settle(made)
    with transaction(house.engine) as session, pytest.raises(Refusal) as refused:
        organisations.compare_books(session, made, actor=SYSTEM)
    assert (refused.value.code, refused.value.status) == ("wrong_state", 409)


def test_keys_are_rotated_one_kind_at_a_time(house: House) -> None:
    made = house.live()
    with transaction(house.engine) as session:
        asked = organisations.rotate_keys(session, made, kind="store", actor=SYSTEM)
    assert asked.kind == "rotate"
    with transaction(house.engine) as session, pytest.raises(Refusal) as refused:
        organisations.rotate_keys(session, made, kind="data", actor=SYSTEM)
    assert refused.value.code == "operation_running"
    house.settle(made)
    assert [one.state for one in storage_of(house, made).keys.store] == ["current", "retiring"]
    with transaction(house.engine) as session:
        organisations.rotate_keys(session, made, kind="data", actor=SYSTEM)
    house.settle(made)
    assert [one.state for one in storage_of(house, made).keys.data] == ["current", "destroyed"]
