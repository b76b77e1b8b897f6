"""An organisation's keys: random, made once, wrapped by the master, and the same again after every lost answer."""

import base64
import contextlib
import threading
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from control_plane import storage
from control_plane.storage.keys_chest import Chest
from kit.db import transaction
from kit.errors import Unavailable
from kit.ids import new_id
from kit.vault import Vault


def keyring(engine: Engine, vault: Vault, organisation: UUID, **options: bool) -> storage.Keyring:
    with transaction(engine) as session:
        return storage.keyring(session, vault, organisation, **options)


def rows(engine: Engine, statement: str) -> list[tuple[object, ...]]:
    with engine.begin() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def test_keys_are_made_once_and_are_the_same_from_then_on(engine: Engine, vault: Vault) -> None:
    organisation = new_id()
    first = keyring(engine, vault, organisation)
    assert keyring(engine, vault, organisation) == first
    assert first.current.key_id == f"PV{organisation.hex[-12:].upper()}01"
    assert len(first.current.secret) == 40
    assert (first.all, first.data_key, dict(first.data_keys)) == ((first.current,), None, {})


def test_keys_of_a_transaction_that_rolled_back_were_never_there(engine: Engine, vault: Vault) -> None:
    organisation = new_id()
    with contextlib.suppress(RuntimeError), transaction(engine) as session:
        lost = storage.keyring(session, vault, organisation)
        raise RuntimeError
    assert keyring(engine, vault, organisation) != lost


def test_two_organisations_share_nothing(engine: Engine, vault: Vault) -> None:
    one, two = keyring(engine, vault, new_id()), keyring(engine, vault, new_id())
    assert one.current.key_id != two.current.key_id
    assert one.current.secret != two.current.secret


def test_the_secret_is_sealed_by_the_data_key_and_that_by_the_master(engine: Engine, vault: Vault) -> None:
    organisation = new_id()
    secret = keyring(engine, vault, organisation).current.secret
    ((wrapped, sealed),) = rows(engine, "select wrapped, secret_sealed from organisation_key, store_key")
    data_key = base64.b64decode(vault.open(str(wrapped), f"organisation-key:{organisation}:1"))
    assert len(data_key) == 32
    assert Vault(data_key).open(str(sealed), f"store-key:{organisation}:1") == secret
    with pytest.raises(Unavailable):
        vault.open(str(sealed), f"store-key:{organisation}:1")


def test_a_row_that_was_moved_to_another_organisation_opens_nothing(engine: Engine, vault: Vault) -> None:
    one, two = new_id(), new_id()
    keyring(engine, vault, one)
    with engine.begin() as connection:
        for table in ("organisation_key", "store_key"):
            connection.execute(text(f"update {table} set organisation_id = :two"), {"two": two})
    with pytest.raises(Unavailable, match="vault_refused"):
        keyring(engine, vault, two)


def test_the_record_names_the_newest_key_that_the_store_is_known_to_hold(engine: Engine, vault: Vault) -> None:
    organisation = new_id()
    first = keyring(engine, vault, organisation)
    with transaction(engine) as session:
        storage.note_stored(session, organisation, first)
        storage.next_store_key(session, vault, organisation)
    ring = keyring(engine, vault, organisation)
    assert (ring.current, ring.all[0], len(ring.all), ring.rotating) == (first.current, first.current, 2, True)
    with transaction(engine) as session:
        storage.note_stored(session, organisation, ring)
    assert keyring(engine, vault, organisation).current == ring.all[1] == ring.stored().current


def legacy(engine: Engine, vault: Vault, organisation: UUID) -> None:
    """A key from before secrets were random: it only derives, as the key of the record did."""
    key = vault.seal(base64.b64encode(vault.derive("audit")).decode(), "audit-key")
    with engine.begin() as connection:
        connection.execute(text("insert into audit_key (one, key_sealed) values (true, :key)"), {"key": key})
        connection.execute(
            text("insert into store_key (organisation_id, version, key_id, state) values (:o, 1, 'PVOLD', 'current')"),
            {"o": organisation},
        )


@pytest.mark.parametrize("change", [storage.next_store_key, storage.next_data_key, storage.adopt])
def test_a_key_that_only_derives_is_sealed_by_whatever_touches_it_first(engine: Engine, vault: Vault, change) -> None:  # type: ignore[no-untyped-def]
    organisation = new_id()
    legacy(engine, vault, organisation)
    with transaction(engine) as session:
        assert storage.unadopted(session) == [organisation]
        change(session, vault, organisation)
        assert storage.unadopted(session) == []
    derived = vault.derive(f"store-key:{organisation}:1").hex()[:40]
    assert keyring(engine, vault, organisation).all[0] == storage.AccessKey("PVOLD", derived)


