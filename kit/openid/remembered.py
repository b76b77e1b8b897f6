"""What is fetched when first needed, again when it is old, and kept for a day while fetching it anew fails."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from kit.errors import Refusal

T = TypeVar("T")
Clock = Callable[[], float]

FRESH_SECONDS = 3600.0
KEPT_SECONDS = 86400.0
# Whoever provokes a fetch (by a token with an unknown key, say) provokes no more than one in this time.
GAP_SECONDS = 60.0
# Where nothing is held yet, people wait: but not each of them for another five seconds.
FIRST_GAP_SECONDS = 3.0


class Remembered(Generic[T]):
    """One remembered value. Used by the tasks of one event loop."""

    def __init__(self, fetch: Callable[[], Awaitable[T]], clock: Clock = time.monotonic) -> None:
        self._fetch, self._clock = fetch, clock
        self._lock = asyncio.Lock()
        self._value: T | None = None
        self._fetched = self._tried = -KEPT_SECONDS
        self._failure: Refusal | None = None

    async def get(self) -> T:
        """The value, at most an hour old; at most a day if the other side is away."""
        if self._value is None or self._clock() - self._fetched > FRESH_SECONDS:
            await self._anew()
        return self._held()

    async def again(self) -> T:
        """The value as it is now, unless it was looked at just before."""
        await self._anew()
        return self._held()

    def _held(self) -> T:
        if self._value is not None and self._clock() - self._fetched <= KEPT_SECONDS:
            return self._value
        assert self._failure is not None
        raise self._failure

    async def _anew(self) -> None:
        async with self._lock:
            gap = FIRST_GAP_SECONDS if self._value is None else GAP_SECONDS
            if self._clock() - self._tried < gap:
                return
            self._tried = self._clock()
            try:
                self._value = await self._fetch()
            except Refusal as failure:
                self._failure = failure
            except BaseException:
                # Who waited for it went away: the next one begins anew.
                self._tried = -KEPT_SECONDS
                raise
            else:
                self._fetched = self._clock()
