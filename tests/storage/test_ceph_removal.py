"""Removing an organisation from Ceph: in bites, guarded, and never what is under retention."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest
import requests

from control_plane.storage import CephObjectStore, ceph, emptying
from kit.errors import Refusal, Unavailable
from tests.storage.stands import CephStand, Org, settle

LOCKED = {"x-amz-object-lock-mode": "COMPLIANCE", "x-amz-object-lock-retain-until-date": "2099-01-01T00:00:00Z"}


def fill(stand: CephStand, org: Org, objects: int) -> None:
    with requests.Session() as session, ThreadPoolExecutor(8) as pool:

        def put(_: int) -> int:
            url, headers = stand.signer(org.key).call("PUT", f"/{org.name}/{uuid4()}", {})
            return session.put(url, headers=headers, data=b"x", timeout=60).status_code

        assert set(pool.map(put, range(objects))) == {200}


def bites(store: CephObjectStore, org: Org) -> list[str]:
    """Remove as the loop does; what it was told on the way."""
    told = []
    while len(told) < 100:
        try:
            store.remove(org.name, org.name, org.key, 1)
        except Unavailable as unfinished:
            told.append(str(unfinished))
        else:
            return told
    raise AssertionError(told)


def test_three_thousand_objects_go_in_bites_and_nobody_writes_meanwhile(on_ceph: CephStand, org: Org) -> None:
    settle(on_ceph.store, org, quota=None)
    fill(on_ceph, org, 3000)
    late = on_ceph.signed(org, "PUT", f"/{org.name}/{uuid4()}")
    early = on_ceph.signed(org, "GET", f"/{org.name}/{uuid4()}")
    # Not the shortest go ends with nothing done.
    on_ceph.store.bite_seconds = 0.0
    with pytest.raises(Unavailable) as first:
        on_ceph.store.remove(org.name, org.name, org.key, 1)
    left = int(first.value.detail.split()[0])
    assert left == 3000 - emptying.AT_ONCE
    assert on_ceph.store.usage(org.name, org.name).objects == left

    # Between bites nobody writes, and nobody reads.
    assert requests.put(late, data=b"late", timeout=60).status_code == 403
    assert requests.get(early, timeout=60).status_code == 403
    told = bites(on_ceph.store, org)
    assert len(told) == left // emptying.AT_ONCE - 1
    assert all(words.startswith("removing: ") and words.endswith(" objects left") for words in told)
    assert org.name not in set().union(*on_ceph.store.inventory())
    assert not on_ceph.store.remove(org.name, org.name, org.key, 1)


def test_many_unfinished_uploads_go_too(on_ceph: CephStand, org: Org) -> None:
    settle(on_ceph.store, org)
    for _ in range(20):
        on_ceph.begin_upload(org)
    bites(on_ceph.store, org)
    assert on_ceph.done("GET", "bucket", uid=org.name) == []


@pytest.mark.parametrize("key", ["a b", "é/ü", "<x>&", "a+b", "a%20b", "line\nbreak", "\x01", "~"])
def test_an_object_of_any_name_goes(on_ceph: CephStand, org: Org, key: str) -> None:
    settle(on_ceph.store, org)
    assert on_ceph.call(org.key, "PUT", f"/{org.name}/{quote(key, safe='/~')}", body=b"x").status_code == 200
    assert bites(on_ceph.store, org) == []


def test_every_version_of_an_object_goes(on_ceph: CephStand, org: Org) -> None:
    settle(on_ceph.store, org)
    versioning = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    assert on_ceph.call(org.key, "PUT", f"/{org.name}", {"versioning": ""}, versioning).status_code == 200
    name = f"/{org.name}/{uuid4()}"
    for body in (b"one", b"two"):
        on_ceph.call(org.key, "PUT", name, body=body)
    on_ceph.call(org.key, "DELETE", name)
    assert bites(on_ceph.store, org) == []


@pytest.fixture
def locked(on_ceph: CephStand, org: Org) -> Org:
    """An organisation whose bucket locks objects; one of them is locked for decades."""
    on_ceph.store.ensure_account(org.name, org.keys, 1)
    headers = {"x-amz-bucket-object-lock-enabled": "true"}
    assert on_ceph.call(org.key, "PUT", f"/{org.name}", headers=headers).status_code == 200
    assert on_ceph.call(org.key, "PUT", f"/{org.name}/contract", body=b"kept", headers=LOCKED).status_code == 200
    return org


def test_an_object_under_retention_stays_and_is_named_as_the_reason(on_ceph: CephStand, locked: Org) -> None:
    on_ceph.put(locked)
    settle(on_ceph.store, locked, mode="suspended")
    for _ in range(2):
        with pytest.raises(Refusal, match="under retention"):
            on_ceph.store.remove(locked.name, locked.name, locked.key, 1)
    usage = on_ceph.store.usage(locked.name, locked.name)
    # What is not locked went; the account is closed as before, and nothing else changed.
    assert (usage.objects, usage.mode, usage.key_ids) == (1, "suspended", {locked.key.key_id})
    on_ceph.store.ensure_mode(locked.name, "open", 1)
    assert on_ceph.call(locked.key, "GET", f"/{locked.name}/contract").content == b"kept"


def test_the_control_purging_would_delete_what_is_under_retention(on_ceph: CephStand, locked: Org) -> None:
    """What the other way does, on an account of nobody: why it is never taken."""
    on_ceph.done("DELETE", "user", uid=locked.name, purge_data="true")
    assert on_ceph.admin("GET", "bucket", bucket=locked.name).status_code == 404


def test_neither_dangerous_call_stands_anywhere_in_the_room() -> None:
    source = "".join(path.read_text() for path in Path(str(ceph.__file__)).parent.glob("*.py"))
    assert "purge" in source.lower()  # in words of warning
    for call in ("purge_data", "purge-data", "purge_objects", '"usage"'):
        assert call not in source
