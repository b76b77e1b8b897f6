"""The store's limit lies a little above what was sold, and what was sold can be told from it."""

from hypothesis import given
from hypothesis import strategies as st

from control_plane.storage.allowance import KIB, hard_kib, sold_bytes

SOLD = st.integers(0, 2**60)


@given(SOLD)
def test_what_was_sold_is_told_from_the_limit_up_to_a_kib(sold: int) -> None:
    assert 0 <= sold_bytes(hard_kib(sold)) - sold < KIB


@given(SOLD)
def test_the_limit_is_a_twentieth_and_four_mib_higher(sold: int) -> None:
    room = hard_kib(sold) * KIB - sold
    assert 4 * KIB**2 + sold // 20 - KIB <= room <= 4 * KIB**2 + sold // 20 + 2 * KIB


@given(st.integers(0, 2**50))
def test_a_limit_set_by_hand_is_never_told_as_more_than_it_is(hard: int) -> None:
    assert sold_bytes(hard) <= hard * KIB
