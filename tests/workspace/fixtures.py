"""What the tests of a workspace's rooms share."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.workspace.houses import House, running_house
from tests.world.cells import prepared_cell
from tests.world.stores import Ceph, files_store


def opened(postgres: str, folder: Path, request: pytest.FixtureRequest, kind: str = "files") -> Iterator[House]:
    """A running tenant app over a store of this kind."""
    with ExitStack() as stack:
        if kind == "files":
            store = stack.enter_context(files_store(folder / "store"))
        else:
            running = request.getfixturevalue("ceph")
            store = Ceph(running.endpoint, running.admin_key_id, running.admin_secret)
        cell = stack.enter_context(prepared_cell(postgres))
        yield stack.enter_context(running_house(cell, folder, store))


@pytest.fixture(scope="package")
def house(postgres: str, world_folder: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    """A running tenant app, shared by the tests of a room: each orders workspaces of its own."""
    yield from opened(postgres, world_folder / f"house-{request.node.name.replace('/', '-')}", request)
