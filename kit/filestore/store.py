"""The administrator's side of the store."""

import contextlib
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from kit.errors import Refusal, Unavailable
from kit.filestore import disk, shelves, uploads
from kit.filestore.rows import Account, BucketRow, Mode
from kit.ids import new_id


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

    def ensure_account(self, name: str, keys: Mapping[str, str], fence: int = 0) -> bool:
        """The account exists and holds exactly these keys (secrets by id). True when something changed."""
        for key_id in keys:
            disk.checked(key_id, disk.KEY_ID)
        with self._admitted(name, fence) as account:
            for key_id in keys:
                self._claim(key_id, name)
            changed = account.gone or account.keys != keys
            dropped = set(account.keys) - set(keys)
            account.gone, account.keys = False, dict(keys)
        for key_id in dropped:
            self._unclaim(key_id, name)
        return changed

    def _claim(self, key_id: str, name: str) -> None:
        """Note whose key this is: by it a key that knocks at another's bucket is known for what it is."""
        path = self.root / "keys" / key_id
        try:
            known = path.read_text()
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            known = ""
        if known != name:
            disk.replace(path, name.encode(), lasting=False)

    def _unclaim(self, key_id: str, name: str) -> None:
        path = self.root / "keys" / key_id
        with contextlib.suppress(FileNotFoundError):
            if path.read_text() == name:
                path.unlink()

    def holder(self, key_id: str) -> Account | None:
        """The account that holds this key, or None."""
        if not disk.KEY_ID.fullmatch(key_id):
            return None
        with contextlib.suppress(FileNotFoundError):
            account = self.account((self.root / "keys" / key_id).read_text())
            return account if account and key_id in account.keys else None
        return None

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
        return disk.read(self.folder(name) / "bucket.json", BucketRow)

    def ensure_bucket(
        self, name: str, account: str, quota_bytes: int | None, origins: Sequence[str] = (), fence: int = 0
    ) -> bool:
        """The bucket exists, belongs to `account` and has this limit. True when something changed.

        `origins` are the sites whose pages may call it from a browser, as browsers write them (`https://a.example`).
        """
        folder = self.folder(name)
        wanted = BucketRow(account=account, quota_bytes=quota_bytes, origins=tuple(origins))
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
        """Bytes counted against the quota: objects, and the parts of unfinished uploads."""
        return disk.count(self.folder(name))

    def objects(self, name: str) -> int:
        """How many objects the bucket holds."""
        return sum(1 for _ in shelves.keys(self.folder(name)))

    def recount(self, name: str) -> int:
        """Count the bytes anew (a crash may have left the figure too high) and return them."""
        folder = self.folder(name)
        with disk.locked(folder / "used"):
            total = sum(shelves.sizes(folder)) + uploads.part_bytes(folder)
            disk.set_count(folder, total)
            return total

    def sweep(self, name: str, older_than: float) -> int:
        """Remove uploads that nobody has written to for `older_than` seconds; return how many."""
        return uploads.sweep(self.folder(name), older_than)

    def tidy(self, older_than: float) -> list[str]:
        """Clear what crashes left in any bucket more than so many seconds ago, and count those buckets anew: which."""
        untidy = []
        for name in sorted(self.inventory()[1]):
            with contextlib.suppress(FileNotFoundError, Unavailable):
                if uploads.clear_strays(self.folder(name), older_than):
                    self.recount(name)
                    untidy.append(name)
        return untidy

    def remove(self, account: str, bucket: str, fence: int = 0) -> bool:
        """The bucket with all its objects, and the account, are gone. True when there was something."""
        folder = self.folder(bucket)
        with self._admitted(account, fence) as owner:
            # What an interrupted removal left.
            doomed = list(folder.parent.glob(f".removed-{bucket}-*"))
            present = bool(doomed) or folder.exists() or not owner.gone
            # The account goes first: from then on no key opens the bucket.
            keys, owner.keys, owner.mode, owner.gone = list(owner.keys), {}, "suspended", True
            if present:
                disk.write(self._account_path(account), owner)
            for key_id in keys:
                self._unclaim(key_id, account)
            if folder.exists():
                doomed.append(folder.with_name(f".removed-{bucket}-{new_id()}"))
                # Whoever places an object now finishes first.
                with disk.locked(folder / "used"):
                    folder.rename(doomed[-1])
            for path in doomed:
                shutil.rmtree(path)
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

    def folder(self, name: str) -> Path:
        """Where a bucket lies."""
        return self.root / "buckets" / disk.checked(name, disk.NAME)

    def _account_path(self, name: str) -> Path:
        return self.root / "accounts" / f"{disk.checked(name, disk.NAME)}.json"
