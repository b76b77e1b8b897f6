"""Every hostile response is refused, and by the check that is there for it."""

import contextlib

import pytest

from kit.checking import Check
from kit.errors import Refusal
from kit.saml.words import WORDS
from tests.saml.corpus import corpus
from tests.saml.forge import checked
from tests.saml.hostile import Hostile
from tests.saml.naive import naive_subject

CORPUS = corpus()


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.title)
def test_a_hostile_response_is_refused_by_the_check_expected(case: Hostile) -> None:
    trail: list[Check] = []
    with pytest.raises(Refusal) as refused:
        checked(case.make(), trail)
    assert refused.value.code.removeprefix("saml_") in case.checks
    assert [check.ok for check in trail] == [True] * (len(trail) - 1) + [False]
    assert f"saml_{trail[-1].name}" == refused.value.code
    assert "{" not in str(refused.value)


def test_there_are_enough_of_them_and_no_two_are_named_alike() -> None:
    assert len(CORPUS) >= 200
    assert len({case.title for case in CORPUS}) == len(CORPUS)
    assert {name for case in CORPUS for name in case.checks} <= set(WORDS)


def test_a_naive_checker_lets_a_good_part_of_them_in() -> None:
    """The control: the corpus is dangerous to those who check less."""
    accepted = dict.fromkeys(sorted({case.family for case in CORPUS}), 0)
    for case in CORPUS:
        with contextlib.suppress(Exception):
            naive_subject(case.make())
            accepted[case.family] += 1
    assert sum(accepted.values()) >= len(CORPUS) // 4, accepted
    deceived = {family for family, number in accepted.items() if number}
    assert {"wrapping", "cut short", "audience", "recipient", "request", "other provider", "document type"} <= deceived
