"""The fuzzer (atheris, which is libFuzzer) on the entry point of SAML, and on checkers with a flaw that it must find.

FUZZ_MINUTES says for how long (10 unless told otherwise), FUZZ_CORPUS a folder where what it learned is kept for the
next run. What it finds stands in the message, and becomes a case of one of the families in tests/saml/corpus.
"""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.saml.careless import CARELESS

ROOT = Path(__file__).resolve().parents[2]
MINUTES = float(os.environ.get("FUZZ_MINUTES", "10"))
# A control ends as soon as it has found.
CONTROL_SECONDS, SPARE = 900, 600
MISSING = (
    "NOT TESTED: no fuzzer looked at SAML, because atheris is not installed. `make soak` installs it where it "
    "has a wheel: Linux on x86_64 with CPython 3.11 to 3.13."
)
FOUND = 77
pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(max(MINUTES * 60, CONTROL_SECONDS) + SPARE),
]


@pytest.fixture(autouse=True)
def _atheris() -> None:
    """Without it a test skips with the reason, and fails where CI=true."""
    if importlib.util.find_spec("atheris") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(MISSING)


def fuzz(folder: Path, seconds: float, *given: str) -> "subprocess.CompletedProcess[str]":
    """Let it look; it ends at the first finding, which it leaves in `folder`."""
    kept = Path(os.environ.get("FUZZ_CORPUS", folder / "kept")) if not given else folder / "kept"
    kept.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.saml.fuzz", "--answers", str(folder / "answers"), *given, "--"]
    command += [f"-max_total_time={seconds:.0f}", f"-artifact_prefix={folder}/", str(kept)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)


def test_the_fuzzer_finds_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = fuzz(tmp_path, MINUTES * 60)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    answers = (tmp_path / "answers").read_text()
    assert "admitted" in answers
    with capsys.disabled():
        found = re.findall(r"cov: \d+ ft: \d+ corp: \S+|Done \d+ runs.*", done.stderr)
        print(f"\nSAML, {found[-1]}, {found[-2]}; answers:\n{answers}")


@pytest.mark.parametrize("flaw", CARELESS)
def test_the_fuzzer_finds_a_flaw_from_valid_responses_alone(flaw: str, tmp_path: Path) -> None:
    """The control: without a look at our own hostile ones, it finds what a careless checker does."""
    done = fuzz(tmp_path, CONTROL_SECONDS, "--valid-only", "--core", flaw)
    assert done.returncode == FOUND, done.stderr[-5000:]
    assert "Finding" in done.stdout + done.stderr
    assert list(tmp_path.glob("crash-*"))
