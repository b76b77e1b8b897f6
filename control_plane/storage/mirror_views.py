"""What people may see of mirrors: how far behind each one is, and what was asked of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from control_plane import placement
from control_plane.placement import Place
from control_plane.storage.mirror_models import Mirror, MirrorRun
from kit.errors import not_found
from kit.pages import Page, decode_cursor, encode_cursor, page_size

OFF = "off"


@dataclass(frozen=True)
class MirrorRunView:
    """A verification or a restoration: `state` is pending, running, done or failed.

    `asked` is what was asked for. `expected` is how many objects the mirror held when it was asked, None where that was
    not known. `findings` are the first objects that are not as they should be, each with its `key` and `what`:
    missing, size, content, unreadable_in_store, unreadable_in_mirror; not_in_mirror, not_restored.
    """

    id: UUID
    organisation_id: UUID
    kind: str
    state: str
    asked: dict[str, Any]
    requested_by: dict[str, Any]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expected: int | None
    checked: int
    read_bytes: int
    restored: int
    restored_bytes: int
    mismatches: int
    findings: list[dict[str, str]]
    error_code: str | None
    error: str | None

    @classmethod
    def of(cls, row: MirrorRun) -> "MirrorRunView":
        """The view of a row."""
        names = [name for name in cls.__dataclass_fields__ if name != "findings"]
        return cls(**{name: getattr(row, name) for name in names}, findings=list(row.findings.get("objects", [])))


@dataclass(frozen=True)
class MirrorView:
    """An organisation's mirror, as its row says.

    `state`: off (its cell's store is not mirrored), new (nobody has looked yet), copying (a pass is under way), whole,
    waiting (there is nothing in the store yet), suspended (the store gives nothing out), needs_keys (its files are
    encrypted by its own key, and the mirror has no such keys: it is not mirrored), failing (`error` says why).

    `lag_seconds` is how long ago the last pass began that saw and had everything: what was written since may be lost
    with the store. None where there never was one. `missing` objects are known to be in the store only, the oldest of
    them since `oldest_unmirrored_at`; `differing` ones are not the same in the mirror; `kept` ones are in the mirror
    only, for a while. `copied`, `copied_bytes` and `removed` are of the pass under way, or the last one.
    `mismatches` are what the last verification found, at `verified_at`, among `verified_objects`.
    """

    organisation_id: UUID
    cell: str | None
    endpoint: str | None
    state: str
    lag_seconds: float | None
    whole_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    due_at: datetime | None
    objects: int | None
    bytes: int | None
    copied: int
    copied_bytes: int
    removed: int
    kept: int
    missing: int
    oldest_unmirrored_at: datetime | None
    differing: int
    error_code: str | None
    error: str | None
    verified_at: datetime | None
    verified_objects: int | None
    mismatches: int | None
    run: MirrorRunView | None

    @property
    def well(self) -> bool:
        """Whether nobody need look at it."""
        quiet = self.state in {"new", "copying", "whole", "waiting", "suspended", OFF}
        return quiet and not (self.differing or self.mismatches)


@dataclass(frozen=True)
class MirrorSummary:
    """The mirrors of a cell. `worst_lag_seconds` is of those that were whole once; `never` counts the others."""

    cell: str
    endpoint: str | None
    organisations: int
    states: dict[str, int]
    worst_lag_seconds: float | None
    never: int
    missing: int
    differing: int
    mismatches: int
    objects: int
    bytes: int


COUNTED = ("copied", "copied_bytes", "removed", "kept", "missing", "differing")
TOLD = (
    *("state", "whole_at", "started_at", "finished_at", "due_at", "objects", "bytes"),
    *("oldest_unmirrored_at", "error_code", "error", "verified_at", "verified_objects", "mismatches"),
)
LAG = func.extract("epoch", func.now() - Mirror.whole_at)
# Those that never were whole lag most.
BEHIND = func.coalesce(Mirror.whole_at, datetime(1970, 1, 1, tzinfo=UTC))


def mirror_status(session: Session, organisation_id: UUID) -> MirrorView:
    """An organisation's mirror, with the newest run that somebody asked for. Refused where it lives nowhere."""
    place = placement.where(session, organisation_id)
    if place is None:
        raise not_found("mirror")
    query = select(Mirror, LAG).where(Mirror.organisation_id == organisation_id)
    found = session.execute(query.execution_options(populate_existing=True)).first()
    runs = mirror_runs(session, organisation_id, limit=1)
    return _view(session, place, found, runs[0] if runs else None)


def mirrors(
    session: Session, *, cell: str | None = None, cursor: str | None = None, limit: int = 50
) -> Page[MirrorView]:
    """Mirrors, of one cell or of all, those that lag most first. Without their runs."""
    size = page_size(limit)
    query = select(Mirror, LAG).order_by(BEHIND, Mirror.organisation_id).limit(size + 1)
    if cell is not None:
        query = query.where(Mirror.organisation_id.in_(placement.residents(cell)))
    if cursor is not None:
        query = query.where(tuple_(BEHIND, Mirror.organisation_id) > tuple_(*decode_cursor(cursor, datetime, UUID)))
    rows = list(session.execute(query.execution_options(populate_existing=True)))
    items = [_view(session, placement.where(session, row[0].organisation_id), row, None) for row in rows[:size]]
    if len(rows) <= size:
        return Page(items)
    last = items[-1]
    return Page(items, encode_cursor(last.whole_at or datetime(1970, 1, 1, tzinfo=UTC), last.organisation_id))


def mirror_summary(session: Session, cell: str) -> MirrorSummary:
    """The mirrors of a cell in a few figures; an unknown cell is refused."""
    endpoint = _endpoint(session, cell)
    mine = Mirror.organisation_id.in_(placement.residents(cell))
    states = session.execute(select(Mirror.state, func.count()).where(mine).group_by(Mirror.state))
    sums = ("missing", "differing", "mismatches", "objects", "bytes")
    figures = select(
        func.count().label("organisations"),
        func.max(LAG).label("worst"),
        func.count().filter(Mirror.whole_at.is_(None)).label("never"),
        *(func.coalesce(func.sum(getattr(Mirror, name)), 0).label(name) for name in sums),
    )
    found = session.execute(figures.where(mine)).one()
    return MirrorSummary(
        cell=cell,
        endpoint=endpoint,
        organisations=found.organisations,
        states={row[0]: row[1] for row in states},
        worst_lag_seconds=None if found.worst is None else float(found.worst),
        never=found.never,
        **{name: int(getattr(found, name)) for name in sums},
    )


def mirror_runs(session: Session, organisation_id: UUID, *, limit: int = 20) -> list[MirrorRunView]:
    """What was asked for, the newest first."""
    query = select(MirrorRun).where(MirrorRun.organisation_id == organisation_id)
    query = query.order_by(MirrorRun.id.desc()).limit(page_size(limit))
    return [MirrorRunView.of(row) for row in session.scalars(query.execution_options(populate_existing=True))]


def mirror_run(session: Session, run_id: UUID) -> MirrorRunView:
    """One verification or restoration, as far as it is."""
    row = session.get(MirrorRun, run_id, populate_existing=True)
    if row is None:
        raise not_found("run")
    return MirrorRunView.of(row)


def _endpoint(session: Session, cell: str) -> str | None:
    mirror = placement.cell(session, cell).store.get("mirror") or {}
    endpoint: str | None = mirror.get("endpoint")
    return endpoint


def _view(session: Session, place: Place | None, found: Sequence[Any] | None, run: MirrorRunView | None) -> MirrorView:
    row: Mirror | None = found[0] if found else None
    lag = found[1] if found else None
    endpoint = _endpoint(session, place.cell) if place else None
    # Until a worker comes by, the row speaks of where the mirror was before.
    told = row is not None and row.target in {None, endpoint}
    values: dict[str, Any] = {name: getattr(row, name) if told else None for name in TOLD}
    values |= {name: getattr(row, name) if told else 0 for name in COUNTED}
    if endpoint is None:
        values["state"] = OFF
    values["state"] = values["state"] or "new"
    organisation_id = place.organisation_id if place else row.organisation_id if row else None
    assert organisation_id is not None
    return MirrorView(
        organisation_id=organisation_id,
        cell=place.cell if place else None,
        endpoint=endpoint,
        lag_seconds=float(lag) if told and lag is not None else None,
        run=run,
        **values,
    )
