"""What is known of storage, as views."""

from control_plane.fleet import StoreMirror, StoreView
from control_plane.operator_api import storage_schemas as schemas
from control_plane.operator_api.mirror_schemas import MirrorFindingView
from control_plane.operator_api.mirror_schemas import MirrorRunView as MirrorRunAnswer
from control_plane.operator_api.mirror_schemas import MirrorView as MirrorAnswer
from control_plane.operator_api.presenting import fields
from control_plane.organisations import StorageView
from control_plane.provisioning import KeysView
from control_plane.storage import Check, MirrorRunView, MirrorView


def store_view(store: StoreView) -> schemas.StoreView:
    """A cell's store."""
    mirror = _store_mirror(store.mirror) if store.mirror else None
    made = {"checks", "mirror"}
    return schemas.StoreView(checks=_checks(store.checks), mirror=mirror, **fields(store, schemas.StoreView, made))


def _store_mirror(mirror: StoreMirror) -> schemas.StoreMirrorView:
    told = fields(mirror.summary, schemas.StoreMirrorView, {"checks", "well"})
    return schemas.StoreMirrorView(checks=_checks(mirror.checks), well=mirror.well, **told)


def _checks(checks: list[Check]) -> list[schemas.StoreCheckView]:
    return [schemas.StoreCheckView(**fields(one, schemas.StoreCheckView)) for one in checks]


def storage_view(seen: StorageView) -> schemas.StorageView:
    """An organisation's storage."""
    made = {"workspace", "store", "store_trouble", "comparison", "keys", "mirror"}
    return schemas.StorageView(
        workspace=_workspace(seen),
        store=_store(seen),
        store_trouble=seen.trouble,
        comparison=_comparison(seen),
        keys=keys_view(seen.keys),
        mirror=mirror_view(seen.mirror) if seen.mirror else None,
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


def mirror_view(mirror: MirrorView) -> MirrorAnswer:
    """An organisation's mirror."""
    return MirrorAnswer(run=run_view(mirror.run) if mirror.run else None, **fields(mirror, MirrorAnswer, {"run"}))


def run_view(run: MirrorRunView) -> MirrorRunAnswer:
    """A verification or a restoration."""
    findings = [MirrorFindingView(key=one["key"], what=one["what"]) for one in run.findings]
    return MirrorRunAnswer(findings=findings, **fields(run, MirrorRunAnswer, {"findings"}))
