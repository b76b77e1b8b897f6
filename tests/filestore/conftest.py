"""A gateway for the tests of the embedded store; each test has a bucket of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.filestore.gateway import RunningGateway, running_gateway
from tests.filestore.tenants import Tenant, new_tenant


@pytest.fixture(scope="package")
def gateway(world_folder: Path) -> Iterator[RunningGateway]:
    """A running gateway, shared. Who kills one takes one of his own (`running_gateway`)."""
    with running_gateway(world_folder / "filestore") as running:
        yield running


@pytest.fixture
def new(gateway: RunningGateway) -> Callable[..., Tenant]:
    """Makes tenants of the shared gateway."""
    return lambda **options: new_tenant(gateway, **options)


@pytest.fixture
def tenant(new: Callable[..., Tenant]) -> Tenant:
    """A tenant with a bucket without limit."""
    return new()
