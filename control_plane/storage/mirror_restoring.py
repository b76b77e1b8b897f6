"""Restoration: what the store lacks and the mirror has goes back. Nothing that is there is ever overwritten."""

from datetime import UTC, datetime

from control_plane.storage import mirror_ledger as ledger
from control_plane.storage.mirror_copying import Outcome, copy
from control_plane.storage.mirror_errors import Refused
from control_plane.storage.mirror_runs import Running
from control_plane.storage.mirror_sides import born
from control_plane.storage.mirror_window import Window
from kit.db import transaction
from kit.errors import Refusal
from kit.s3 import Listed

# Keys that were asked for are looked up one by one, so many between two notes.
AT_ONCE = 50
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLOSED = frozenset({"AccessDenied", "UserSuspended"})


def closed() -> Refusal:
    """The account takes nothing in."""
    return Refusal(
        "mirror_account_closed",
        "Restoring writes into the organisation's store, which is frozen or suspended now. "
        "Lift what holds the organisation, then restore again.",
        status=409,
    )


def full() -> Refusal:
    """The quota is used up."""
    return Refusal(
        "mirror_store_full",
        "The organisation's store is full: what is missing does not fit. Raise its limit, then restore again.",
        status=409,
    )


class Restoration(Running):
    """Everything that is missing, only some `keys`, or all that there was at the moment `as_of`.

    At that moment there was what had been begun before and was not yet seen to be deleted.
    """

    _asked: tuple[str, ...] = ()

    def window(self) -> Window:
        """See `Running`."""
        asked = self.run.asked.get("keys")
        if asked is None:
            return super().window()
        left = [key for key in sorted(asked) if key > self.cursor]
        self._asked = tuple(left[:AT_ONCE])
        last = left[AT_ONCE - 1] if len(left) > AT_ONCE else None
        return Window.of(self.pair, self.cursor, self._asked, last)

    def go_through(self, window: Window, until: float) -> bool:
        """See `Running`."""
        wanted = self._wanted(window)
        pair = self.pair
        whole = self.each(
            wanted, lambda one, halt: copy(pair.mirror, pair.store, one, halt, new_only=True), self._take, until
        )
        others = window.mirror.keys() - {one.key for one in wanted}
        self.counts["checked"] += len(others) if whole else sum(key <= self.cursor for key in others)
        return whole

    def _wanted(self, window: Window) -> list[Listed]:
        told = self.run.asked.get("as_of")
        if told is None:
            # What was asked for and is nowhere is tried all the same: so it is answered in its turn.
            nowhere = [
                Listed(key, 0, "", EPOCH) for key in self._asked if not (key in window.mirror or key in window.store)
            ]
            return sorted(window.only_in_mirror + nowhere, key=lambda one: one.key)
        moment = datetime.fromisoformat(told)
        with transaction(self.lease.connection) as session:
            gone = ledger.gone(session, self.lease.organisation_id, window.after, window.last)
        return [
            one
            for one in window.only_in_mirror
            if born(one) <= moment and not (one.key in gone and gone[one.key] <= moment)
        ]

    def _take(self, one: Listed, outcome: Outcome) -> None:
        self.counts["checked"] += 1
        if outcome == "copied":
            self.counts["restored"] += 1
            self.counts["restored_bytes"] += one.size
        elif outcome == "gone":
            self.finds(one.key, "not_in_mirror")
        elif not isinstance(outcome, str):
            if isinstance(outcome, Refused) and outcome.role == "store":
                self._final(outcome)
            self.pair.bear(outcome)
            self.finds(one.key, "not_restored")

    def _final(self, refused: Refused) -> None:
        """What asking again does not help."""
        if refused.code in CLOSED:
            raise closed() from refused
        if refused.code == "QuotaExceeded":
            raise full() from refused
