"""The embedded store as an `ObjectStore`."""

from dataclasses import dataclass
from pathlib import Path

from control_plane.storage.store import AccessKey, Mode, Usage
from kit.errors import Unavailable
from kit.filestore import FileStore


@dataclass(frozen=True)
class FileObjectStore:
    """Accounts and buckets of a `FileStore`; a full or missing disk is worth another try."""

    store: FileStore

    @classmethod
    def at(cls, root: Path | str) -> "FileObjectStore":
        """The store whose files lie under `root`."""
        return cls(FileStore(Path(root)))

    def ensure_account(self, account: str, key: AccessKey, fence: int) -> bool:
        """See `ObjectStore`."""
        with _disk():
            return self.store.ensure_account(account, key.key_id, key.secret, fence)

    def ensure_bucket(self, bucket: str, account: str, quota_bytes: int | None, fence: int) -> bool:
        """See `ObjectStore`."""
        with _disk():
            return self.store.ensure_bucket(bucket, account, quota_bytes, fence)

    def ensure_mode(self, account: str, mode: Mode, fence: int) -> bool:
        """See `ObjectStore`."""
        with _disk():
            return self.store.ensure_mode(account, mode, fence)

    def usage(self, bucket: str, account: str) -> Usage | None:
        """See `ObjectStore`."""
        with _disk():
            row, owner = self.store.bucket(bucket), self.store.account(account)
            if row is None or owner is None:
                return None
            return Usage(self.store.used(bucket), row.quota_bytes, owner.mode)

    def remove(self, bucket: str, account: str, fence: int) -> bool:
        """See `ObjectStore`."""
        with _disk():
            return self.store.remove(account, bucket, fence)

    def inventory(self) -> tuple[set[str], set[str]]:
        """See `ObjectStore`."""
        with _disk():
            return self.store.inventory()


class _disk:  # noqa: N801 - reads as a verb where it is used
    """An error of the disk is `Unavailable`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise Unavailable("store_unavailable", str(error)) from error
