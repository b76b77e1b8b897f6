from collections.abc import Iterator

import pytest

from kit.vault import Vault
from tests.world.house import House, open_house


@pytest.fixture(scope="module")
def house(postgres: str, _template: str, vault: Vault) -> Iterator[House]:
    """Shared by a module: each test orders organisations of its own."""
    with open_house(postgres, _template, vault) as opened:
        yield opened
