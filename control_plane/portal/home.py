"""What needs attention now."""

from datetime import UTC, datetime, timedelta

from litestar import Response, get
from litestar.di import NamedDependency
from sqlalchemy import select

from control_plane import organisations, placement, provisioning
from control_plane.identity import Permission
from control_plane.organisations import Organisation, Search
from control_plane.placement import CellView
from control_plane.portal.desk import Desk, requires
from control_plane.portal.operations import owners

SOON = timedelta(days=14)
SHOWN = 8
NEARLY_FULL = 0.9


def _trials_ending(desk: Desk) -> list[Organisation]:
    """Trials that end within 14 days, the nearest first."""
    now = datetime.now(UTC)
    query = (
        select(Organisation)
        .where(Organisation.state == "live", Organisation.trial_ends_at.between(now, now + SOON))
        .order_by(Organisation.trial_ends_at)
        .limit(SHOWN)
    )
    return list(desk.session.scalars(query))


def _to_review(desk: Desk) -> list[Organisation]:
    query = (
        select(Organisation)
        .where(Organisation.flags != [], Organisation.state.in_(("live", "provisioning", "ordered")))
        .order_by(Organisation.id.desc())
        .limit(SHOWN)
    )
    return list(desk.session.scalars(query))


def _tight(cells: list[CellView]) -> list[CellView]:
    """Cells in trouble, nearly full, or out of spares that they should have."""
    return [
        cell
        for cell in cells
        if any(one.trouble or (one.spares_wanted and not one.spares_seen) for one in cell.databases)
        or (cell.open and cell.capacity and cell.tenants >= NEARLY_FULL * cell.capacity)
    ]


@get("/", guards=[requires()], sync_to_thread=True)
def show_home(desk: NamedDependency[Desk]) -> Response[str]:
    """Everybody's first page: figures, and what somebody should look at."""
    running = [*provisioning.operations(desk.session, state="running", limit=SHOWN).items]
    failed = provisioning.operations(desk.session, state="failed", limit=SHOWN).items
    cells = placement.cells(desk.session)
    return desk.show(
        "portal/home.html",
        counts=organisations.counts(desk.session),
        failed=organisations.search(desk.session, Search(state="failed", limit=SHOWN)).items,
        operations=[*running, *failed],
        owners=owners(desk.session, [*running, *failed]),
        trials=_trials_ending(desk),
        review=_to_review(desk),
        cells=cells,
        tight=_tight(cells) if desk.may(Permission.CELLS_READ) else [],
    )


handlers = [show_home]
