"""A pass: compare the whole bucket with its mirror in the order of keys, copy what is missing, let go what is past.

It is done in slices. What is settled is committed with the cursor every few seconds, so a worker that is killed
anywhere costs the copies of a few seconds, which the next one finds there.
"""

import time
from collections import deque
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from control_plane.storage import mirror_ledger as ledger
from control_plane.storage.mirror_copying import Outcome, compare, copy
from control_plane.storage.mirror_errors import Refused, Restart, Trouble, explain
from control_plane.storage.mirror_ledger import Lease
from control_plane.storage.mirror_models import Mirror, MirrorGone
from control_plane.storage.mirror_order import in_order
from control_plane.storage.mirror_window import Pair, Window
from kit import logs
from kit.db import transaction
from kit.s3 import Listed

log = logs.get(__name__)


@dataclass
class Tally:
    """How far a pass is; what its row says of it. `pending` is what is known to be missing behind the cursor."""

    cursor: str
    started_at: datetime | None
    pass_objects: int = 0
    pass_bytes: int = 0
    copied: int = 0
    copied_bytes: int = 0
    removed: int = 0
    kept: int = 0
    failed: int = 0
    differing: int = 0
    oldest: datetime | None = None
    error: tuple[str, str] | None = None
    pending: deque[Listed] = field(default_factory=deque)

    @classmethod
    def of(cls, row: Mirror) -> "Tally":
        """The pass under way."""
        names = ("pass_objects", "pass_bytes", "copied", "copied_bytes", "removed", "kept", "failed", "differing")
        counts = {name: getattr(row, name) for name in names}
        assert row.cursor is not None
        return cls(row.cursor, row.started_at, **counts, oldest=row.oldest_unmirrored_at if row.failed else None)

    def holds(self, one: Listed) -> None:
        """The mirror has this object."""
        self.pass_objects += 1
        self.pass_bytes += one.size

    def lacks(self, one: Listed, trouble: Trouble) -> None:
        """The object could not be copied, and the pass goes on without it."""
        self.failed += 1
        self.oldest = min(self.oldest or one.written_at, one.written_at)
        code, words = explain(trouble)
        self.error = self.error or (code, f"{one.key}: {words}")

    def values(self) -> dict[str, Any]:
        """The row's columns."""
        waiting = [one.written_at for one in self.pending]
        oldest = [self.oldest] if self.oldest else []
        error = {"error_code": self.error[0], "error": self.error[1]} if self.error else {}
        return error | {
            "cursor": self.cursor,
            "started_at": self.started_at,
            "pass_objects": self.pass_objects,
            "pass_bytes": self.pass_bytes,
            "copied": self.copied,
            "copied_bytes": self.copied_bytes,
            "removed": self.removed,
            "kept": self.kept,
            "failed": self.failed,
            "missing": self.failed + len(waiting),
            "differing": self.differing,
            "oldest_unmirrored_at": min(oldest + waiting, default=None),
        }


class Found(NamedTuple):
    """An object of the mirror, and the same of the store where it is there."""

    one: Listed | None
    other: Listed


