"""Visits to the cells' databases: how each is, its slots brought up to date, and a stock of ready ones kept full."""

import time
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import Engine

from control_plane import placement
from control_plane.placement import Databases, DatabaseView
from kit.db import transaction
from kit.errors import Unavailable
from tenant_app.contract import CellDatabase

log = structlog.get_logger(__name__)

UPGRADE_FAILED = "upgrade_failed"


@dataclass(frozen=True)
class Visit:
    """What one visit found and did. `trouble` is None when the database answered and nothing stands in the way.

    `behind` slots still wait for their upgrade.
    """

    database: str
    spares: int
    built: int
    trouble: str | None = None
    upgraded: int = 0
    behind: int = 0


def visit(engine: Engine, databases: Databases, *, seconds: float = 2.0) -> list[Visit]:
    """Look at every database, upgrade what is behind and build what its stock lacks; the rest comes next time.

    Upgrading and building take about `seconds` each. A slot is only built while the database has room for another
    tenant, so a full database keeps no idle stock.
    """
    with transaction(engine) as session:
        views = [database for cell in placement.cells(session) for database in cell.databases]
    return [_visit(engine, databases, view, seconds) for view in views]


def _visit(engine: Engine, databases: Databases, view: DatabaseView, seconds: float) -> Visit:
    version: str | None = None
    try:
        with transaction(engine) as session:
            contract = databases.get(session, view.id)
        upgraded, failed = _upgrade(contract, seconds)
        built = _build(contract, min(view.spares_wanted, view.capacity - view.tenants), seconds)
        health = contract.health()
        trouble, version = (UPGRADE_FAILED if failed else None), health.schema_version
        seen = Visit(view.name, health.spares, built, trouble, upgraded, health.slots_behind)
    except Unavailable as error:
        log.warning("cell_database_trouble", database=view.name, code=error.code)
        seen = Visit(view.name, view.spares_seen, 0, error.code)
    _note(engine, view.id, seen, version)
    return seen


def _upgrade(contract: CellDatabase, seconds: float) -> tuple[int, bool]:
    """Bring the directory and as many slots as the time allows to this release: how many, and whether any failed."""
    if contract.upgrade_directory():
        log.info("directory_upgraded", database=contract.names.database)
    done = contract.upgrade(seconds)
    if done.upgraded or done.failed:
        figures = {"upgraded": done.upgraded, "in_use": done.locked, "failed": len(done.failed), "behind": done.behind}
        log.info("slots_upgraded", database=contract.names.database, version=done.version, **figures)
    return done.upgraded, bool(done.failed)


def _build(contract: CellDatabase, wanted: int, seconds: float) -> int:
    spares = contract.spares()
    deadline = time.monotonic() + seconds
    built = 0
    while spares + built < wanted and time.monotonic() < deadline:
        contract.build_slots(1)
        built += 1
    return built


def _note(engine: Engine, database_id: UUID, seen: Visit, version: str | None) -> None:
    with transaction(engine) as session:
        if version is not None:
            placement.note_seen(session, database_id, spares=seen.spares, schema_version=version)
        if seen.trouble is not None:
            placement.note_trouble(session, database_id, seen.trouble)
