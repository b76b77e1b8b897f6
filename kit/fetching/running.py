"""One event loop in the background, for synchronous callers of what is asynchronous."""

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loops: dict[int, asyncio.AbstractEventLoop] = {}


def _loop() -> asyncio.AbstractEventLoop:
    # By process: a forked child inherits the loop but not the thread that runs it.
    with _lock:
        loop = _loops.get(os.getpid())
        if loop is None:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="fetching", daemon=True).start()
            _loops[os.getpid()] = loop
    return loop


def run_now(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, waited for in this thread. Never call it inside an event loop's own code."""
    return asyncio.run_coroutine_threadsafe(work, _loop()).result()
