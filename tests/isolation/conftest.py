from collections.abc import Iterator

import pytest

from tests.world.cells import Cell, prepared_cell


@pytest.fixture(scope="module")
def cell(postgres: str) -> Iterator[Cell]:
    """A prepared cell database, shared by the tests of a module: each takes organisations of its own."""
    with prepared_cell(postgres) as made:
        yield made
