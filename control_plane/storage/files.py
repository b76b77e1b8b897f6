"""The embedded store as an `ObjectStore`."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from control_plane.storage import allowance, errors
from control_plane.storage.store import AccessKey, BucketWish, Check, Mode, Usage
from kit.errors import Unavailable
from kit.filestore import FileStore

LEAST_FREE = 10**9


@dataclass(frozen=True)
class FileObjectStore:
    """Accounts and buckets of a `FileStore`; a full or missing disk is worth another try."""

    store: FileStore

    @classmethod
    def at(cls, root: Path | str) -> "FileObjectStore":
        """The store whose files lie under `root`."""
        return cls(FileStore(Path(root)))

    def ensure_account(self, account: str, keys: Sequence[AccessKey], fence: int) -> bool:
        """See `ObjectStore`."""
        errors.require_ours(account)
        with _disk():
            return self.store.ensure_account(account, {key.key_id: key.secret for key in keys}, fence)

    def ensure_bucket(self, bucket: str, account: str, key: AccessKey, wish: BucketWish, fence: int) -> bool:  # noqa: ARG002 - the administrator needs no key here
        """See `ObjectStore`."""
        errors.require_ours(bucket, account)
        hard = None if wish.quota_bytes is None else allowance.hard_kib(wish.quota_bytes) * allowance.KIB
        with _disk():
            return self.store.ensure_bucket(bucket, account, hard, wish.origins, fence)

    def ensure_mode(self, account: str, mode: Mode, fence: int) -> bool:
        """See `ObjectStore`."""
        errors.require_ours(account)
        with _disk():
            return self.store.ensure_mode(account, mode, fence)

    def usage(self, bucket: str, account: str) -> Usage | None:
        """See `ObjectStore`."""
        errors.require_ours(bucket, account)
        with _disk():
            row, owner = self.store.bucket(bucket), self.store.account(account)
            if row is None or owner is None or row.account != account:
                return None
            hard = row.quota_bytes
            return Usage(
                used_bytes=self.store.used(bucket),
                objects=self.store.objects(bucket),
                quota_bytes=None if hard is None else allowance.sold_bytes(hard // allowance.KIB),
                mode=owner.mode,
                key_ids=frozenset(owner.keys),
            )

    def remove(self, bucket: str, account: str, key: AccessKey, fence: int) -> bool:  # noqa: ARG002 - the same
        """See `ObjectStore`."""
        errors.require_ours(bucket, account)
        with _disk():
            row = self.store.bucket(bucket)
            if row is not None and row.account != account:
                raise errors.bucket_taken()
            return self.store.remove(account, bucket, fence)

    def inventory(self) -> tuple[set[str], set[str]]:
        """See `ObjectStore`."""
        with _disk():
            accounts, buckets = self.store.inventory()
            return errors.ours(accounts), errors.ours(buckets)

    def check(self) -> list[Check]:
        """See `ObjectStore`."""
        root = self.store.root
        try:
            root.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(root).free
        except OSError as error:
            return [Check(name="the folder can be used", ok=False, detail=str(error))]
        return [
            Check(name="the folder can be used", ok=True, detail=str(root)),
            Check(name="the disk has room", ok=free > LEAST_FREE, detail=f"{free // 10**6} MB free"),
        ]


class _disk:  # noqa: N801 - reads as a verb where it is used
    """An error of the disk is `Unavailable`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise Unavailable("store_unavailable", str(error)) from error
