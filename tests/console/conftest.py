from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.vault import Vault
from tests.world.console_door import ConsoleDoor, open_console
from tests.world.house import House, open_house


@pytest.fixture(scope="module")
def house(postgres: str, _template: str, vault: Vault) -> Iterator[House]:
    """Shared by a module: each test orders organisations of its own."""
    with open_house(postgres, _template, vault) as opened:
        yield opened


@pytest.fixture(scope="module")
def door(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleDoor]:
    """The public site with the console of that house, on a port of its own."""
    folder: Path = tmp_path_factory.mktemp("console")
    with open_console(house, folder) as opened:
        yield opened
