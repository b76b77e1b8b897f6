"""The drive is tried on both stores: what a person sees is the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workspace.fixtures import opened
from tests.workspace.houses import House


@pytest.fixture(scope="package", params=["files", "ceph"])
def house(postgres: str, world_folder: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    """A running tenant app over this store, shared: each test orders workspaces of its own."""
    yield from opened(postgres, world_folder / f"house-drive-{request.param}", request, request.param)
