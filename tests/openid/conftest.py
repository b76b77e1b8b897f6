from collections.abc import Iterator

import pytest

from tests.openid.op import Op, running_op


@pytest.fixture(scope="module")
def op() -> Iterator[Op]:
    with running_op() as running:
        yield running
