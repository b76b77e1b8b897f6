"""Adding cells and databases, and opening the connection to one."""

import re
import threading
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from control_plane import audit
from control_plane.audit import Actor
from control_plane.placement.models import Cell, CellDatabase
from control_plane.placement.service import cell as cell_called
from control_plane.placement.stores import seal_key, sealed_store
from control_plane.placement.views import CellView, Check, DatabaseView
from kit.db import vault_of
from kit.errors import Refusal, Unavailable
from kit.ids import new_id
from kit.vault import Vault
from tenant_app.contract import CellDatabase as Contract

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
DATABASE = re.compile(r"[a-z][a-z0-9_]{0,50}")
MOST_TENANTS = 2000
MOST_SPARES = 500
ADMIN, APP = "cell-database-admin", "cell-database-app"


def add_cell(  # noqa: PLR0917 - as a form has them
    session: Session, name: str, region: str, qualities: list[str], store: dict[str, Any], actor: Actor
) -> CellView:
    """A new cell, still without a database. `store` is as `storage.open_store` takes it, its secrets still in plain."""
    for field, value in {
        "name": name,
        "region": region,
        **{f"qualities.{n}": q for n, q in enumerate(qualities)},
    }.items():
        if len(value) > 40 or not NAME.fullmatch(value):
            message = "Use up to 40 small letters, digits and single dashes, beginning with a letter."
            raise Refusal("bad_name", message, field=field)
    if session.scalar(select(Cell.id).where(Cell.name == name)):
        raise Refusal("cell_exists", "There is a cell called {cell} already.", field="name", status=409, cell=name)
    vault = vault_of(session)
    row = Cell(
        id=new_id(),
        name=name,
        region=region,
        qualities=sorted(set(qualities)),
        store=sealed_store(vault, name, store),
        key_sealed=seal_key(vault, name, Vault.fresh().master),
        open=True,
    )
    session.add(row)
    session.flush()
    data = {"cell": name, "region": region, "qualities": row.qualities}
    audit.record(session, "cell.added", actor=actor, data=data)
    return cell_called(session, name)


def open_cell(session: Session, name: str, *, open: bool, actor: Actor) -> CellView:  # noqa: A002 - the column's word
    """Let a cell take new organisations, or keep it to those it has."""
    row = session.scalar(select(Cell).where(Cell.name == name).with_for_update())
    if row is None:
        raise Refusal("unknown_cell", "There is no cell called {cell}.", field="cell", status=404, cell=name)
    if row.open != open:
        row.open = open
        session.flush()
        audit.record(session, "cell.opened" if open else "cell.closed", actor=actor, data={"cell": name})
    return cell_called(session, name)


def add_database(  # noqa: PLR0917 - as a form has them
    session: Session, vault: Vault, cell_name: str, admin_url: str, capacity: int, spares: int, actor: Actor
) -> DatabaseView:
    """Prepare a PostgreSQL ≥ 18 from its administrator's address alone and add it to the cell.

    Roles, directory and hardening are made there; the application's own login gets a fresh password, kept sealed.
    """
    cell = session.scalar(select(Cell).where(Cell.name == cell_name))
    if cell is None:
        raise Refusal("unknown_cell", "There is no cell called {cell}.", field="cell", status=404, cell=cell_name)
    name = _database_name(admin_url)
    _check_numbers(capacity, spares)
    if session.scalar(select(CellDatabase.id).where(CellDatabase.name == name)):
        message = "A database called {database} belongs to a cell already."
        raise Refusal("database_exists", message, field="admin_url", status=409, database=name)
    app_url = Contract(admin_url).prepare()
    row = CellDatabase(
        id=new_id(),
        cell_id=cell.id,
        name=name,
        admin_url_sealed=vault.seal(admin_url, ADMIN),
        app_url_sealed=vault.seal(app_url, APP),
        capacity=capacity,
        spares_wanted=spares,
    )
    session.add(row)
    session.flush()
    data = {"cell": cell_name, "database": name, "capacity": capacity, "spares": spares}
    audit.record(session, "cell.database_added", actor=actor, data=data)
    return DatabaseView.of(row)


def _database_name(admin_url: str) -> str:
    try:
        parts = urlsplit(admin_url)
        name = parts.path.removeprefix("/")
        good = parts.scheme in {"postgresql", "postgres"} and DATABASE.fullmatch(name)
    except ValueError:
        good = None
    if not good:
        message = "Give an address such as postgresql://user:password@host:5432/database, the name in small letters."
        raise Refusal("bad_url", message, field="admin_url")
    return name


def _check_numbers(capacity: int, spares: int) -> None:
    if not 1 <= capacity <= MOST_TENANTS:
        message = "A database holds 1 to {most} tenants."
        raise Refusal("out_of_range", message, field="capacity", most=MOST_TENANTS)
    if not 0 <= spares <= MOST_SPARES:
        raise Refusal("out_of_range", "A stock has 0 to {most} spares.", field="spares", most=MOST_SPARES)


def set_spares(session: Session, database: str, spares: int, actor: Actor) -> DatabaseView:
    """Change how many ready slots a database keeps."""
    _check_numbers(1, spares)
    row = session.scalar(select(CellDatabase).where(CellDatabase.name == database).with_for_update())
    if row is None:
        raise Refusal("unknown_database", "There is no database called {database}.", status=404, database=database)
    before, row.spares_wanted = row.spares_wanted, spares
    session.flush()
    data = {"database": database, "before": before, "after": spares}
    audit.record(session, "cell.spares_set", actor=actor, data=data)
    return DatabaseView.of(row)


def note_seen(session: Session, database_id: UUID, *, spares: int, schema_version: str | None) -> None:
    """Remember what a visit to a database saw."""
    seen = {"spares_seen": spares, "schema_version": schema_version, "seen_at": func.now(), "trouble": None}
    session.execute(update(CellDatabase).where(CellDatabase.id == database_id).values(**seen))


def note_trouble(session: Session, database_id: UUID, trouble: str) -> None:
    """Remember that a visit failed; the figures of the last good one stay."""
    session.execute(update(CellDatabase).where(CellDatabase.id == database_id).values(trouble=trouble))


def verify(session: Session, vault: Vault, cell_name: str) -> list[Check]:
    """Look at each database of a cell: version, roles, directory, hardening. An unreachable one is a failed check."""
    wanted = cell_called(session, cell_name)
    checks: list[Check] = []
    for database in wanted.databases:
        try:
            found = Contract(admin_url(session, vault, database.id)).verify()
            checks += [Check(database.name, one.name, one.ok, one.detail) for one in found]
        except Unavailable as error:
            checks.append(Check(database.name, "reachable", False, error.detail or error.code))
    return checks


def admin_url(session: Session, vault: Vault, database_id: UUID) -> str:
    """The administrator's address of a database. It carries a password."""
    row = session.get_one(CellDatabase, database_id)
    return vault.open(row.admin_url_sealed, ADMIN)


def tenant_app_url(session: Session, vault: Vault, database_id: UUID) -> str:
    """The tenant app's address of a database. It carries a password."""
    row = session.get_one(CellDatabase, database_id)
    return vault.open(row.app_url_sealed, APP)


class Databases:
    """The cells' databases, each opened once in a process and shared by its threads."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._open: dict[UUID, Contract] = {}
        self._lock = threading.Lock()

    def get(self, session: Session, database_id: UUID) -> Contract:
        """The administrator's side of one database."""
        with self._lock:
            if database_id not in self._open:
                self._open[database_id] = Contract(admin_url(session, self._vault, database_id))
            return self._open[database_id]

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for database in self._open.values():
                database.close()
            self._open.clear()