def test_there_is_one_current_key_of_each_kind_whatever_happens(engine: Engine, vault: Vault) -> None:
    organisation = new_id()
    keyring(engine, vault, organisation)
    for table, values in (
        ("store_key", "organisation_id, 9, 'PVX', 'x', 'current' from store_key"),
        ("organisation_key", "organisation_id, 9, 'x' from organisation_key"),
    ):
        columns = (
            "organisation_id, version, key_id, secret_sealed, state"
            if table == "store_key"
            else ("organisation_id, version, wrapped")
        )
        with pytest.raises(Exception, match="current"):
            rows(engine, f"insert into {table} ({columns}) select {values} returning 1")


def test_many_at_once_make_one_set_of_keys(engine: Engine, vault: Vault) -> None:
    """Under the lock of the organisation's row, as the loop does it."""
    organisation, found = new_id(), []

    def ask() -> None:
        with transaction(engine) as session:
            session.execute(text("select pg_advisory_xact_lock(7)"))
            found.append(storage.keyring(session, vault, organisation))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert all(ring == found[0] for ring in found)


def test_an_organisation_that_leaves_without_keys_gets_one_that_nobody_keeps(engine: Engine, vault: Vault) -> None:
    organisation = new_id()
    with transaction(engine) as session:
        one, two = (storage.leaving(session, vault, organisation) for _ in range(2))
    assert one.current.key_id != two.current.key_id
    assert rows(engine, "select 1 from store_key union all select 1 from organisation_key") == []
    kept = keyring(engine, vault, organisation)
    with transaction(engine) as session:
        assert storage.leaving(session, vault, organisation) == kept


def test_destroyed_keys_leave_their_rows_and_nothing_else(engine: Engine, vault: Vault) -> None:
    organisation = new_id()
    before = keyring(engine, vault, organisation, tenant=True)
    with transaction(engine) as session:
        storage.next_data_key(session, vault, organisation)
        assert storage.destroy(session, organisation) == [1, 2]
        assert storage.destroy(session, organisation) == []
    assert rows(engine, "select version, wrapped from organisation_key order by version") == [(1, None), (2, None)]
    assert rows(engine, "select state, secret_sealed from store_key") == [("gone", None)]
    with transaction(engine) as session:
        assert {key.state for key in storage.keys_of(session, organisation).data} == {"destroyed"}
    after = keyring(engine, vault, organisation, tenant=True)
    assert after.data_key == f"pv-{organisation.hex}-3"
    assert not set(after.data_keys.values()) & set(before.data_keys.values())


def test_a_key_is_destroyed_or_whole_and_nothing_between(engine: Engine, vault: Vault) -> None:
    keyring(engine, vault, new_id())
    with pytest.raises(Exception, match="ck_organisation_key_destroyed"):
        rows(engine, "update organisation_key set wrapped = null returning 1")


def test_what_the_record_carries_opens_by_the_cells_key_only_and_tells_drift(engine: Engine, vault: Vault) -> None:
    organisation, seals = new_id(), Vault(b"c" * 32)
    ring = keyring(engine, vault, organisation, tenant=True)
    record = storage.record_of_store(seals, organisation, ring)
    assert record == storage.record_of_store(seals, organisation, ring)
    bucket, name = f"org-{organisation.hex}", f"pv-{organisation.hex}-1"
    assert (record["bucket"], record["key_id"], record["data_key"]) == (bucket, ring.current.key_id, name)
    assert seals.open(record["secret_sealed"], f"store:{bucket}") == ring.current.secret
    assert base64.b64decode(seals.open(record["data_keys_sealed"][name], f"data-key:{name}")) == ring.data_keys[name]
    with transaction(engine) as session:
        data_key = Chest.open(session, vault, organisation).living_data[0]
        assert ring.data_keys[name] == storage.file_key(Chest.open(session, vault, organisation).unwrapped(data_key))


def test_the_oldest_keys_rotate_first(engine: Engine, vault: Vault) -> None:
    ids = [new_id() for _ in range(3)]
    with transaction(engine) as session:
        for number, one in enumerate(ids):
            ring = storage.keyring(session, vault, one)
            storage.note_stored(session, one, ring)
            session.execute(
                text("update store_key set created_at = now() - make_interval(days => :d) where organisation_id = :o"),
                {"d": 100 - number * 20, "o": one},
            )
    with transaction(engine) as session:
        assert storage.aged(session, 70) == ids[:2]
        assert storage.aged(session, 70, limit=1) == ids[:1]
