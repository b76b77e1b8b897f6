"""Visits to the cells' databases: how each is, and a stock of ready slots kept full in the background."""

import time
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import Engine

from control_plane import placement
from control_plane.placement import Databases, DatabaseView
from kit.db import transaction
from kit.errors import Unavailable

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Visit:
    """What one visit found and did. `trouble` is None when the database answered."""

    database: str
    spares: int
    built: int
    trouble: str | None = None


def visit(engine: Engine, databases: Databases, *, seconds: float = 2.0) -> list[Visit]:
    """Look at every database and build what its stock lacks, for about `seconds` each; the rest comes next time.

    A slot is only built while the database has room for another tenant, so a full database keeps no idle stock.
    """
    with transaction(engine) as session:
        views = [database for cell in placement.cells(session) for database in cell.databases]
    return [_visit(engine, databases, view, seconds) for view in views]


def _visit(engine: Engine, databases: Databases, view: DatabaseView, seconds: float) -> Visit:
    try:
        with transaction(engine) as session:
            contract = databases.get(session, view.id)
        before = contract.spares()
        wanted = min(view.spares_wanted, view.capacity - view.tenants)
        deadline = time.monotonic() + seconds
        built = 0
        while before + built < wanted and time.monotonic() < deadline:
            contract.build_slots(1)
            built += 1
        seen = Visit(view.name, before + built, built)
        version: str | None = contract.health().schema_version
    except Unavailable as error:
        log.warning("cell_database_trouble", database=view.name, code=error.code)
        seen, version = Visit(view.name, view.spares_seen, 0, error.code), view.schema_version
    _note(engine, view.id, seen, version)
    return seen


def _note(engine: Engine, database_id: UUID, seen: Visit, version: str | None) -> None:
    with transaction(engine) as session:
        if seen.trouble is None:
            placement.note_seen(session, database_id, spares=seen.spares, schema_version=version)
        else:
            placement.note_trouble(session, database_id, seen.trouble)
