"""The object store's administrator side: accounts, keys, buckets, quotas, usage."""

from control_plane.placement import cell_vault
from control_plane.storage.ceph import CephObjectStore
from control_plane.storage.files import FileObjectStore
from control_plane.storage.inspecting import REACHABLE, RIGHTS
from control_plane.storage.keys import Keyring, data_key_name, file_key, keyring, leaving, record_of_store
from control_plane.storage.keys_chest import fresh_admin_key, passing_access_key
from control_plane.storage.keys_rotation import (
    Ended,
    Overlap,
    adopt,
    aged,
    destroy,
    end_use,
    next_data_key,
    next_store_key,
    note_confirmed,
    note_published,
    note_stored,
    overlaps,
    unadopted,
)
from control_plane.storage.keys_views import DataKeyView, KeysView, StoreKeyView, keys_of
from control_plane.storage.mirror_ledger import MirrorPace
from control_plane.storage.mirror_removal import forget_mirror, remove_mirror
from control_plane.storage.mirror_services import mirror_now, restore_mirror, verify_mirror
from control_plane.storage.mirror_settings import MirrorTarget, check_mirror, open_mirror
from control_plane.storage.mirror_views import (
    MirrorRunView,
    MirrorSummary,
    MirrorView,
    mirror_run,
    mirror_runs,
    mirror_status,
    mirror_summary,
    mirrors,
)
from control_plane.storage.mirror_work import Mirroring
from control_plane.storage.opening import open_store
from control_plane.storage.store import (
    AccessKey,
    BucketWish,
    Check,
    Mode,
    ObjectStore,
    Usage,
    account_name,
    bucket_name,
)

__all__ = [
    "REACHABLE",
    "RIGHTS",
    "AccessKey",
    "BucketWish",
    "CephObjectStore",
    "Check",
    "DataKeyView",
    "Ended",
    "FileObjectStore",
    "Keyring",
    "KeysView",
    "MirrorPace",
    "MirrorRunView",
    "MirrorSummary",
    "MirrorTarget",
    "MirrorView",
    "Mirroring",
    "Mode",
    "ObjectStore",
    "Overlap",
    "StoreKeyView",
    "Usage",
    "account_name",
    "adopt",
    "aged",
    "bucket_name",
    "cell_vault",
    "check_mirror",
    "data_key_name",
    "destroy",
    "end_use",
    "file_key",
    "forget_mirror",
    "fresh_admin_key",
    "keyring",
    "keys_of",
    "leaving",
    "mirror_now",
    "mirror_run",
    "mirror_runs",
    "mirror_status",
    "mirror_summary",
    "mirrors",
    "next_data_key",
    "next_store_key",
    "note_confirmed",
    "note_published",
    "note_stored",
    "open_mirror",
    "open_store",
    "overlaps",
    "passing_access_key",
    "record_of_store",
    "remove_mirror",
    "restore_mirror",
    "unadopted",
    "verify_mirror",
]
