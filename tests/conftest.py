"""The world of the tests: PostgreSQL, Valkey, the browser and the whole product are real."""

import itertools
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import Engine, NullPool, create_engine
from sqlalchemy.orm import Session

from kit.celery import make_app
from kit.db import open_engine
from kit.vault import Vault
from migrations.control_plane import upgrade
from tests.world import ceph as clusters
from tests.world import chromium as browsers
from tests.world import second_look, simplesaml
from tests.world.product import Product, running_product
from tests.world.servers import (
    Server,
    create_database,
    drop_database,
    postgres_server,
    valkey_server,
)

TEMPLATE = "parvis_template"
# Everywhere as on a CI server: the same examples each time, and no deadline that a busy machine misses.
settings.load_profile("ci")
# Folders whose files take longest: a long file that came last would let the other worker wait for its end.
LONG = ("journeys", "mirror", "embedded", "drive", "storage", "faults", "scim", "contract", "provisioning", "worker")
_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {folder: rank for rank, folder in enumerate(LONG)}
    items.sort(key=lambda item: ranks.get(item.path.parent.name, len(LONG)))


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """What a test or the code under it sets on loggers ends with it: the next one's log is whole."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {logger: logger.level for logger in root.manager.loggerDict.values() if isinstance(logger, logging.Logger)}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for logger in root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger) and logger.level != (before := levels.get(logger, logging.NOTSET)):
            logger.setLevel(before)


@pytest.fixture(scope="session")
def world_folder() -> Iterator[Path]:
    """A folder for the servers' data that the unprivileged user of PostgreSQL can reach."""
    folder = Path(tempfile.mkdtemp(prefix="parvis-tests-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_running(world_folder: Path) -> Iterator[Server]:
    """The session's PostgreSQL with its process. Whoever kills it takes one of his own (`postgres_server`)."""
    with postgres_server(world_folder) as server:
        yield server


@pytest.fixture(scope="session")
def postgres(postgres_running: Server) -> str:
    """The superuser's address of the session's PostgreSQL 18."""
    return postgres_running.url


@pytest.fixture(scope="session")
def _template(postgres: str) -> str:
    url = create_database(postgres, TEMPLATE)
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=NullPool)
    upgrade(engine)
    engine.dispose()
    return TEMPLATE


@pytest.fixture
def control_url(postgres: str, _template: str) -> Iterator[str]:
    """A fresh, migrated control-plane database."""
    name = f"control_{os.getpid()}_{next(_numbers)}"
    yield create_database(postgres, name, _template)
    drop_database(postgres, name)


@pytest.fixture
def engine(control_url: str, vault: Vault) -> Iterator[Engine]:
    """An engine on a fresh control-plane database."""
    made = open_engine(control_url, vault=vault)
    yield made
    made.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session on a fresh control-plane database; a test may commit, what it leaves open is rolled back."""
    with Session(engine, expire_on_commit=False) as made:
        yield made


@pytest.fixture
def cell_url(postgres: str) -> Iterator[str]:
    """The superuser's address of a fresh, empty database for a cell. The cluster's roles may exist already."""
    name = f"cell_{os.getpid()}_{next(_numbers)}"
    yield create_database(postgres, name)
    drop_database(postgres, name)


@pytest.fixture(scope="session")
def vault() -> Vault:
    return Vault(bytes(range(32)))


@pytest.fixture(scope="session")
def _valkey(world_folder: Path) -> Iterator[str]:
    with valkey_server(world_folder) as (url, _):
        yield url


@pytest.fixture
def broker_url(_valkey: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty broker, which `kit.celery.ring` uses too."""
    with make_app(_valkey).connection_for_write() as connection:
        connection.default_channel.client.flushall()
    monkeypatch.setenv("PARVIS_BROKER_URL", _valkey)
    return _valkey


@pytest.fixture(scope="module")
def _chromium() -> Iterator[object]:
    # A module's, not the session's: while Playwright runs, its event loop is the thread's.
    with browsers.chromium() as running:
        yield running


@pytest.fixture
def browser(_chromium: object) -> Iterator[browsers.Browser]:
    """Opens pages in a real Chromium; the test fails if anything tried to leave the machine."""
    made = browsers.Browser(_chromium)  # type: ignore[arg-type]
    yield made
    made.close()
    assert made.left == [], f"requests left the machine: {made.left}"


@pytest.fixture(scope="session")
def product(world_folder: Path) -> Iterator[Product]:
    """The whole product as `parvis up` starts it. Shared: order organisations of one's own, and kill nothing."""
    with running_product(world_folder / "product") as running:
        yield running


@pytest.fixture(scope="session")
def ceph(world_folder: Path) -> Iterator[clusters.RunningCeph]:
    """A real Ceph with two gateways. Shared: whoever kills or freezes has one of his own (`running_ceph`)."""
    with clusters.running_ceph(world_folder / "ceph", gateways=2) as running:
        yield running


@pytest.fixture(scope="session")
def ceph_tls(world_folder: Path) -> Iterator[clusters.RunningCeph]:
    """A real Ceph whose one gateway speaks TLS only, with a certificate that `ca_file` signed."""
    with clusters.running_ceph(world_folder / "ceph-tls", tls=True) as running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    second_look.keep(terminalreporter, exitstatus)
    for reason in filter(None, (browsers.missing(), clusters.missing(), simplesaml.missing())):
        terminalreporter.write_line("")
        terminalreporter.write_line(reason, red=True, bold=True)
