"""What is known of storage, as views."""

from control_plane.fleet import StoreView
from control_plane.operator_api import storage_schemas as schemas
from control_plane.operator_api.presenting import fields
from control_plane.organisations import StorageView
from control_plane.provisioning import KeysView


def store_view(store: StoreView) -> schemas.StoreView:
    """A cell's store."""
    checks = [schemas.StoreCheckView(**fields(one, schemas.StoreCheckView)) for one in store.checks]
    return schemas.StoreView(checks=checks, **fields(store, schemas.StoreView, {"checks"}))


def storage_view(seen: StorageView) -> schemas.StorageView:
    """An organisation's storage."""
    made = {"workspace", "store", "store_trouble", "comparison", "keys"}
    return schemas.StorageView(
        workspace=_workspace(seen),
        store=_store(seen),
        store_trouble=seen.trouble,
        comparison=_comparison(seen),
        keys=keys_view(seen.keys),
        **fields(seen, schemas.StorageView, made),
    )


def _workspace(seen: StorageView) -> schemas.WorkspaceCount | None:
    if seen.workspace is None:
        return None
    return schemas.WorkspaceCount(bytes=seen.workspace.storage_bytes, measured_at=seen.workspace.measured_at)


def _store(seen: StorageView) -> schemas.StoreCount | None:
    counted = seen.store
    if counted is None:
        return None
    return schemas.StoreCount(
        bytes=counted.used_bytes, objects=counted.objects, limit_bytes=counted.quota_bytes, mode=counted.mode
    )


def _comparison(seen: StorageView) -> schemas.ComparisonView:
    told = seen.workspace
    return schemas.ComparisonView(
        pending=seen.comparing,
        at=told.reconciled_at if told else None,
        store_bytes=told.store_bytes if told else None,
        store_objects=told.store_objects if told else None,
        orphans=told.orphans if told else 0,
        missing=told.missing if told else 0,
    )


def keys_view(keys: KeysView) -> schemas.KeysView:
    """Keys, never a secret."""
    return schemas.KeysView(
        store=[schemas.StoreKeyView(**fields(one, schemas.StoreKeyView)) for one in keys.store],
        data=[schemas.DataKeyView(**fields(one, schemas.DataKeyView)) for one in keys.data],
    )
