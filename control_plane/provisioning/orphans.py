"""Compare all worlds: what stands in a cell or a store and belongs to nobody, and what is wanted and missing."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Engine, select

from control_plane import placement, storage
from control_plane.placement import CellView, DatabaseView, Place
from control_plane.provisioning.models import Provisioning
from control_plane.provisioning.world import World
from kit.db import transaction
from kit.errors import Refusal, Unavailable
from tenant_app.contract import Inventory


@dataclass(frozen=True)
class Orphan:
    """One thing out of place.

    `kind`: slot, record, host, schema_or_role, account, bucket (there, and nobody's); missing_slot, missing_account
    (wanted and settled, and not there); count (a database counts its tenants wrongly); unreachable (could not look).
    `cell` names the cell of a store.
    """

    kind: str
    where: str
    name: str
    organisation_id: UUID | None = None
    cell: str = ""


@dataclass(frozen=True)
class Known:
    """What the control plane knows. Placed before or after the look counts: what comes or goes is no orphan."""

    placed: dict[UUID, Place]
    settled: frozenset[UUID]
    cells: list[CellView]


def orphans(engine: Engine, world: World) -> list[Orphan]:
    """Everything out of place, in all cells and stores. Reads only; takes seconds with thousands of organisations."""
    before = _known(engine)
    seen = [
        (cell, database, _inventory(engine, world, database)) for cell in before.cells for database in cell.databases
    ]
    stores = [(cell, _store_inventory(world, cell)) for cell in before.cells]
    after = _known(engine)
    known = Known(before.placed | after.placed, before.settled & after.settled, after.cells)
    found: list[Orphan] = []
    for _cell, database, inventory in seen:
        found += _in_database(known, database, inventory)
    for cell, names in stores:
        found += _in_store(known, cell, names)
    return found + list(_miscounted(after))


def _known(engine: Engine) -> Known:
    with transaction(engine) as session:
        settled = select(Provisioning.organisation_id).where(
            Provisioning.settled_generation == Provisioning.generation, Provisioning.desired != "absent"
        )
        return Known(placement.placements(session), frozenset(session.scalars(settled)), placement.cells(session))


def _inventory(engine: Engine, world: World, database: DatabaseView) -> Inventory | None:
    try:
        with transaction(engine) as session:
            contract = world.databases.get(session, database.id)
        return contract.inventory()
    except Unavailable:
        return None


def _store_inventory(world: World, cell: CellView) -> tuple[set[str], set[str]] | None:
    try:
        return world.store_of(cell).inventory()
    except (Unavailable, Refusal):
        return None


def _in_database(known: Known, database: DatabaseView, inventory: Inventory | None) -> list[Orphan]:
    where = database.name
    if inventory is None:
        return [Orphan("unreachable", where, where)]
    here = {one for one, place in known.placed.items() if place.database_id == database.id}
    taken = {owner: slot for slot, owner in inventory.slots.items() if owner is not None}
    found = [Orphan("slot", where, slot, owner) for owner, slot in taken.items() if owner not in here]
    found += [Orphan("record", where, slot, one) for one, slot in inventory.tenants.items() if one not in here]
    found += [Orphan("host", where, host, one) for host, one in inventory.hosts.items() if one not in here]
    found += [Orphan("schema_or_role", where, name) for name in sorted(inventory.orphans)]
    wanted = here & known.settled
    found += [Orphan("missing_slot", where, str(one), one) for one in sorted(wanted - taken.keys())]
    return found + [Orphan("missing_record", where, str(one), one) for one in sorted(wanted - inventory.tenants.keys())]


def _in_store(known: Known, cell: CellView, names: tuple[set[str], set[str]] | None) -> list[Orphan]:
    where = f"store of {cell.name}"
    if names is None:
        return [Orphan("unreachable", where, where, cell=cell.name)]
    here = [one for one, place in known.placed.items() if place.cell_id == cell.id]
    accounts, buckets = names
    known_accounts = {storage.account_name(one) for one in here}
    known_buckets = {storage.bucket_name(one) for one in here}
    found = [Orphan("account", where, name, cell=cell.name) for name in sorted(accounts - known_accounts)]
    found += [Orphan("bucket", where, name, cell=cell.name) for name in sorted(buckets - known_buckets)]
    wanted = {storage.account_name(one): one for one in here if one in known.settled}
    missing = sorted(wanted.keys() - accounts)
    return found + [Orphan("missing_account", where, name, wanted[name], cell.name) for name in missing]


def _miscounted(known: Known) -> Iterator[Orphan]:
    for cell in known.cells:
        for database in cell.databases:
            counted = sum(place.database_id == database.id for place in known.placed.values())
            if counted != database.tenants:
                yield Orphan("count", database.name, f"{database.tenants} counted, {counted} placed")
