"""The administrator's side of the store."""

import base64
import contextlib
import hmac
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from kit.errors import Refusal, Unavailable
from kit.filestore import disk
from kit.filestore.bucket import Bucket
from kit.filestore.rows import Account, BucketRow, Mode
from kit.ids import new_id
from kit.vault import Vault


@dataclass(frozen=True)
class FileStore:
    """The administrator's side. Every method says `ensure`: a second run finds the first one's work."""

    root: Path

    def account(self, name: str) -> Account | None:
        """The account, or None."""
        found = disk.read(self._account_path(name), Account)
        return None if found is None or found.gone else found

    @contextlib.contextmanager
    def _admitted(self, name: str, fence: int) -> Iterator[Account]:
        """The account for writing, one administrator at a time; an older lease is turned away as `fenced`."""
        path = self._account_path(name)
        with disk.locked(path, make=True):
            account = disk.read(path, Account) or Account(name=name, gone=True)
            if fence < account.fence:
                raise Unavailable("fenced", f"a newer lease than {fence} works on {name}")
            before = msgspec.json.encode(account)
            account.fence = fence
            yield account
            if msgspec.json.encode(account) != before:
                disk.write(path, account)

    def ensure_account(self, name: str, key_id: str, secret: str, fence: int = 0) -> bool:
        """The account exists and holds this key; other keys stay. True when something changed."""
        with self._admitted(name, fence) as account:
            changed = account.gone or account.keys.get(key_id) != secret
            account.gone = False
            account.keys[key_id] = secret
            return changed

    def remove_key(self, name: str, key_id: str, fence: int = 0) -> bool:
        """The account no longer holds this key."""
        with self._admitted(name, fence) as account:
            return account.keys.pop(key_id, None) is not None

    def ensure_mode(self, name: str, mode: Mode, fence: int = 0) -> bool:
        """The account is open, read-only or suspended from the next request on."""
        with self._admitted(name, fence) as account:
            if account.gone:
                raise Unavailable("store_account_missing", name)
            changed = account.mode != mode
            account.mode = mode
            return changed

    def bucket(self, name: str) -> BucketRow | None:
        """The bucket's row, or None."""
        return disk.read(self._bucket_path(name) / "bucket.json", BucketRow)

    def ensure_bucket(self, name: str, account: str, quota_bytes: int | None, fence: int = 0) -> bool:
        """The bucket exists, belongs to `account` and has this limit. True when something changed."""
        folder = self._bucket_path(name)
        wanted = BucketRow(account=account, quota_bytes=quota_bytes)
        with self._admitted(account, fence) as owner, disk.locked(folder / "bucket.json", make=True):
            if owner.gone:
                raise Unavailable("store_account_missing", account)
            present = disk.read(folder / "bucket.json", BucketRow)
            if present is not None and present.account != account:
                raise Refusal("bucket_taken", "This bucket belongs to another account.", status=409)
            whole = all((folder / part).is_dir() for part in ("objects", "incoming"))
            if present == wanted and whole:
                return False
            for part in ("objects", "incoming"):
                (folder / part).mkdir(exist_ok=True)
            disk.write(folder / "bucket.json", wanted)
            return True

    def used(self, name: str) -> int:
        """Bytes counted against the quota."""
        return disk.count(self._bucket_path(name))

    def recount(self, name: str) -> int:
        """Count the objects anew (a crash may have left the figure too high) and return the bytes."""
        folder = self._bucket_path(name)
        with disk.locked(folder / "used"):
            total = sum(path.stat().st_size for path in disk.objects(folder))
            disk.set_count(folder, total)
            return total

    def sweep(self, name: str, older_than: float) -> int:
        """Remove uploads that nobody has written to for `older_than` seconds; return how many."""
        removed = 0
        for path in (self._bucket_path(name) / "incoming").glob("*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > older_than:
                    path.unlink()
                    removed += 1
        return removed

    def remove(self, account: str, bucket: str, fence: int = 0) -> bool:
        """The bucket with all its objects, and the account, are gone. True when there was something."""
        folder = self._bucket_path(bucket)
        with self._admitted(account, fence) as owner:
            present = folder.exists() or not owner.gone
            # The account goes first: from then on no key opens the bucket.
            owner.keys, owner.mode, owner.gone = {}, "suspended", True
            if present:
                disk.write(self._account_path(account), owner)
            if folder.exists():
                doomed = folder.with_name(f".removed-{bucket}-{new_id()}")
                folder.rename(doomed)
                shutil.rmtree(doomed)
        return present

    def forget_fences(self, older_than: float) -> int:
        """Forget accounts that have been gone for so many seconds: no lease lives that long. Returns how many."""
        forgotten = 0
        for path in (self.root / "accounts").glob("*.json"):
            with disk.locked(path, make=True):
                found = disk.read(path, Account)
                if found and found.gone and time.time() - path.stat().st_mtime > older_than:
                    path.unlink()
                    forgotten += 1
        return forgotten

    def inventory(self) -> tuple[set[str], set[str]]:
        """The names of all accounts and of all buckets, for the orphan sweep."""
        accounts = {path.stem for path in (self.root / "accounts").glob("[!.]*.json") if self.account(path.stem)}
        buckets = {path.parent.name for path in (self.root / "buckets").glob("[!.]*/bucket.json")}
        return accounts, buckets

    def open(self, bucket: str, key_id: str, secret: str) -> Bucket:
        """The user's side of a bucket. A wrong key, another account's key or a suspended account are refused."""
        row = self.bucket(bucket)
        account = self.account(row.account) if row else None
        known = account.keys.get(key_id, "") if account else ""
        if account is None or not known or not hmac.compare_digest(known, secret):
            raise Refusal("store_key_refused", "The object store refuses this key.", status=403)
        if account.mode == "suspended":
            raise Refusal("store_suspended", "Files cannot be reached while the organisation is suspended.", status=403)
        return Bucket(self._bucket_path(bucket), writable=account.mode == "open")

    def _account_path(self, name: str) -> Path:
        return self.root / "accounts" / f"{disk.checked(name, disk.NAME)}.json"

    def _bucket_path(self, name: str) -> Path:
        return self.root / "buckets" / disk.checked(name, disk.NAME)


def open_bucket(cell_store: Mapping[str, str], record_store: Mapping[str, str]) -> Bucket:
    """The bucket that a tenant record names, opened with its sealed key.

    `cell_store` is the `store` of the cell file (`kind`, `root`, and the base64 `key` that opens this cell's seals);
    `record_store` is the `store` of the tenant record (`bucket`, `key_id`, `secret_sealed`).
    """
    bucket = record_store["bucket"]
    secret = Vault(base64.b64decode(cell_store["key"])).open(record_store["secret_sealed"], f"store:{bucket}")
    return FileStore(Path(cell_store["root"])).open(bucket, record_store["key_id"], secret)
