"""The database of a product's workspaces: what the control plane has told a workspace is in it a moment later."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from uuid import UUID

from control_plane.embedded.firstrun import CELL_DATABASE
from tenant_app.contract import CellDatabase, TenantRecord
from tests.world.product import Product
from tests.world.waiting import eventually

# A process that has not been heard of for so long serves nobody.
SILENT = timedelta(seconds=20)


def postgres(product: Product) -> str:
    """The administrator's address of its server, without a database."""
    drawn = json.loads((product.var / "secrets.json").read_text())
    return f"postgresql://postgres:{drawn['postgres_password']}@127.0.0.1:{drawn['postgres_port']}"


@contextmanager
def cell_of(product: Product) -> Iterator[CellDatabase]:
    """The cell's database, as the control plane reads and writes it."""
    with closing(CellDatabase(f"{postgres(product)}/{CELL_DATABASE}")) as cell:
        yield cell


def organisation_of(product: Product, address: str) -> UUID:
    with product.api() as api:
        return UUID(api.get(f"/organisations/{address}").raise_for_status().json()["id"])


def told(cell: CellDatabase, organisation: UUID) -> TenantRecord:
    """What the workspace has been told."""
    record = cell.inspect(organisation).record
    assert record
    return record


def wait_until_served(product: Product, address: str, true: Callable[[TenantRecord], bool]) -> None:
    """Until the workspace has been told so, and every process that serves it has read that."""
    organisation = organisation_of(product, address)
    with cell_of(product) as cell:
        eventually(lambda: true(told(cell, organisation)))
        changed = cell.changed_at(organisation)
        eventually(lambda: (cell.served(SILENT) or 0) >= (changed or 0))
