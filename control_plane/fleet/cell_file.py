"""The file by which a cell's tenant app knows its databases and its store. It carries secrets: mode 0600."""

import base64
import os
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.orm import Session

from control_plane import placement
from kit.ids import new_id
from kit.vault import Vault

STORE = ("endpoint", "public_endpoint", "region", "ca_file")


def cell_file(session: Session, vault: Vault, cell: str) -> dict[str, Any]:
    """What a cell is told: the addresses of its databases with its own logins, its store, the key of its seals."""
    view = placement.cell(session, cell)
    return {
        "cell": view.name,
        "databases": [
            {"name": database.name, "url": placement.tenant_app_url(session, vault, database.id)}
            for database in view.databases
        ],
        "store": _store(view.store, placement.cell_vault(session, vault, view.name)),
    }


def _store(settings: dict[str, Any], seals: Vault) -> dict[str, Any]:
    """How the tenant app reaches its store; what administers the store stays here."""
    told = {name: settings[name] for name in STORE if settings.get(name)}
    return {"region": "default", **told, "key": base64.b64encode(seals.master).decode()}


def write_cell_file(session: Session, vault: Vault, cell: str, path: Path) -> bool:
    """Bring the cell's file up to date; readers see the old one or the new one. True when it changed."""
    content = msgspec.json.format(msgspec.json.encode(cell_file(session, vault, cell)))
    if path.exists() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    passing = path.with_name(f".{path.name}.{new_id()}")
    with os.fdopen(os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    passing.rename(path)
    return True


def refresh_cell_file(session: Session, vault: Vault, path: Path | None) -> bool:
    """Bring the file of the cell that it names up to date, where this process has one; True when it changed.

    A tenant app on this machine then serves a new database without a word from anybody.
    """
    if path is None or not path.exists():
        return False
    return write_cell_file(session, vault, msgspec.json.decode(path.read_bytes())["cell"], path)
