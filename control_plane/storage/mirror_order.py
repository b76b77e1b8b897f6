"""Work by a few threads whose results come in the order of the items, so that a cursor says how far it is."""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

THREADS = 8
# A large item at the head lets so many others pass by, and no more.
AHEAD = 48
TICK_SECONDS = 0.2


def in_order(
    items: Iterable[T], work: Callable[[T, threading.Event], R], until: float, tick: Callable[[], None]
) -> Generator[tuple[T, R], None, None]:
    """Each item with its result. After `until` (monotonic) none but the first is begun; those begun are waited for.

    So however short the time is, and however slow the machine, something is done in it.

    `tick` is called now and then; what it raises, or who closes the iterator, sets the event that the work watches.
    """
    halt = threading.Event()
    waiting: deque[tuple[T, Future[R]]] = deque()
    left = iter(items)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="mirror") as pool:
        try:
            for one in islice(left, 1):
                waiting.append((one, pool.submit(work, one, halt)))
            while True:
                _fill(waiting, left, until, lambda one: pool.submit(work, one, halt))
                if not waiting:
                    return
                one, future = waiting[0]
                if wait([future], timeout=TICK_SECONDS).done:
                    waiting.popleft()
                    yield one, future.result()
                tick()
        except BaseException:
            halt.set()
            for _, future in waiting:
                future.cancel()
            raise


def _fill(
    waiting: "deque[tuple[T, Future[R]]]", left: Iterator[T], until: float, begin: Callable[[T], "Future[R]"]
) -> None:
    while len(waiting) < AHEAD and time.monotonic() < until:
        try:
            one = next(left)
        except StopIteration:
            return
        waiting.append((one, begin(one)))
