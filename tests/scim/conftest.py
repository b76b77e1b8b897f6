"""A directory for tests that only look, or undo what they do."""

import pytest

from tests.scim.directories import Directory, opened
from tests.workspace.fixtures import house  # noqa: F401 - pytest finds it here
from tests.workspace.houses import House


@pytest.fixture(scope="module")
def shared(house: House) -> Directory:  # noqa: F811
    """One workspace for all tests of a module."""
    return opened(house)
