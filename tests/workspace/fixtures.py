"""What the tests of a workspace's rooms share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workspace.houses import House, running_house
from tests.world.cells import prepared_cell


@pytest.fixture(scope="package")
def house(postgres: str, world_folder: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    """A running tenant app, shared by the tests of a room: each orders workspaces of its own."""
    with (
        prepared_cell(postgres) as cell,
        running_house(cell, world_folder / f"house-{request.node.name.replace('/', '-')}") as made,
    ):
        yield made
