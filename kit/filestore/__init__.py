"""The embedded object store: buckets of files on disk, with accounts, keys, hard quotas and freezes.

It stands in for Ceph where none is wanted. The control plane administers it (`FileStore`); bytes move through its
gateway (`kit.filestore.gateway:app`), which speaks S3. Both run in several processes, so every decision that must hold
is taken under a file lock.

    <root>/accounts/<account>.json          keys and mode
    <root>/keys/<key id>                    whose key it is
    <root>/buckets/<bucket>/bucket.json     account, quota, origins
    <root>/buckets/<bucket>/used            bytes counted against the quota
    <root>/buckets/<bucket>/objects/ab/<id> an object, whole or absent: a file, or a folder of parts with its manifest
    <root>/buckets/<bucket>/incoming/       uploads under way; a crash leaves them here for the sweep
"""

from kit.filestore.rows import Account, BucketRow, Mode
from kit.filestore.store import FileStore

__all__ = ["Account", "BucketRow", "FileStore", "Mode"]
