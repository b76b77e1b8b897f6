"""The stores under test."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.storage.stands import CephStand, FilesStand, Org, Stand, ceph_stand, files_stand
from tests.world.ceph import running_ceph

if TYPE_CHECKING:
    from tests.world.ceph import RunningCeph


@pytest.fixture
def on_ceph(ceph: "RunningCeph") -> Iterator[CephStand]:
    """The session's Ceph, with a store of one's own on its first gateway."""
    with ceph_stand(ceph.endpoint, ceph.admin_key_id, ceph.admin_secret) as stand:
        yield stand


@pytest.fixture(scope="package")
def broken_ceph(world_folder: Path) -> Iterator["RunningCeph"]:
    """A cluster with one gateway, for tests that break it and leave it running."""
    with running_ceph(world_folder / "ceph-broken") as running:
        yield running


@pytest.fixture(scope="package")
def on_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilesStand]:
    """An embedded store behind its gateway."""
    with files_stand(tmp_path_factory.mktemp("embedded") / "store") as made:
        yield made


@pytest.fixture(params=["files", "ceph"])
def stand(request: pytest.FixtureRequest) -> Stand:
    """One store after the other: what holds, holds for both."""
    found: Stand = request.getfixturevalue(f"on_{request.param}")
    return found


@pytest.fixture
def org() -> Org:
    return Org()
