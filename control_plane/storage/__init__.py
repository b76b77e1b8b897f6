"""The object store's administrator side: accounts, keys, buckets, quotas, usage."""

from typing import Any

from control_plane.storage.files import FileObjectStore
from control_plane.storage.store import (
    AccessKey,
    Mode,
    ObjectStore,
    Usage,
    access_key,
    account_name,
    bucket_name,
    cell_vault,
    record_of_store,
)
from kit.errors import Refusal

__all__ = [
    "AccessKey",
    "FileObjectStore",
    "Mode",
    "ObjectStore",
    "Usage",
    "access_key",
    "account_name",
    "bucket_name",
    "cell_vault",
    "open_store",
    "record_of_store",
]


def open_store(settings: dict[str, Any]) -> ObjectStore:
    """The store that a cell names: `{"kind": "files", "root": "…"}`."""
    if settings.get("kind") == "files" and settings.get("root"):
        return FileObjectStore.at(settings["root"])
    raise Refusal(
        "store_unknown",
        "A cell's store is given as kind “files” with a root folder; “{kind}” is not known.",
        field="store",
        kind=str(settings.get("kind")),
    )
