"""A mirror gets everything that the store has, keeps what was deleted for a while, and knows how far behind it is."""

import os

import pytest

from tests.mirror.town import Town, keys_in

MIB = 1024 * 1024


@pytest.mark.parametrize("of", ["town", "files_town"])
def test_what_is_in_the_store_comes_into_the_mirror_and_only_what_is_new_later(
    request: pytest.FixtureRequest, of: str
) -> None:
    town: Town = request.getfixturevalue(of)
    org = town.organisation()
    org.put(b"", b"a", os.urandom(8 * MIB), os.urandom(8 * MIB + 1), os.urandom(20 * MIB))
    first = town.settle(org)
    assert org.same()
    assert (first.state, first.copied, first.objects, first.missing) == ("whole", 5, 5, 0)
    assert first.bytes == first.copied_bytes == 36 * MIB + 2
    new = org.put(b"later")
    assert org.lacking == set(new)
    second = town.settle(org)
    assert (second.copied, second.objects) == (1, 6)
    assert org.same()
    assert first.whole_at is not None
    assert second.whole_at is not None
    assert first.whole_at < second.whole_at
    third = town.settle(org)
    assert (third.copied, third.objects) == (0, 6)
    assert keys_in(org.mirror) == keys_in(org.store)
