"""Opening the store that a cell's settings name. A wrong setting is refused with its name and what was expected."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from control_plane.storage.ceph import CephObjectStore
from control_plane.storage.files import FileObjectStore
from control_plane.storage.store import AccessKey, ObjectStore
from kit.errors import Refusal
from kit.vault import Vault


def open_store(settings: dict[str, Any], vault: Vault, cell: str) -> ObjectStore:
    """The store of a cell, without a word to it yet.

    `{"kind": "files", "root"}`, or `{"kind": "ceph", "endpoint", "admin_key_id", "admin_secret_sealed", "region",
    "ca_file"}`: the administrator's secret is sealed by the vault for this cell (`admin_purpose`).
    """
    kind = settings.get("kind")
    if kind == "files":
        return FileObjectStore.at(needed(settings, "root"))
    if kind == "ceph":
        return _ceph(settings, vault, cell)
    raise Refusal(
        "store_unknown",
        "A cell's store is of kind “files” or “ceph”; “{kind}” is not known.",
        field="store.kind",
        kind=str(kind),
    )


def admin_purpose(cell: str) -> str:
    """What the administrator's secret of a cell's store is sealed for."""
    return f"store-admin:{cell}"


def _ceph(settings: dict[str, Any], vault: Vault, cell: str) -> CephObjectStore:
    endpoint = address(settings, "endpoint")
    if settings.get("public_endpoint"):
        address(settings, "public_endpoint")
    key_id, sealed = needed(settings, "admin_key_id"), needed(settings, "admin_secret_sealed")
    region, trusted = settings.get("region") or "default", ca_file(settings)
    key = AccessKey(key_id, vault.open(sealed, admin_purpose(cell)))
    return CephObjectStore.at(endpoint, key, region, trusted)


def needed(settings: dict[str, Any], name: str) -> str:
    """A setting that must be there."""
    value = settings.get(name)
    if isinstance(value, str) and value.strip():
        return value
    raise Refusal("store_incomplete", "The cell's store needs the setting “{name}”.", field=f"store.{name}", name=name)


def address(settings: dict[str, Any], name: str) -> str:
    """An address of the kind `https://gateway.example:8443`, without a slash at its end."""
    value = needed(settings, name).rstrip("/")
    if _is_address(value):
        return value
    raise Refusal(
        "store_address_wrong",
        "“{name}” is an address such as https://gateway.example, without a path.",
        field=f"store.{name}",
        name=name,
    )


def _is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return whole and not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)


def ca_file(settings: dict[str, Any]) -> Path | None:
    """The file of certificates that is trusted beside the system's, if one is named."""
    value = settings.get("ca_file")
    if not value:
        return None
    if Path(value).is_file():
        return Path(value)
    raise Refusal(
        "store_ca_missing",
        "The file of certificates “{path}” cannot be found here.",
        field="store.ca_file",
        path=str(value),
    )
