"""Every point at which a worker can come to grief, listed from the registry of steps."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from control_plane.provisioning import STEPS, StepSpec
from control_plane.provisioning.registry import MAKING, REMOVING
from control_plane.provisioning.world import Effect, Run, World
from kit.errors import Unavailable
from tests.world.house import Killed

POINTS = ("before", "effect", "commit")


@dataclass(frozen=True)
class CrashPoint:
    """`before` a step, after its `effect`, or after its `commit`."""

    step: str
    point: str

    def __str__(self) -> str:
        return f"{self.point}-{self.step}"


MAKING_POINTS = [CrashPoint(step, point) for step in MAKING for point in POINTS]
REMOVING_POINTS = [CrashPoint(step, point) for step in REMOVING for point in POINTS]


def kill_at(crash: CrashPoint) -> Any:
    """A watch that kills the worker there."""

    def watch(point: str, step: str) -> None:
        if (step, point) == (crash.step, crash.point):
            raise Killed(str(crash))

    return watch


class Freezer:
    """A watch that freezes the worker there, until it is thawed."""

    def __init__(self, crash: CrashPoint) -> None:
        self.crash = crash
        self.frozen, self.thawed = threading.Event(), threading.Event()

    def __call__(self, point: str, step: str) -> None:
        if (step, point) == (self.crash.step, self.crash.point) and not self.frozen.is_set():
            self.frozen.set()
            assert self.thawed.wait(60)


def failing(step: str, when: str, error: Exception, times: int = 1) -> Mapping[str, StepSpec]:
    """The steps, one of which raises `error` `before` or after its `effect`, the first few times."""
    left = [times]

    def act(run: Run, world: World) -> Effect:
        raising = left[0] > 0
        left[0] -= raising
        if raising and when == "before":
            raise error
        effect = STEPS[step].act(run, world)
        if raising:
            raise error
        return effect

    return {**STEPS, step: replace(STEPS[step], act=act)}


TIMED_OUT = Unavailable("cell_unreachable", "the answer did not come in time")
