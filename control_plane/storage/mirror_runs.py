"""A verification or a restoration as a worker goes on with it: in slices, from its cursor, its progress written."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import closing
from typing import Any, TypeVar

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from control_plane.storage.mirror_ledger import Lease
from control_plane.storage.mirror_models import MirrorRun
from control_plane.storage.mirror_order import in_order
from control_plane.storage.mirror_window import Pair, Window
from kit.s3 import Listed

MOST_FINDINGS = 200
COUNTS = ("checked", "read_bytes", "restored", "restored_bytes", "mismatches")

R = TypeVar("R")


class Running(ABC):
    """One run, in the hands of the worker that holds the organisation's lease."""

    def __init__(self, lease: Lease, pair: Pair, run: MirrorRun) -> None:
        self.lease = lease
        self.pair = pair
        self.run = run
        self.cursor = run.cursor
        self.counts = {name: int(getattr(run, name)) for name in COUNTS}
        self.found: list[dict[str, str]] = list(run.findings.get("objects", []))

    def work(self, until: float) -> bool:
        """Go on until the time (monotonic) is up; whether the run has come to its end."""
        while True:
            window = self.window()
            if not self.go_through(window, until):
                return False
            self.cursor = window.last or self.cursor
            self.lease.note(self.note)
            if window.last is None:
                return True
            if time.monotonic() >= until:
                return False

    def window(self) -> Window:
        """What lies behind the cursor."""
        return Window.open(self.pair, self.cursor)

    @abstractmethod
    def go_through(self, window: Window, until: float) -> bool:
        """Do what is to be done there; False if the time was up before."""

    def each(
        self,
        items: list[Listed],
        work: Callable[[Listed, threading.Event], R],
        take: Callable[[Listed, R], None],
        until: float,
    ) -> bool:
        """Work on these objects by some threads and take the answers in order; False if the time was up before."""
        left = len(items)
        results = in_order(items, work, until, lambda: self.lease.tick(self.note))
        with closing(results):
            for one, answer in results:
                take(one, answer)
                self.cursor = one.key
                left -= 1
        return not left

    def finds(self, key: str, what: str) -> None:
        """An object is not as it should be."""
        self.counts["mismatches"] += 1
        if len(self.found) < MOST_FINDINGS:
            self.found.append({"key": key, "what": what})

    def note(self, session: Session, **values: Any) -> None:
        """Write how far it is."""
        values = {"state": "running", "cursor": self.cursor, "findings": {"objects": self.found}} | self.counts | values
        values.setdefault("started_at", func.coalesce(MirrorRun.started_at, func.now()))
        session.execute(update(MirrorRun).where(MirrorRun.id == self.run.id).values(**values))
