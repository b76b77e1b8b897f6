"""A second look at tests that failed beside others: `python -m tests.world.second_look FILE`.

`make test` writes what failed to the file that PARVIS_TESTS_FAILED names. Who passes three times in a row, alone, was
failed by the load of the machine, and is reported as unsteady; the rooms of `JUDGED_ONCE` get no second look. See
docs/decisions/0069.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

VARIABLE = "PARVIS_TESTS_FAILED"
TIMES = 3
# More than so many are no chance.
MOST = 3
# Where one failure in a thousand runs is a finding, not noise.
JUDGED_ONCE = ("audit", "faults", "isolation", "keys", "matrix", "openid", "saml", "tenancy")


@dataclass(frozen=True)
class Failed:
    """What a run of all tests left: its exit status, and the names of those that failed."""

    status: int
    tests: tuple[str, ...]


def keep(terminal: pytest.TerminalReporter, status: int) -> None:
    """Write what failed to where it is asked for; nothing if it is not."""
    if path := os.environ.get(VARIABLE):
        reports = [*terminal.stats.get("failed", ()), *terminal.stats.get("error", ())]
        failed = Failed(int(status), tuple(sorted({report.nodeid for report in reports})))
        Path(path).write_text(json.dumps(asdict(failed)))


def refusal(failed: Failed) -> str | None:
    """Why these get no second look; None if they do."""
    if failed.status != pytest.ExitCode.TESTS_FAILED or not failed.tests:
        return "the run did not come to its end"
    if len(failed.tests) > MOST:
        return f"{len(failed.tests)} tests failed, more than {MOST}"
    for test in failed.tests:
        if test.startswith(tuple(f"tests/{room}/" for room in JUDGED_ONCE)):
            return f"{test} is judged once"
    return None


def look_again(failed: Failed, passes: Callable[[tuple[str, ...]], bool]) -> bool:
    """Whether all of them pass each time. `passes` runs tests and tells whether all of them passed."""
    if reason := refusal(failed):
        print(f"No second look: {reason}.")
        return False
    return all(passes(failed.tests) for _ in range(TIMES))


def run_alone(tests: tuple[str, ...]) -> bool:
    """Run tests in one process, with nothing beside them."""
    return subprocess.run([sys.executable, "-m", "pytest", *tests], check=False).returncode == 0


def main(path: str) -> int:
    try:
        found = json.loads(Path(path).read_text())
    except FileNotFoundError:
        print("No second look: the run did not come to its end.")
        return 1
    failed = Failed(found["status"], tuple(found["tests"]))
    if not look_again(failed, run_alone):
        return 1
    print(f"UNSTEADY: these failed beside others, and passed {TIMES} times alone. Their cause is to be found:")
    print("\n".join(f"  {test}" for test in failed.tests))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
