"""The embedded object store: buckets of files on disk, with accounts, keys, hard quotas and freezes.

It stands in for Ceph where none is wanted. The control plane administers it (`FileStore`), the tenant app moves bytes
through it (`Bucket`); both may run in several processes, so every decision that must hold is taken under a file lock.

    <root>/accounts/<account>.json          keys and mode
    <root>/buckets/<bucket>/bucket.json     account and quota
    <root>/buckets/<bucket>/used            bytes counted against the quota
    <root>/buckets/<bucket>/objects/ab/<id> an object, whole or absent
    <root>/buckets/<bucket>/incoming/       uploads under way; a crash leaves them here for the sweep
"""

from kit.filestore.bucket import Bucket, Upload
from kit.filestore.rows import Account, BucketRow, Mode, Stored
from kit.filestore.store import FileStore, open_bucket

__all__ = ["Account", "Bucket", "BucketRow", "FileStore", "Mode", "Stored", "Upload", "open_bucket"]
