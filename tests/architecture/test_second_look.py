"""A second look excuses the machine's load, and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.world import second_look
from tests.world.second_look import MOST, TIMES, VARIABLE, Failed

ROOT = Path(__file__).parents[2]
# Fails the first so many times, as the file beside it counts.
UNSTEADY = """
from pathlib import Path

def test_unsteady():
    count = Path(__file__).with_name("count")
    times = int(count.read_text()) if count.exists() else 0
    count.write_text(str(times + 1))
    assert times >= {failures}

def test_steady():
    pass
"""


def run_twice(folder: Path, failures: int) -> subprocess.CompletedProcess[str]:
    """Run a folder of tests, then look again, as `.ci/run` does."""
    (folder / "test_one.py").write_text(UNSTEADY.format(failures=failures))
    (folder / "conftest.py").write_text(
        "from tests.world import second_look\n"
        "def pytest_terminal_summary(terminalreporter, exitstatus):\n"
        "    second_look.keep(terminalreporter, exitstatus)\n"
    )
    (folder / "pytest.ini").write_text("[pytest]\n")
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), VARIABLE: str(folder / "failed")}
    first = subprocess.run(
        [sys.executable, "-m", "pytest"], cwd=folder, env=surroundings, capture_output=True, check=False
    )
    assert first.returncode == 1
    return subprocess.run(
        [sys.executable, "-m", "tests.world.second_look", str(folder / "failed")],
        cwd=folder,
        env=surroundings,
        capture_output=True,
        check=False,
        text=True,
    )


def test_who_passes_alone_is_named_as_unsteady(tmp_path: Path) -> None:
    ended = run_twice(tmp_path, failures=1)
    assert ended.returncode == 0
    assert ended.stdout.endswith("Their cause is to be found:\n  test_one.py::test_unsteady\n")
    assert (tmp_path / "count").read_text() == str(1 + TIMES)


def test_who_fails_again_fails_the_run(tmp_path: Path) -> None:
    assert run_twice(tmp_path, failures=2).returncode == 1
    assert (tmp_path / "count").read_text() == "2"


def test_one_failure_in_three_is_a_failure() -> None:
    answers = iter([True, True, False])
    assert not second_look.look_again(Failed(1, ("tests/portal/test_a.py::test_a",)), lambda _: next(answers))


@pytest.mark.parametrize(
    ("failed", "reason"),
    [
        (Failed(1, tuple(f"tests/portal/test_a.py::test_{n}" for n in range(MOST + 1))), "more than 3"),
        (Failed(1, ("tests/portal/test_a.py::test_a", "tests/isolation/test_a.py::test_a")), "judged once"),
        (Failed(2, ("tests/portal/test_a.py::test_a",)), "did not come to its end"),
        (Failed(1, ()), "did not come to its end"),
    ],
)
def test_no_second_look(failed: Failed, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert not second_look.look_again(failed, lambda _: True)
    assert reason in capsys.readouterr().out


def test_a_run_that_left_no_word_gets_none(tmp_path: Path) -> None:
    assert second_look.main(str(tmp_path / "nothing")) == 1
    (tmp_path / "failed").write_text(json.dumps({"status": 3, "tests": []}))
    assert second_look.main(str(tmp_path / "failed")) == 1


def test_the_rooms_that_are_judged_once_are_there() -> None:
    assert [room for room in second_look.JUDGED_ONCE if not (ROOT / "tests" / room).is_dir()] == []
