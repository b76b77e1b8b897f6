"""Choosing where an organisation lives, and remembering it."""

from uuid import UUID

from sqlalchemy import Select, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from control_plane.catalogue import Requirements
from control_plane.placement.models import Cell, CellDatabase, Placement
from control_plane.placement.views import CellView, Place
from kit.errors import Refusal


def cells(session: Session) -> list[CellView]:
    """Every cell with its databases, by name."""
    rows = session.scalars(select(CellDatabase).order_by(CellDatabase.name)).all()
    return [
        CellView.of(cell, [row for row in rows if row.cell_id == cell.id])
        for cell in session.scalars(select(Cell).order_by(Cell.name))
    ]


def cell(session: Session, name: str) -> CellView:
    """One cell; an unknown name is refused."""
    found = [one for one in cells(session) if one.name == name]
    if not found:
        raise Refusal("unknown_cell", "There is no cell called {cell}.", field="cell", status=422, cell=name)
    return found[0]


def keeps_own_keys(cell_view: CellView | Cell) -> bool:
    """Whether the cell's store can encrypt files by a key of each organisation's own."""
    return bool(cell_view.store.get("tenant_keys"))


def fits(cell_view: CellView | Cell, requirements: Requirements) -> bool:
    """Whether a cell has the region and all the qualities that an offer asks for."""
    region_fits = requirements.region in {None, cell_view.region}
    return region_fits and set(requirements.qualities) <= set(cell_view.qualities)


def choose(
    session: Session, requirements: Requirements, cell_name: str | None = None, *, own_keys: bool = False
) -> CellDatabase:
    """Take one place in the least-filled database that meets the requirements; refused with `no_room` if none has any.

    With `own_keys` the cell's store must encrypt by keys of the organisations' own. The place is counted in this
    transaction: a database never holds more than its capacity, however many choose.
    """
    _check_asked_cell(session, requirements, cell_name, own_keys)
    for database_id in _by_room(session, requirements, cell_name, own_keys):
        taken = session.execute(
            update(CellDatabase)
            .where(CellDatabase.id == database_id, CellDatabase.tenants < CellDatabase.capacity)
            .values(tenants=CellDatabase.tenants + 1)
            .returning(CellDatabase)
            .execution_options(populate_existing=True)
        ).scalar_one_or_none()
        if taken is not None:
            return taken
    message = "There is no room for this offer just now; we have been told. Try again later."
    raise Refusal("no_room", message, field="cell", status=503)


def _check_asked_cell(session: Session, requirements: Requirements, cell_name: str | None, own_keys: bool) -> None:
    if cell_name is None:
        return
    asked = session.scalar(select(Cell).where(Cell.name == cell_name))
    if asked is None:
        raise Refusal("unknown_cell", "There is no cell called {cell}.", field="cell", cell=cell_name)
    if not asked.open:
        raise Refusal("cell_closed", "The cell {cell} takes no new organisations.", field="cell", cell=cell_name)
    if not fits(asked, requirements):
        message = "The cell {cell} lacks the region or the qualities that the offer asks for."
        raise Refusal("cell_unfit", message, field="cell", cell=cell_name)
    if own_keys and not keeps_own_keys(asked):
        message = "The store of the cell {cell} cannot encrypt by a key of the organisation's own, as the offer asks."
        raise Refusal("cell_unfit", message, field="cell", cell=cell_name)


def _by_room(session: Session, requirements: Requirements, cell_name: str | None, own_keys: bool) -> list[UUID]:
    query = (
        select(CellDatabase.id, Cell)
        .join(Cell, Cell.id == CellDatabase.cell_id)
        .where(Cell.open, CellDatabase.tenants < CellDatabase.capacity)
        .order_by(CellDatabase.tenants * 1.0 / CellDatabase.capacity, CellDatabase.name)
    )
    if cell_name is not None:
        query = query.where(Cell.name == cell_name)
    return [
        database_id
        for database_id, found in session.execute(query)
        if fits(found, requirements) and (keeps_own_keys(found) or not own_keys)
    ]


def place(
    session: Session,
    organisation_id: UUID,
    requirements: Requirements,
    cell_name: str | None = None,
    *,
    own_keys: bool = False,
) -> Place:
    """Give an organisation its place; one that has a place keeps it."""
    known = where(session, organisation_id)
    if known is not None:
        return known
    database = choose(session, requirements, cell_name, own_keys=own_keys)
    row = {"organisation_id": organisation_id, "cell_id": database.cell_id, "cell_database_id": database.id}
    session.execute(insert(Placement).values(**row))
    placed = where(session, organisation_id)
    assert placed is not None
    return placed


def where(session: Session, organisation_id: UUID) -> Place | None:
    """Where an organisation lives; None if nowhere (any more)."""
    query = (
        select(Placement, Cell.name, Cell.region, CellDatabase.name)
        .join(Cell, Cell.id == Placement.cell_id)
        .join(CellDatabase, CellDatabase.id == Placement.cell_database_id)
        .where(Placement.organisation_id == organisation_id)
        .execution_options(populate_existing=True)
    )
    found = session.execute(query).first()
    if found is None:
        return None
    row, cell_name, region, database = found
    return Place(organisation_id, row.cell_id, cell_name, region, row.cell_database_id, database, row.slot)


def note_slot(session: Session, organisation_id: UUID, slot: str | None) -> None:
    """Remember which schema the organisation got, or that it has none any more."""
    session.execute(update(Placement).where(Placement.organisation_id == organisation_id).values(slot=slot))


def release(session: Session, organisation_id: UUID) -> None:
    """Give the place back, once nothing of the organisation is left there. Doing it again changes nothing."""
    gone = delete(Placement).where(Placement.organisation_id == organisation_id).returning(Placement.cell_database_id)
    database_id = session.execute(gone).scalar_one_or_none()
    if database_id is not None:
        session.execute(
            update(CellDatabase).where(CellDatabase.id == database_id).values(tenants=CellDatabase.tenants - 1)
        )


def residents(cell_name: str) -> Select[UUID]:
    """The ids of the organisations that live in a cell, as a query to be part of another."""
    query = select(Placement.organisation_id).join(Cell, Cell.id == Placement.cell_id)
    return query.where(Cell.name == cell_name)


def placements(session: Session) -> dict[UUID, Place]:
    """Where everybody lives."""
    query = (
        select(Placement, Cell.name, Cell.region, CellDatabase.name)
        .join(Cell, Cell.id == Placement.cell_id)
        .join(CellDatabase, CellDatabase.id == Placement.cell_database_id)
        .execution_options(populate_existing=True)
    )
    return {
        row.organisation_id: Place(
            row.organisation_id, row.cell_id, cell_name, region, row.cell_database_id, database, row.slot
        )
        for row, cell_name, region, database in session.execute(query)
    }
