"""A store behind TLS, with an authority of its own, is mirrored like any other; an unknown authority is refused."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import obstore
import pytest
from obstore.store import S3Store
from sqlalchemy import Engine

from control_plane.storage import AccessKey, CephObjectStore
from tests.mirror.town import Org, Town, open_town

if TYPE_CHECKING:
    from tests.world.ceph import RunningCeph

MIB = 1024 * 1024


@pytest.fixture
def tls_town(engine: Engine, ceph_tls: "RunningCeph", backup: "RunningCeph", backup_key: AccessKey) -> Iterator[Town]:
    admin = AccessKey(ceph_tls.admin_key_id, ceph_tls.admin_secret)
    store = CephObjectStore.at(ceph_tls.endpoint, admin, ca_file=ceph_tls.ca_file)
    yield open_town(engine, store, ceph_tls.cluster.store_settings(), backup.endpoint, backup_key)
    store.close()


def over_tls(town: Town, org: Org, ceph: "RunningCeph") -> S3Store:
    assert ceph.ca_file is not None
    return S3Store(
        org.name,
        endpoint=town.endpoint,
        region="default",
        access_key_id=org.key.key_id,
        secret_access_key=org.key.secret,
        client_options={"root_certificate": ceph.ca_file.read_bytes()},
    )


def test_a_store_behind_tls_is_mirrored_and_restored(tls_town: Town, ceph_tls: "RunningCeph") -> None:
    org = tls_town.organisation()
    inside = over_tls(tls_town, org, ceph_tls)
    small, large = org.put(b"", os.urandom(9 * MIB), into=inside)
    assert tls_town.settle(org).objects == 2
    body = bytes(obstore.get(inside, large).bytes())
    assert bytes(obstore.get(org.mirror, large).bytes()) == body
    org.delete([small, large], of=inside)
    assert tls_town.restore(org).restored == 2
    assert bytes(obstore.get(inside, large).bytes()) == body


def test_the_control_without_its_authority_nobody_is_believed(tls_town: Town, ceph_tls: "RunningCeph") -> None:
    org = tls_town.organisation()
    org.put(b"one", into=over_tls(tls_town, org, ceph_tls))
    tls_town.sql("update cell set store = store - 'ca_file'")
    assert tls_town.once(org).error_code == "store_unavailable"
