"""The file that tells a tenant app its cell: databases with their addresses, and the object store."""

import base64
from pathlib import Path
from typing import Any

import msgspec

from kit.vault import Vault


class CellDatabaseAddress(msgspec.Struct, frozen=True):
    """One database of the cell, and the tenant app's own login to it."""

    name: str
    url: str


class CellFile(msgspec.Struct, frozen=True):
    """The whole file. What `store` holds is the drive's business."""

    cell: str
    databases: tuple[CellDatabaseAddress, ...]
    store: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def seals(self) -> Vault:
        """What seals this cell's small secrets; its key stands here and in no database."""
        return Vault(base64.b64decode(self.store["key"]))


def read_cell_file(path: Path) -> CellFile:
    """Parse the file; raises ValueError that names the file and what is wrong with it."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=CellFile)
    except msgspec.MsgspecError as error:
        msg = f"{path}: not a cell file: {error}"
        raise ValueError(msg) from error
