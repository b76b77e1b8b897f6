"""What the fuzzer begins with: the responses of the tests, and keys and a moment that are the same in each run."""

import datetime as dt
import math
import random
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree

from tests.saml.corpus import corpus
from tests.saml.forge import Given
from tests.saml.marks import WITNESSES
from tests.saml.said import DS, NS, PLAY
from tests.saml.trial import Way, bare, made, true_signers
from tests.saml.truth import Fact, Truth
from tests.saml.valid import cases

MOMENT = dt.datetime(2026, 11, 2, 12, tzinfo=dt.UTC)
LARGEST = 64 * 1024
SMALL_PRIMES = math.prod(n for n in range(3, 2000) if all(n % d for d in range(2, math.isqrt(n) + 1)))


def fix() -> None:
    """From here on, the same keys and the same moment as in any other run."""
    PLAY.key, PLAY.moment = fixed_key, MOMENT


def fixed_key(name: str) -> Any:
    """A key that follows from its name; good for tests only."""
    draw = random.Random(name)
    if name.startswith("ec"):
        return ec.derive_private_key(draw.getrandbits(255) + 1, ec.SECP256R1())
    p, q = _prime(draw), _prime(draw)
    e, d = 65537, pow(65537, -1, math.lcm(p - 1, q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), rsa.rsa_crt_iqmp(p, q), public)
    return numbers.private_key()


def _prime(draw: random.Random) -> int:
    while True:
        found = draw.getrandbits(1024) | 3 << 1022 | 1
        if math.gcd(found, SMALL_PRIMES) == 1 and found % 65537 != 1 and pow(2, found - 1, found) == 1:
            return found


def seeds(*, hostile: bool = True) -> tuple[list[bytes], dict[str, set[Fact]]]:
    """The inputs to begin with, and all that the true provider signed while they were made."""
    truth = Truth(true_signers())
    WITNESSES.append(truth)
    try:
        found = [one for case in cases() for one in _with_parts(case.make())]
        found += [_plain(case.make()) for case in corpus()] if hostile else []
    finally:
        WITNESSES.remove(truth)
    return [one for one in found if len(one) <= LARGEST], truth.facts


def _plain(given: Given) -> bytes:
    try:
        return made(Way.XML, bare(given.encoded), unasked=given.allow_unsolicited)
    except ValueError:
        return made(Way.TEXT, given.encoded.encode(), unasked=given.allow_unsolicited)


def _with_parts(given: Given) -> Iterator[bytes]:
    """As it is, as posted, and as something to be signed anew: in part, whole, sealed."""
    unasked = given.allow_unsolicited
    yield _plain(given)
    yield made(Way.TEXT, given.encoded.encode(), unasked=unasked)
    root: Any = etree.fromstring(bare(given.encoded))
    assertion = root.find("a:Assertion", NS)
    if assertion is None:
        return
    for signature in list(root.iter(f"{{{DS}}}Signature")):
        signature.getparent().remove(signature)
    for choices in range(4):
        yield made(Way.SIGNED, etree.tostring(root), choices, unasked=unasked)
    yield made(Way.SEALED, etree.tostring(assertion, with_tail=False), unasked=unasked)
