"""Verification: what the store has, the mirror has too, and it is the same. What is not is reported, never mended."""

import hashlib
import threading
from datetime import timedelta
from typing import Literal

import obstore

from control_plane.storage.mirror_copying import PIECE, compare
from control_plane.storage.mirror_errors import Halted, Refused, Trouble, of_bytes
from control_plane.storage.mirror_runs import Running
from control_plane.storage.mirror_sides import Side
from control_plane.storage.mirror_window import Window
from kit.errors import Unavailable
from kit.s3 import Listed

# Of the objects whose entity tags prove nothing, one in so many is read whole.
SAMPLE = 20
# Between the store's clock and ours.
CLOCKS = timedelta(seconds=2)

Finding = Literal["well", "read", "gone", "new", "missing", "size", "content"] | Trouble


class Verification(Running):
    """Sizes and entity tags of all; the contents of those that these prove nothing of: of some, or `deep` of all."""

    def go_through(self, window: Window, until: float) -> bool:
        """See `Running`."""
        items = [window.store[key] for key in sorted(window.store)]
        return self.each(items, lambda one, halt: self._look(one, window.mirror.get(one.key), halt), self._take, until)

    def _look(self, one: Listed, other: Listed | None, halt: threading.Event) -> Finding:
        if other is None:
            whole_at = self.lease.row.whole_at
            # What the last whole pass need not have seen is the lag's, not a finding.
            seen = whole_at is not None and one.written_at < whole_at - CLOCKS
            return "missing" if seen else "new"
        likeness = compare(one, other, encrypted=self.pair.encrypted)
        if likeness in {"size", "content"}:
            return likeness
        if not self._reads(one, proven=likeness == "same"):
            return "well"
        try:
            here, there = (digest(side, one, halt) for side in (self.pair.store, self.pair.mirror))
        except (Refused, Unavailable) as trouble:
            return self._gone(one, trouble)
        return "read" if here == there else "content"

    def _reads(self, one: Listed, *, proven: bool) -> bool:
        if self.run.asked.get("deep"):
            return True
        # Another sample each time.
        chosen = hashlib.sha256(self.run.id.bytes + one.key.encode()).digest()[0] * SAMPLE < 256
        return not proven and chosen

    def _gone(self, one: Listed, trouble: Refused | Unavailable) -> Finding:
        if isinstance(trouble, Refused) and trouble.status == 404 and not trouble.of_all:
            try:
                return trouble if self.pair.store.look(one.key) else "gone"
            except (Refused, Unavailable) as another:
                return another
        return trouble

    def _take(self, one: Listed, finding: Finding) -> None:
        if not isinstance(finding, str):
            self.pair.bear(finding)
            role = finding.role if isinstance(finding, Refused) else "store"
            self.finds(one.key, f"unreadable_in_{role}")
        elif finding in {"missing", "size", "content"}:
            self.finds(one.key, finding)
        elif finding in {"gone", "new"}:
            return
        self.counts["checked"] += 1
        self.counts["read_bytes"] += one.size if finding in {"read", "content"} else 0


def digest(side: Side, one: Listed, halt: threading.Event) -> bytes:
    """The SHA-256 of an object's content, read piece by piece."""
    found = hashlib.sha256()
    for start in range(0, one.size, PIECE):
        if halt.is_set():
            raise Halted
        with of_bytes(side.role):
            end = min(start + PIECE, one.size)
            found.update(obstore.get_range(side.objects, one.key, start=start, end=end))
    return found.digest()
