"""The worker of mirrors: whose turn it is, a bounded slice of work under a lease, and what comes of it."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
"""Told `begin` and `end` of each turn, for the tests."""


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
        self._opening = Opening(engine, vault)

    def close(self) -> None:
        """End all connections."""
        self._opening.close()

    def round(self, budget: float = BUDGET_SECONDS) -> float | None:
        """Give turns for about so many seconds; in how many to come again, None where nothing is mirrored."""
        until = time.monotonic() + budget
        with transaction(self.engine) as session:
            any_rows = ledger.begin(session)
        with ThreadPoolExecutor(self.workers, thread_name_prefix="mirrors") as pool:
            while time.monotonic() < until and not self.stop.is_set():
                with transaction(self.engine) as session:
                    ids = ledger.due(session, TURNS)
                if not any(pool.map(lambda one: time.monotonic() < until and self.turn(one), ids)):
                    return SOON_SECONDS if any_rows else None
        return 0.0

    def turn(self, organisation_id: UUID) -> bool:
        """Work on one organisation for a slice; False if it was not due, or somebody has it."""
        with transaction(self.engine) as session:
            row = ledger.claim(session, organisation_id, self.pace.lease)
        if row is None:
            return False
        self.watch("begin", organisation_id)
        try:
            self._turn(Lease(self.engine, row, self.pace, self.stop))
        except Lost:
            log.info("the lease of a mirror was lost", organisation_id=str(organisation_id))
        finally:
            self.watch("end", organisation_id)
        return True

    def _turn(self, lease: Lease) -> None:
        due_in, values = self._slice(lease)
        due_at: Any = func.now() + due_in
        if values.get("state") == "whole":
            # Whoever asked while the pass was under way wants one that begins after that.
            due_at = case((Mirror.asked_at > Mirror.started_at, func.now()), else_=due_at)
        done = {"lease_until": None, "turn_at": func.now(), "due_at": due_at}
        with transaction(self.engine) as session:
            ledger.write(session, lease.row, **values, **done)

    def _slice(self, lease: Lease) -> tuple[timedelta, dict[str, Any]]:
        """Work for a while: when to come again, and what is left to be written."""
        passing: Pass | None = None
        try:
            opened = self._opening.open(lease.row)
            more = work_on_run(lease, opened.pair, self._until())
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
            return AT_ONCE, {"attempts": 0}
        return self._ended(lease, passing, more=more)

    def _ended(self, lease: Lease, passing: Pass, *, more: bool) -> tuple[timedelta, dict[str, Any]]:
        values = passing.ending()
        if values["state"] == "whole":
            return AT_ONCE if more else self.pace.every, values
        return self.pace.retry_in(lease.row.attempts), values | {"attempts": lease.row.attempts + 1}

    def _failed(self, lease: Lease, passing: Pass | None, error: Exception) -> tuple[timedelta, dict[str, Any]]:
        so_far = passing.tally.values() if passing and passing.tally.started_at else {}
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
