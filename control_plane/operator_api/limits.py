"""How much one token may ask: a bucket of requests that refills. Kept in the process; see docs/decisions."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from kit.errors import Refusal

REMEMBERED = 10_000


@dataclass(frozen=True)
class Allowance:
    """What is left of a token's bucket; `reset` is seconds until it is full again, `wait` until the next request."""

    limit: int
    remaining: int
    reset: int
    wait: int = 0

    def headers(self) -> dict[str, str]:
        """As the answer carries it."""
        headers = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }
        return headers | ({"Retry-After": str(self.wait)} if self.wait else {})


@dataclass
class Buckets:
    """One bucket a token: `limit` requests at once, refilled at `per_second`."""

    limit: int = 2000
    per_second: float = 50.0
    clock: Callable[[], float] = time.monotonic
    _levels: OrderedDict[UUID, tuple[float, float]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __deepcopy__(self, _memo: object) -> "Buckets":
        # Litestar copies guards for each handler; the buckets are one, whatever is asked.
        return self

    def take(self, token_id: UUID) -> Allowance:
        """Take one request out of the token's bucket; `wait` is above 0 when it was empty."""
        now = self.clock()
        with self._lock:
            level, at = self._levels.pop(token_id, (float(self.limit), now))
            level = min(float(self.limit), level + (now - at) * self.per_second)
            allowed = level >= 1
            level -= 1 if allowed else 0
            self._levels[token_id] = (level, now)
            if len(self._levels) > REMEMBERED:
                self._levels.popitem(last=False)
        reset = math.ceil((self.limit - level) / self.per_second)
        wait = 0 if allowed else max(1, math.ceil((1 - level) / self.per_second))
        return Allowance(self.limit, int(level), reset, wait)


def too_many(allowance: Allowance) -> Refusal:
    """The refusal of a token that asks too much."""
    return Refusal(
        "too_many_requests",
        "This token has used up its requests; ask again in {seconds} s.",
        status=429,
        seconds=allowance.wait,
    )
