"""Mutations of good responses: whatever breaks must break as a refusal, and nobody else may ever come out.

A thousand here; `make soak` lets a fuzzer look for longer, see test_fuzzer.
"""

import base64
import contextlib
import random
from collections.abc import Callable, Iterator

import pytest
from lxml import etree

from kit.errors import Refusal
from kit.saml import Assertion, check_logout_request, check_response, read_metadata
from tests.saml.careless import CARELESS, first_signature_wins, lets_errors_out, reads_unsigned_parts, takes_its_time
from tests.saml.entities import entity
from tests.saml.forge import Given, build, checked, encode
from tests.saml.hostile import assertion_of, evil
from tests.saml.logouts import form, now, query, request
from tests.saml.marks import Sealing
from tests.saml.mutations import bytes_changed, tree_changed
from tests.saml.said import ALICE, MALLORY, Said, idp, sp
from tests.saml.seeds import seeds
from tests.saml.trial import Core, Finding, Trial, Way, made
from tests.saml.truth import Fact

TRIES = 1000
PARTS, WHOLE = 0, 2


def good() -> list[bytes]:
    modes = ("response", "assertion", "both")
    found = [build(signed=mode) for mode in modes] + [build(signed="both", sealing=Sealing())]
    return [etree.tostring(root) for root in found]


def mutate(tries: int, seed: int) -> int:
    """How many of so many still let the same person in."""
    draw, begun, admitted = random.Random(seed), good(), 0
    for _ in range(tries):
        raw = draw.choice((bytes_changed, tree_changed))(draw.choice(begun), draw)
        try:
            assertion = checked(Given(encode(raw)))
        except Refusal:
            continue
        # What no signature covers may change; the person never.
        assert assertion.subject == ALICE, raw
        assert assertion.attributes == {"mail": ("alice@acme.test",), "groups": ("a", "b")}, raw
        admitted += 1
    return admitted


def test_mutations_never_make_somebody_else() -> None:
    assert mutate(TRIES, seed=7) < TRIES


@pytest.fixture(scope="module")
def begun() -> tuple[list[bytes], dict[str, set[Fact]]]:
    return seeds()


def test_what_the_fuzzer_begins_with_is_answered_as_it_must_be(begun: tuple[list[bytes], dict[str, set[Fact]]]) -> None:
    inputs, known = begun
    trial = Trial(known)
    answers = [trial.attempt(one) for one in inputs]
    assert answers.count("admitted") > 100
    assert len(set(answers)) > 30


def forged_before() -> bytes:
    """A forged assertion before the signed one."""
    root = build(signed="assertion")
    assertion_of(root).addprevious(evil(build(signed="none").find("{*}Assertion")))
    return made(Way.XML, etree.tostring(root))


def named_elsewhere() -> bytes:
    """Another name in a part of the response that nobody signed."""
    detail = f"<p:StatusDetail>{Said(subject=MALLORY).name_xml()}</p:StatusDetail></p:Status>"
    said = Said(status_xml=Said().status_xml.replace("</p:Status>", detail))
    return made(Way.SIGNED, said.xml().encode(), PARTS)


def many_values() -> bytes:
    said = Said(values={f"n{number}": ["x"] for number in range(32)})
    return made(Way.SIGNED, said.xml().encode(), WHOLE)


FLAWS: list[tuple[Core, Callable[[], bytes], str]] = [
    (first_signature_wins, forged_before, "never signed"),
    (reads_unsigned_parts, named_elsewhere, "never signed"),
    (lets_errors_out, lambda: made(Way.TEXT, b"QUJD"), "instead of a refusal"),
    (takes_its_time, many_values, "processor time"),
]


@pytest.mark.parametrize(("core", "make", "why"), FLAWS, ids=lambda given: getattr(given, "__name__", ""))
def test_a_flaw_is_a_finding_and_ours_has_it_not(core: Core, make: Callable[[], bytes], why: str) -> None:
    """The control: the fuzzer's judge knows each kind of flaw when it sees it."""
    with pytest.raises(Finding, match=why):
        Trial({}, core).attempt(make())
    Trial({}).attempt(make())


def test_every_flaw_is_among_them() -> None:
    assert {core.__name__ for core, _, _ in FLAWS} == set(CARELESS)


def test_what_the_provider_did_not_sign_is_a_finding_though_it_looks_good() -> None:
    """The control: without what was signed before, even a good response is one."""
    with pytest.raises(Finding, match="never signed"):
        Trial({}).attempt(made(Way.XML, good()[0]))


def test_what_comes_out_is_never_of_another_issuer() -> None:
    def careless(*given: object, **asked: object) -> Assertion:
        return next(elsewhere())

    def elsewhere() -> Iterator[Assertion]:
        assertion = checked(Given(encode(good()[0])))
        yield Assertion(**{**vars(assertion), "issuer": "https://evil.test/"})

    with pytest.raises(Finding):
        Trial({}, careless).attempt(made(Way.SIGNED, Said().xml().encode(), WHOLE))
    assert Trial({}, check_response).attempt(made(Way.SIGNED, Said().xml().encode(), WHOLE)) == "admitted"


def entrances() -> dict[str, tuple[bytes, Callable[[bytes], object]]]:
    """Everything else that reads what strangers send."""
    asked = query(request())
    posted = base64.b64decode(form(request())["SAMLRequest"])
    return {
        "metadata": (entity(), read_metadata),
        "logout by redirect": (
            asked.encode(),
            lambda raw: check_logout_request(sp(), idp(), query=raw.decode("latin-1"), now=now()),
        ),
        "logout by form": (
            posted,
            lambda raw: check_logout_request(sp(), idp(), form={"SAMLRequest": encode(raw)}, now=now()),
        ),
        "encoding": (
            encode(good()[0]).encode(),
            lambda raw: checked(Given(raw.decode("latin-1"))),
        ),
    }


@pytest.mark.parametrize("name", ["metadata", "logout by redirect", "logout by form", "encoding"])
def test_every_other_entrance_answers_with_a_refusal(name: str) -> None:
    raw, read = entrances()[name]
    draw = random.Random(11)
    for _ in range(400):
        with contextlib.suppress(Refusal):
            read(bytes_changed(raw, draw))
