"""Waits by condition. Their bound only ends what hangs: no slow or busy machine may reach it."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 90.0


def eventually(true: Callable[[], object], *, seconds: float = PATIENCE, pause: float = 0.02) -> None:
    """Wait until it is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(pause)


def stands(pid: int) -> bool:
    """Whether the process is stopped, by SIGSTOP."""
    return "\nState:\tT" in Path(f"/proc/{pid}/status").read_text()


def freeze(pid: int) -> None:
    """Stop a process, and wait until it stands: the signal alone only asks for it."""
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: stands(pid))
