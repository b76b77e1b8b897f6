import asyncio
import time

import pytest

from kit.credentials import (
    check_password,
    hash_password,
    hash_password_async,
    needs_rehash,
    verify_password,
    verify_password_async,
)
from kit.errors import Refusal
from kit.interface import translator

GOOD = [
    "tondeuse nuage bleu 41",
    "bleu cheval tondeuse neige",
    "Kx9#mQ2$vLp7!z",
    "tournesol-gravier-41",
    "4821·7730·9914·2216",
]
GUESSABLE = [
    "password1234",
    "P@ssw0rd2024!",
    "Motdepasse2026!",
    "azertyuiop123",
    "qwertyuiop12!",
    "123456789012",
    "aaaaaaaaaaaaaaa",
    "abcabcabcabc",
    "Bienvenue2026!",
    "Soleil!Soleil!",
    "correct horse battery staple",
]


def code_of(password: str, **about: str) -> str | None:
    try:
        check_password(password, **about)
    except Refusal as refusal:
        return refusal.code if refusal.field == "password" and str(refusal) else "nothing to show"
    return None


@pytest.mark.parametrize("password", GOOD)
def test_a_few_unrelated_words_or_a_random_text_are_taken(password: str) -> None:
    assert code_of(password) is None


@pytest.mark.parametrize("password", GUESSABLE)
def test_what_guessers_try_first_is_refused(password: str) -> None:
    assert code_of(password) == "password_common"
    # The control: by its length alone each of them would pass.
    assert len(password) >= 12


def test_length_has_two_ends() -> None:
    assert code_of("Kx9#mQ2$vLp") == "password_short"
    assert code_of("x" * 257) == "password_long"


@pytest.mark.parametrize(
    ("password", "about"),
    [
        ("lea.wagner sur la lune", {"email": "lea.wagner@ostrane.fr"}),
        ("Ostrane-tondeuse-41", {"email": "lea.wagner@ostrane.fr"}),
        ("ma tondeuse Wàgner", {"name": "Léa Wagner"}),
        ("tondeuse à Sèvres 12", {"organisation": "Mairie de Sèvres"}),
        ("tondeuse w4gner neige", {"name": "Léa Wagner"}),
    ],
)
def test_nothing_of_the_person_may_stand_inside(password: str, about: dict[str, str]) -> None:
    assert code_of(password, **about) == "password_personal"
    assert code_of(password) is None


def test_every_refusal_has_french_words() -> None:
    for password, about in [
        ("court", {}),
        ("x" * 300, {}),
        (GUESSABLE[0], {}),
        ("wagner sur la lune", {"name": "Wagner"}),
    ]:
        with pytest.raises(Refusal) as refused:
            check_password(password, **about)
        assert translator("fr").words(refused.value) != str(refused.value)


def test_a_hash_is_argon2id_salted_and_never_the_password() -> None:
    first, second = hash_password("tondeuse nuage bleu"), hash_password("tondeuse nuage bleu")
    assert first.startswith("$argon2id$")
    assert first != second
    assert "tondeuse" not in first
    assert verify_password(first, "tondeuse nuage bleu")
    assert not verify_password(first, "tondeuse nuage vert")
    assert not needs_rehash(first)
    assert needs_rehash("$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43)


def test_the_same_password_from_another_keyboard_is_the_same() -> None:
    assert verify_password(hash_password("cafe\u0301 noir et chaud"), "caf\u00e9 noir et chaud")


def test_a_stored_text_that_is_no_hash_opens_nothing() -> None:
    assert not verify_password("", "")
    assert not verify_password("tondeuse", "tondeuse")


def test_nobody_takes_as_long_as_somebody() -> None:
    stored = hash_password("tondeuse nuage bleu")
    verify_password(None, "warm")

    def best(of: str | None) -> float:
        took = []
        for _ in range(3):
            began = time.process_time()
            assert not verify_password(of, "wrong")
            took.append(time.process_time() - began)
        return min(took)

    # Processor time, so that other work on the machine does not count; a shortcut would take a hundredth.
    assert best(None) > best(stored) / 4


def test_hashing_leaves_the_event_loop_free() -> None:
    async def both() -> int:
        ticks = 0
        work = asyncio.create_task(_round_trip())
        while not work.done():
            ticks += 1
            await asyncio.sleep(0.001)
        assert await work
        return ticks

    async def _round_trip() -> bool:
        return await verify_password_async(await hash_password_async("tondeuse nuage"), "tondeuse nuage")

    assert asyncio.run(both()) > 5
