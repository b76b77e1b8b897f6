"""How patient the loop is, and whom it tells."""

import random
from dataclasses import dataclass, field
from datetime import timedelta

from control_plane.provisioning.outcome import OnSettled


@dataclass(frozen=True)
class Pace:
    """How patient the loop is."""

    lease: timedelta = timedelta(seconds=10)
    attempts: int = 12
    first_retry: timedelta = timedelta(milliseconds=500)
    last_retry: timedelta = timedelta(seconds=60)
    check_every: timedelta = timedelta(hours=6)

    def retry_in(self, attempt: int) -> timedelta:
        """How long to wait after the n-th failure: doubling, with some chance so that crowds disperse."""
        doubled = self.first_retry * float(2 ** min(attempt - 1, 20))
        return min(doubled, self.last_retry) * random.uniform(0.8, 1.2)  # noqa: S311 - no secret hangs on it

    def check_in(self) -> timedelta:
        """When to look for drift: spread out, so that organisations made together are not checked together."""
        return self.check_every * random.uniform(0.5, 1.5)  # noqa: S311 - the same

    def quietly_in(self) -> timedelta:
        """When to try again what was given up: the trouble may have passed, and nobody should have to ask."""
        return self.last_retry * 10

    def recheck_in(self) -> timedelta:
        """When to look again at what was removed: once every older lease has surely ended."""
        return self.lease * 2


@dataclass(frozen=True)
class Ways:
    """What every end of a run needs: the loop's pace, and the room above that hears what became true."""

    on_settled: OnSettled
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True)
class Trouble:
    """Why a step went wrong; `final` when trying again is pointless."""

    code: str
    words: str
    final: bool
