"""The worker of mirrors: whose turn it is, a bounded slice of work under a lease, and what comes of it."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, case, func

from control_plane.storage import mirror_ledger as ledger
from control_plane.storage.mirror_errors import UNEXPECTED, Halted, Lost, Refused, Restart, Waits, explain
from control_plane.storage.mirror_ledger import Lease, MirrorPace
from control_plane.storage.mirror_models import Mirror
from control_plane.storage.mirror_opening import Opening
from control_plane.storage.mirror_pass import Pass
from control_plane.storage.mirror_turning import work_on_run
from kit import logs
from kit.db import transaction
from kit.vault import Vault

log = logs.get(__name__)

BUDGET_SECONDS = 50.0
TURNS = 100
# In how many seconds to look again where there are mirrors: somebody may have asked for one.
SOON_SECONDS = 5.0
AT_ONCE = timedelta(0)
WORKERS = 2

Watch = Callable[[str, UUID], None]
"""Told `begin` and `end` of each turn's work, both under its lease, for the tests."""


class Mirroring:
    """Works on mirrors. Any number may run, in any number of processes; each organisation is in one's hands only."""

    def __init__(
        self,
        engine: Engine,
        vault: Vault,
        *,
        pace: MirrorPace | None = None,
        stop: threading.Event | None = None,
        workers: int = WORKERS,
        watch: Watch | None = None,
    ) -> None:
        self.engine = engine
        self.pace = pace or MirrorPace()
        self.stop = stop or threading.Event()
        self.workers = workers
        self.watch: Watch = watch or (lambda _what, _organisation_id: None)
        self._opening = Opening(vault)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="mirrors")
        self._turns: dict[UUID, Future[bool]] = {}

    def close(self) -> None:
        """Wait for the turns under way, and end all connections."""
        self._pool.shutdown(cancel_futures=True)
        self._opening.close()

    def round(self, budget: float = BUDGET_SECONDS) -> float | None:
        """Give turns for about so many seconds; in how many to come again, None where nothing is mirrored.

        A turn with a very large object may take longer: it goes on, and keeps its place among the `workers`.
        """
        until = time.monotonic() + budget
        passed: set[UUID] = set()
        with transaction(self.engine) as session:
            any_mirrored = ledger.begin(session)
        while not self.stop.is_set() and time.monotonic() < until:
            self._collect(passed)
            with transaction(self.engine) as session:
                due = [one for one in ledger.due(session, TURNS) if one not in passed and one not in self._turns]
            if not due and not self._turns:
                return SOON_SECONDS if any_mirrored else None
            for one in due[: self.workers - len(self._turns)]:
                self._turns[one] = self._pool.submit(self._safely, one)
            wait(self._turns.values(), until - time.monotonic(), FIRST_COMPLETED)
        return 0.0

    def _collect(self, passed: set[UUID]) -> None:
        """Let go of the turns that have ended; whoever was in other hands is passed over in this round."""
        for one in [one for one, future in self._turns.items() if future.done()]:
            if not self._turns.pop(one).result():
                passed.add(one)

    def _safely(self, organisation_id: UUID) -> bool:
        try:
            return self.turn(organisation_id)
        except Exception:
            # One organisation's trouble is not the others'; its lease ends by itself.
            log.exception("a mirror's turn failed", organisation_id=str(organisation_id))
            return False

    def turn(self, organisation_id: UUID) -> bool:
        """Work on one organisation for a slice; False if it was not due, or somebody has it."""
        with self.engine.connect() as connection:
            with transaction(connection) as session:
                row = ledger.claim(session, organisation_id, self.pace.lease)
            if row is None:
                return False
            try:
                self._turn(Lease(connection, row, self.pace, self.stop))
            except Lost:
                log.info("the lease of a mirror was lost", organisation_id=str(organisation_id))
            return True

    def _turn(self, lease: Lease) -> None:
        self.watch("begin", lease.organisation_id)
        try:
            due_in, values = self._slice(lease)
        finally:
            self.watch("end", lease.organisation_id)
        due_at: Any = func.now() + due_in
        if values.get("state") == "whole":
            # Whoever asked while the pass was under way wants one that begins after that.
            due_at = case((Mirror.asked_at > values["started_at"], func.now()), else_=due_at)
        done = {"lease_until": None, "turn_at": func.now(), "due_at": due_at}
        with transaction(lease.connection) as session:
            ledger.write(session, lease.row, **values, **done)

    def _slice(self, lease: Lease) -> tuple[timedelta, dict[str, Any]]:
        """Work for a while: when to come again, and what is left to be written."""
        passing: Pass | None = None
        try:
            opened = self._opening.open(lease)
            more = opened.run is not None and work_on_run(lease, opened.pair, opened.run, self._until())
            passing = Pass(lease, opened.pair, opened.retention)
            ended = passing.work(self._until())
        except Lost:
            raise
        except Halted:
            return AT_ONCE, passing.tally.values() if passing else {}
        except Restart:
            return AT_ONCE, {"cursor": None}
        except Waits as waits:
            return self.pace.every, {"state": waits.state, "error_code": None, "error": None}
        except Exception as error:  # noqa: BLE001 - whatever it is goes into the row
            return self._failed(lease, passing, error)
        if not ended:
            return AT_ONCE, passing.tally.values() | {"state": "copying", "attempts": 0}
        return self._ended(lease, passing, more=more)

    def _ended(self, lease: Lease, passing: Pass, *, more: bool) -> tuple[timedelta, dict[str, Any]]:
        values = passing.ending()
        if values["state"] == "whole":
            return AT_ONCE if more else self.pace.every, values
        return self.pace.retry_in(lease.row.attempts), values | {"attempts": lease.row.attempts + 1}

    def _failed(self, lease: Lease, passing: Pass | None, error: Exception) -> tuple[timedelta, dict[str, Any]]:
        so_far = passing.tally.values() if passing else {}
        code, words = explain(error)
        known = {"organisation_id": str(lease.organisation_id), "code": code, "error": words}
        if code == UNEXPECTED:
            log.error("a mirror stumbled", exc_info=error, **known)
        else:
            log.warning("a mirror waits", **known)
        if isinstance(error, Refused) and error.role == "store" and error.code == "UserSuspended":
            return self.pace.every, so_far | {"state": "suspended", "error_code": code, "error": words}
        values = {"state": "failing", "error_code": code, "error": words, "attempts": lease.row.attempts + 1}
        return self.pace.retry_in(lease.row.attempts), so_far | values

    def _until(self) -> float:
        return time.monotonic() + self.pace.slice.total_seconds()
