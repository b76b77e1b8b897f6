"""Every database and every slot brought to this release before its processes start, where nobody wants to wait.

Old and new processes work on the new schema alike, so upgrades come first and processes after. The sweep does the same
little by little (`visit`).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import structlog
from sqlalchemy import Engine

from control_plane import placement
from control_plane.placement import Databases
from kit.db import transaction
from kit.errors import Unavailable
from tenant_app.contract import CellDatabase

log = structlog.get_logger(__name__)

ROUND_SECONDS = 1.0
PAUSE = 0.2


@dataclass(frozen=True)
class Upgrade:
    """How far one database is.

    `failed` says by slot what stands in its way; `trouble` is None unless the database did not answer.
    """

    database: str
    version: str = ""
    slots: int = 0
    behind: int = 0
    upgraded: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    trouble: str | None = None

    @property
    def done(self) -> bool:
        """Everything here is of this release, or of a newer one."""
        return self.trouble is None and not self.behind


Progress = Callable[[Upgrade], None]


def upgrade_all(
    engine: Engine,
    databases: Databases,
    *,
    cell: str | None = None,
    progress: Progress | None = None,
    patience: float = 30.0,
) -> list[Upgrade]:
    """Upgrade every database (of one cell, if named): its directory, then all its slots. Tells how far each came.

    What is in use is waited for, up to `patience` seconds without any progress. A database that is away is told as
    trouble and keeps no other waiting; the sweep comes back to it.
    """
    with transaction(engine) as session:
        cells = placement.cells(session) if cell is None else [placement.cell(session, cell)]
        works = [
            _Work(Upgrade(view.name), databases.get(session, view.id), patience, progress or _untold)
            for one in cells
            for view in one.databases
        ]
    return [work.run() for work in works]


def _untold(_: Upgrade) -> None:
    """Nobody watches."""


@dataclass
class _Work:
    """The upgrade of one database, and how far it is."""

    far: Upgrade
    contract: CellDatabase
    patience: float
    tell: Progress

    def run(self) -> Upgrade:
        try:
            self._directory()
            self._slots()
        except Unavailable as error:
            log.warning("upgrade_trouble", database=self.far.database, code=error.code, detail=error.detail)
            self._came(trouble=error.code)
        return self.far

    def _came(self, **so_far: object) -> None:
        self.far = replace(self.far, **so_far)  # type: ignore[arg-type]
        self.tell(self.far)

    def _directory(self) -> None:
        started = time.monotonic()
        while True:
            try:
                self.contract.upgrade_directory(force=True)
                break
            except Unavailable as error:
                if error.code != "cell_busy" or time.monotonic() - started > self.patience:
                    raise
            time.sleep(PAUSE)
        health = self.contract.health()
        self._came(version=self.contract.schema.version, slots=health.slots, behind=health.slots_behind)

    def _slots(self) -> None:
        moved = time.monotonic()
        while self.far.behind:
            done = self.contract.upgrade(ROUND_SECONDS)
            self._came(behind=done.behind, upgraded=self.far.upgraded + done.upgraded, failed=done.failed)
            if done.upgraded:
                moved = time.monotonic()
            elif (done.failed and not done.locked) or time.monotonic() - moved > self.patience:
                # Where nothing failed either, the round's time was over before it began: the machine stood still.
                return
            else:
                time.sleep(PAUSE)
