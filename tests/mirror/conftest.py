"""A store and its mirror, both real."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine

from control_plane.storage import AccessKey, CephObjectStore, FileObjectStore
from tests.filestore.gateway import running_gateway
from tests.mirror.town import Town, backup_user, open_town
from tests.world.ceph import running_ceph

if TYPE_CHECKING:
    from tests.world.ceph import RunningCeph


@pytest.fixture(scope="package")
def backup(world_folder: Path) -> Iterator["RunningCeph"]:
    """The second cluster."""
    with running_ceph(world_folder / "ceph-backup") as running:
        yield running


@pytest.fixture(scope="package")
def backup_key(backup: "RunningCeph") -> AccessKey:
    """The key of the mirror's user there."""
    return backup_user(backup.endpoint, AccessKey(backup.admin_key_id, backup.admin_secret))


@pytest.fixture
def ceph_store(ceph: "RunningCeph") -> Iterator[CephObjectStore]:
    """The first cluster's administrator."""
    store = CephObjectStore.at(ceph.endpoint, AccessKey(ceph.admin_key_id, ceph.admin_secret))
    yield store
    store.close()


@pytest.fixture
def town(
    engine: Engine, ceph: "RunningCeph", ceph_store: CephObjectStore, backup: "RunningCeph", backup_key: AccessKey
) -> Town:
    """A cell on the session's Ceph, mirrored to the second one."""
    return open_town(engine, ceph_store, ceph.cluster.store_settings(), backup.endpoint, backup_key)


@pytest.fixture
def files_town(engine: Engine, tmp_path: Path, backup: "RunningCeph", backup_key: AccessKey) -> Iterator[Town]:
    """A cell on the embedded store of files, mirrored to the second cluster."""
    root = tmp_path / "store"
    with running_gateway(root) as gateway:
        settings = {"kind": "files", "root": str(root), "endpoint": gateway.url}
        yield open_town(engine, FileObjectStore.at(root), settings, backup.endpoint, backup_key)
