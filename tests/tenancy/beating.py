"""A process of its own that follows the directory and tells so."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

Follower = tuple["subprocess.Popen[str]", str]


@contextmanager
def follower(cell_file: Path) -> Iterator[Follower]:
    """A process that follows the directory, and the name it goes by."""
    command = [sys.executable, "-m", "tests.tenancy.follower", str(cell_file)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()
