"""The fuzzer of responses, a process of its own, since libFuzzer ends it: `python -m tests.saml.fuzz --help`.

What stands after `--` is for libFuzzer: `-max_total_time=60`, a folder to keep what is new in, or files to try again.
"""

import argparse
import ast
import base64
import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import atheris

# Only what is imported here is watched: how it branches leads the fuzzer.
with atheris.instrument_imports(include=["kit.saml", "signxml"]):
    from kit.saml import check_response
    from tests.saml.careless import CARELESS
    from tests.saml.mutations import bytes_changed, grafted, tree_changed
    from tests.saml.seeds import fix, seeds
    from tests.saml.trial import HEAD, Trial
    from tests.saml.truth import Fact

LIMITS = ("-timeout=10", "-rss_limit_mb=1024", "-max_len=300000", "-keep_seed=1", "-print_final_stats=1")
EVERY = 500


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--core", default="ours", help="a checker of tests.saml.careless, to see it found out")
    parser.add_argument("--valid-only", action="store_true", help="begin with valid responses only")
    parser.add_argument("--answers", type=Path, help="write how often each answer came to this file")
    parser.add_argument("libfuzzer", nargs="*")
    given = parser.parse_args()
    fix()
    begun, known = seeds(hostile=not given.valid_only)
    folder = next((Path(one) for one in given.libfuzzer if Path(one).is_dir()), None)
    if folder is not None:
        for number, one in enumerate(begun):
            (folder / f"seed-{number:04}").write_bytes(one)
        known = remembered(known, folder.with_suffix(".known"))
    core = check_response if given.core == "ours" else CARELESS[given.core]
    attempt = counting(Trial(known, core).attempt, given.answers)
    atheris.Setup([sys.argv[0], *LIMITS, *given.libfuzzer], attempt, custom_mutator=mutated, custom_crossover=crossed)
    atheris.Fuzz()


def remembered(known: dict[str, set[Fact]], where: Path) -> dict[str, set[Fact]]:
    """Also what was signed in earlier runs: encryption differs each time, and its signatures are among the inputs."""
    earlier: dict[str, set[Fact]] = ast.literal_eval(where.read_text()) if where.exists() else {}
    where.write_text(repr(earlier | known))
    return earlier | known


def counting(attempt: Callable[[bytes], str], where: Path | None) -> Callable[[bytes], None]:
    answers: Counter[str] = Counter()

    def tried(data: bytes) -> None:
        answers[attempt(data)] += 1
        if where is not None and answers.total() % EVERY == 0:
            where.write_text("".join(f"{number} {name or 'no response'}\n" for name, number in answers.most_common()))

    return tried


def mutated(data: bytes, most: int, seed: int) -> bytes:
    """Mostly the tree is changed, before or after signing; sometimes the bytes, or what is signed and how."""
    draw = random.Random(seed)
    if len(data) <= HEAD:
        return bytes(atheris.Mutate(data, most))
    head, content, kind = data[:HEAD], data[HEAD:], draw.random()
    if kind < 0.1:
        return bytes([draw.randrange(8), draw.randrange(32)]) + data[2:]
    if kind < 0.3:
        return data[:2] + draw.randbytes(2) + content
    if kind < 0.45:
        return head + bytes(atheris.Mutate(content, most - HEAD))
    if kind < 0.55:
        return (head + bytes_changed(content, draw))[:most]
    return (head + _of_tree(content, draw))[:most]


def _of_tree(content: bytes, draw: random.Random) -> bytes:
    """What was posted is changed as the document that it is, if it is one."""
    try:
        if content[:1] == b"<":
            return tree_changed(content, draw)
        return base64.b64encode(tree_changed(base64.b64decode(content), draw))
    except (ValueError, SyntaxError):
        return bytes_changed(content, draw)


def crossed(one: bytes, other: bytes, most: int, seed: int) -> bytes:
    """A part of one message in another."""
    draw = random.Random(seed)
    try:
        return (one[:HEAD] + grafted(one[HEAD:], other[HEAD:], draw))[:most]
    except (ValueError, SyntaxError):
        at = draw.randint(0, len(one))
        return (one[:at] + other[draw.randint(0, len(other)) :])[:most]


if __name__ == "__main__":
    main()
