from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kit.vault import Vault
from tests.console.furnish import Furnished, furnish
from tests.world.console_door import ConsoleDoor, open_console
from tests.world.house import House, open_house
from tests.world.names import NameServer, name_server


@pytest.fixture(scope="module")
def house(postgres: str, _template: str, vault: Vault) -> Iterator[House]:
    """Shared by a module: each test orders organisations of its own."""
    with open_house(postgres, _template, vault) as opened:
        yield opened


@pytest.fixture(scope="module")
def servers() -> Iterator[list[NameServer]]:
    """Three real name servers, which the console's process asks."""
    with ExitStack() as stack:
        yield [stack.enter_context(name_server()) for _ in range(3)]


@pytest.fixture(scope="module")
def door(house: House, servers: list[NameServer], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleDoor]:
    """The public site with the console of that house, on a port of its own."""
    folder: Path = tmp_path_factory.mktemp("console")
    resolvers = ",".join("{}:{}".format(*server.resolver) for server in servers)
    with open_console(house, folder, PARVIS_DNS_RESOLVERS=resolvers, PARVIS_ALLOW_PRIVATE_FETCH="1") as opened:
        yield opened


@pytest.fixture(scope="module")
def furnished(door: ConsoleDoor) -> Furnished:
    """An organisation whose console has something to show on every page."""
    return furnish(door)
