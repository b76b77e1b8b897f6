"""Passwords: how they are kept (argon2id), and which are refused."""

import itertools
import threading
import unicodedata
from collections.abc import Iterator

from anyio import to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from kit.credentials.common import RUNS, WORDS
from kit.errors import Refusal

LEAST = 12
MOST = 256
# What must stay once everything that is tried first has been taken away.
LEAST_OWN = 5
LEAST_DIFFERENT = 6
RUN = 4
USUAL_SIGNS = 6

# 46 MiB and two passes: more than OWASP's least, about 60 ms of one core. Few at a time, or sign-ins eat the memory.
_hasher = PasswordHasher(time_cost=2, memory_cost=47104, parallelism=1, hash_len=32, salt_len=16)
_turn = threading.BoundedSemaphore(4)
_SUBSTITUTES = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i"})
# Nobody's password: an unknown account costs the same time as a known one.
_decoy: list[str] = []


def _normal(password: str) -> bytes:
    # The same password typed on another keyboard may come in another form of Unicode.
    return unicodedata.normalize("NFKC", password[:MOST]).encode("utf-8", "surrogatepass")


def hash_password(password: str) -> str:
    """The hash to store, with its salt and cost inside. Takes about 60 ms of processor: never on an event loop."""
    with _turn:
        return _hasher.hash(_normal(password))


def verify_password(stored: str | None, password: str) -> bool:
    """Whether `password` is the one behind `stored`. Nothing stored is false, after as much work."""
    if stored is None:
        if not _decoy:
            _decoy.append(hash_password("nobody"))
        _matches(_decoy[0], password)
        return False
    return _matches(stored, password)


def _matches(stored: str, password: str) -> bool:
    with _turn:
        try:
            return _hasher.verify(stored, _normal(password))
        except (VerificationError, InvalidHashError):
            return False


def needs_rehash(stored: str) -> bool:
    """Whether the cost has risen since `stored` was made: hash anew at the next sign-in."""
    return _hasher.check_needs_rehash(stored)


async def hash_password_async(password: str) -> str:
    """`hash_password` in a thread, for asynchronous callers."""
    return await to_thread.run_sync(hash_password, password)


async def verify_password_async(stored: str | None, password: str) -> bool:
    """`verify_password` in a thread, for asynchronous callers."""
    return await to_thread.run_sync(verify_password, stored, password)


def check_password(
    password: str, *, email: str = "", name: str = "", organisation: str = "", field: str = "password"
) -> None:
    """Refuse what is short, common, a pattern, or made of the person's own e-mail, name or organisation."""
    if len(password) < LEAST:
        raise Refusal(
            "password_short",
            "Use at least {least} characters: a few unrelated words do well.",
            field=field,
            least=LEAST,
        )
    if len(password) > MOST:
        raise Refusal("password_long", "Use at most {most} characters.", field=field, most=MOST)
    folded = fold(password)
    if any(part in folded or part in folded.translate(_SUBSTITUTES) for part in _personal(email, name, organisation)):
        raise Refusal(
            "password_personal",
            "This password contains your name, e-mail or organisation, which are tried first. Choose something else.",
            field=field,
        )
    if _guessable(folded):
        raise Refusal(
            "password_common",
            "This password is among those that are tried first. A few unrelated words do better.",
            field=field,
        )


def fold(text: str) -> str:
    """Lower case, without accents or spaces."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c) and not c.isspace())


def _personal(email: str, name: str, organisation: str) -> Iterator[str]:
    local, _, domain = email.partition("@")
    whole = [local, domain.rpartition(".")[0], name, organisation]
    for text in whole:
        for word in [text, *_words(text)]:
            folded = fold(word)
            if len(folded) >= 4:
                yield folded


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text).split()


def _guessable(folded: str) -> bool:
    if len(set(folded)) < LEAST_DIFFERENT:
        return True
    return any(_own_part(text) < LEAST_OWN for text in (folded, folded.translate(_SUBSTITUTES)))


def _own_part(text: str) -> int:
    """How many letters stay without words, runs and repeats; digits and signs count beyond the few that all add."""
    for word in sorted(WORDS, key=len, reverse=True):
        text = text.replace(word, " ")
    for run in _runs():
        text = text.replace(run, " ")
    letters = "".join(c for c in text if c.isalpha())
    others = sum(1 for c in text if not c.isalpha() and not c.isspace())
    return sum(1 for _ in itertools.groupby(letters)) + max(0, others - USUAL_SIGNS)


def _runs() -> Iterator[str]:
    for whole in RUNS:
        for line in (whole, whole[::-1]):
            for size in range(len(line), RUN - 1, -1):
                for start in range(len(line) - size + 1):
                    yield line[start : start + size]
