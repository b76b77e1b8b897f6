"""Cells as views."""

from datetime import datetime
from typing import Any

from control_plane.operator_api import cell_schemas as schemas
from control_plane.operator_api.presenting import fields
from control_plane.placement import CellView

RETENTION_DAYS = 30


def cell_view(cell: CellView) -> schemas.CellView:
    """A cell, its databases without their addresses, its store without its secrets."""
    databases = [schemas.DatabaseView(**fields(one, schemas.DatabaseView)) for one in cell.databases]
    made = {"databases", "store"}
    return schemas.CellView(databases=databases, store=_settings(cell.store), **fields(cell, schemas.CellView, made))


def _settings(store: dict[str, Any]) -> schemas.StoreSettingsView:
    # By name: what is not named here cannot slip out.
    named = ("endpoint", "public_endpoint", "root", "admin_key_id", "ca_file")
    return schemas.StoreSettingsView(
        kind=str(store.get("kind")),
        admin_key_since=datetime.fromisoformat(since) if (since := store.get("admin_key_since")) else None,
        admin_keys_retiring=[one["key_id"] for one in store.get("admin_keys_retiring", [])],
        region=store.get("region") or "default",
        tenant_keys=bool(store.get("tenant_keys")),
        mirror=_mirror(store["mirror"]) if store.get("mirror") else None,
        **{name: store.get(name) for name in named},
    )


def _mirror(mirror: dict[str, Any]) -> schemas.MirrorSettingsView:
    return schemas.MirrorSettingsView(
        endpoint=mirror["endpoint"],
        key_id=mirror["key_id"],
        region=mirror.get("region") or "default",
        ca_file=mirror.get("ca_file"),
        retention_days=mirror.get("retention_days", RETENTION_DAYS),
        tenant_keys=bool(mirror.get("tenant_keys")),
    )
