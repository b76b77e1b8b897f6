from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.vault import Vault
from tests.world.house import House, open_house
from tests.world.staff_door import Door, open_door


@pytest.fixture(scope="module")
def house(postgres: str, _template: str, vault: Vault) -> Iterator[House]:
    """Shared by a module: each test orders organisations of its own."""
    with open_house(postgres, _template, vault) as opened:
        yield opened


@pytest.fixture(scope="module")
def door(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The portal of that house on a port of its own."""
    folder: Path = tmp_path_factory.mktemp("door")
    with open_door(house, folder) as opened:
        yield opened
