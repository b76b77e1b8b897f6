"""Each hostile, broken or confused provider is refused, by the check that is there for it."""

import asyncio
import unicodedata
from contextlib import suppress
from typing import Any

import pytest

from kit.checking import Check
from kit.errors import Refusal
from kit.interface import translator
from tests.openid.driving import FETCHER, HASTY, careless, sign_in
from tests.openid.hostile import HOSTILE, SLOW
from tests.openid.op import ACCESS, SECRET, Op, Scene


def refused(scene: Scene, trail: list[Check], fetcher: Any = FETCHER) -> Refusal:
    with pytest.raises(Refusal) as caught:
        asyncio.run(sign_in(scene, trail, fetcher))
    return caught.value


@pytest.mark.parametrize("name", [*HOSTILE, *SLOW])
def test_a_bad_provider_is_refused_by_the_check_that_is_there_for_it(op: Op, name: str) -> None:
    code, change = {**HOSTILE, **SLOW}[name]
    scene, trail = op.scene(), list[Check]()
    change(scene)
    refusal = refused(scene, trail, HASTY if name in SLOW else FETCHER)
    assert refusal.code == code, refusal
    # Where the sign-in had begun, its trace ends with the check that failed, and no check failed before.
    assert [check.ok for check in trail] == [True] * (len(trail) - 1) + [False] * bool(trail)
    if trail:
        assert trail[-1].name == code.removeprefix("oidc_")
    words = [str(refusal), translator("fr").words(refusal), *(f"{c.name} {c.seen} {c.wanted}" for c in trail)]
    for text in words:
        assert SECRET not in text
        assert ACCESS not in text
        assert len(text) < 600
        assert not {unicodedata.category(letter) for letter in text} & {"Cc", "Cs", "Zl", "Zp"}
    assert words[0] != words[1]


def test_the_corpus_is_as_large_as_it_was_promised() -> None:
    assert len(HOSTILE) >= 80


def test_the_control_a_careless_client_lets_a_good_part_of_them_in(op: Op) -> None:
    let_in = []
    for name, (_, change) in HOSTILE.items():
        scene = op.scene()
        change(scene)
        # Whatever stops it, it did not let anybody in.
        with suppress(Exception):
            careless(scene)
            let_in.append(name)
    print(f"a careless client lets {len(let_in)} of {len(HOSTILE)} in")
    assert len(let_in) >= len(HOSTILE) // 3
    assert {"unsigned", "another nonce", "for another application", "mixed up with another provider"} <= set(let_in)