class Pass:
    """One organisation's pass, in the hands of the worker that holds its lease."""

    def __init__(self, lease: Lease, pair: Pair, retention: timedelta) -> None:
        self.lease = lease
        self.pair = pair
        self.retention = retention
        # Where nothing is settled yet, the pass begins now: by a later beginning it vouches for more.
        self.tally = Tally.of(lease.row) if lease.row.cursor else Tally("", lease.began_at)

    def work(self, until: float) -> bool:
        """Go on until the time (monotonic) is up; whether the pass has come to its end."""
        if not self.tally.cursor:
            self._begin()
        while True:
            window = self._window()
            if not self._settle(window, until):
                return False
            if window.last is None:
                return True
            self.lease.tick(self.note)
            if time.monotonic() >= until:
                return False

    def note(self, session: Session) -> None:
        """Write how far it is."""
        ledger.write(session, self.lease.row, state="copying", **self.tally.values())

    def ending(self) -> dict[str, Any]:
        """What the row says once the pass has come to its end: whole, if it had everything that was there."""
        tally = self.tally
        values = tally.values() | {"cursor": None}
        if tally.failed:
            return values | {"state": "failing"}
        if tally.copied or tally.removed:
            facts = {"copied": tally.copied, "bytes": tally.copied_bytes, "removed": tally.removed}
            log.info("a mirror is whole", organisation_id=str(self.lease.organisation_id), **facts)
        return values | {
            "state": "whole",
            "whole_at": tally.started_at,
            "finished_at": func.now(),
            "objects": tally.pass_objects,
            "bytes": tally.pass_bytes,
            "error_code": None,
            "error": None,
            "attempts": 0,
        }

    def _begin(self) -> None:
        try:
            self.pair.mirror.tidy()
        except Refused as refused:
            if refused.code != "NoSuchBucket":
                raise
            # What the store does not open needs no bucket in the mirror.
            self.pair.store.page("", 1)
            self.pair.mirror.make()
            # Whatever the mirror once had is lost.
            lost = dict.fromkeys(("whole_at", "finished_at", "objects", "bytes"))
            self.lease.note(lambda session: ledger.write(session, self.lease.row, **lost))

    def _window(self) -> Window:
        try:
            return Window.open(self.pair, self.tally.cursor)
        except Refused as refused:
            if refused.role == "mirror" and refused.code == "NoSuchBucket":
                raise Restart from refused
            raise

    def _settle(self, window: Window, until: float) -> bool:
        """Make the mirror equal to the store in this window; False if the time was up before."""
        removed = self._let_go(window, until)
        there = [Found(one, other) for one, other in window.in_both]
        kept = [Found(None, one) for one in window.only_in_mirror if one.key not in removed]
        known = deque(sorted(there + kept, key=lambda found: found.other.key))
        whole = self._copy_missing(window.only_in_store, known, until)
        if whole:
            self._count(known, None)
            self.tally.cursor = window.last or self.tally.cursor
        return whole

    def _count(self, known: "deque[Found]", before: str | None) -> None:
        """Count what was found in the mirror before this key: a slice counts only what the cursor passes."""
        while known and (before is None or known[0].other.key < before):
            one, other = known.popleft()
            if one is None:
                self.tally.kept += 1
                continue
            self.tally.holds(other)
            likeness = compare(one, other, encrypted=self.pair.encrypted)
            if likeness in {"size", "content"}:
                self.tally.differing += 1
                where = {"bucket": self.pair.mirror.bucket, "key": one.key}
                log.error("an object in the mirror differs", what=likeness, **where)

    def _copy_missing(self, wanted: list[Listed], known: "deque[Found]", until: float) -> bool:
        pair, pending = self.pair, deque(wanted)
        self.tally.pending = pending
        results = in_order(
            wanted,
            lambda one, halt: copy(pair.store, pair.mirror, one, halt),
            until,
            lambda: self.lease.tick(self.note),
        )
        with closing(results):
            for one, outcome in results:
                self._count(known, one.key)
                self._take(one, outcome)
                self.tally.cursor = one.key
                pending.popleft()
        return not pending

    def _take(self, one: Listed, outcome: Outcome) -> None:
        if outcome == "gone":
            return
        if not isinstance(outcome, str):
            self.pair.bear(outcome)
            self.tally.lacks(one, outcome)
            return
        self.tally.holds(one)
        if outcome == "copied":
            self.tally.copied += 1
            self.tally.copied_bytes += one.size

    def _let_go(self, window: Window, until: float) -> set[str]:
        """Remember since when the store lacks what the mirror has, and remove what has been so for long enough."""
        organisation_id = self.lease.organisation_id
        absent = [one.key for one in window.only_in_mirror]
        with transaction(self.lease.connection) as session:
            known = ledger.past(session, organisation_id, window.after, window.last, self.retention)
        back = known.keys() - set(absent)
        new = [{"organisation_id": organisation_id, "object_id": UUID(key)} for key in absent if key not in known]
        if new:
            self.lease.note(lambda session: _remember(session, new))
        if back:
            self.lease.note(lambda session: self._forget(session, back))
        past = [key for key in absent if known.get(key)]
        return self._remove(past, until) if past else set()

    def _remove(self, keys: list[str], until: float) -> set[str]:
        removed = set()
        # Nobody removes anything on an old lease.
        self.lease.note(self.note)
        for done, key in enumerate(keys):
            if done and time.monotonic() >= until:
                break
            if self.pair.store.look(key) is None:
                self.pair.mirror.delete(key)
                removed.add(key)
            self.lease.tick(self.note)
        self.lease.note(lambda session: self._forget(session, removed))
        self.tally.removed += len(removed)
        return removed

    def _forget(self, session: Session, keys: AbstractSet[str]) -> None:
        mine = MirrorGone.organisation_id == self.lease.organisation_id
        session.execute(delete(MirrorGone).where(mine, MirrorGone.object_id.in_([UUID(key) for key in keys])))


def _remember(session: Session, rows: list[dict[str, Any]]) -> None:
    session.execute(insert(MirrorGone).on_conflict_do_nothing(), rows)
