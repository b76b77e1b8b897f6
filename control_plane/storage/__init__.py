"""The object store's administrator side: accounts, keys, buckets, quotas, usage."""

from control_plane.placement import cell_vault
from control_plane.storage.ceph import CephObjectStore
from control_plane.storage.files import FileObjectStore
from control_plane.storage.inspecting import REACHABLE, RIGHTS
from control_plane.storage.keys import Keyring, data_key_name, file_key, keyring, leaving, record_of_store
from control_plane.storage.keys_chest import passing_access_key
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
    "data_key_name",
    "destroy",
    "end_use",
    "file_key",
    "keyring",
    "keys_of",
    "leaving",
    "next_data_key",
    "next_store_key",
    "note_confirmed",
    "note_published",
    "note_stored",
    "open_store",
    "overlaps",
    "passing_access_key",
    "record_of_store",
    "unadopted",
]
