"""The embedded object store: buckets of files on disk, with accounts, keys, hard quotas and freezes.

It stands in for Ceph where none is wanted. The control plane administers it (`FileStore`), the tenant app moves bytes
through it (`Bucket`); both may run in several processes, so every decision that must hold is taken under a file lock.

    <root>/accounts/<account>.json          keys and mode
    <root>/buckets/<bucket>/bucket.json     account and quota
    <root>/buckets/<bucket>/used            bytes counted against the quota
    <root>/buckets/<bucket>/objects/ab/<id> an object, whole or absent
    <root>/buckets/<bucket>/incoming/       uploads under way; a crash leaves them here for the sweep
"""

import base64
import contextlib
import fcntl
import hashlib
import hmac
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal, TypeVar

import msgspec

from kit.errors import Refusal, Unavailable
from kit.ids import new_id
from kit.vault import Vault

Mode = Literal["open", "read_only", "suspended"]
Row = TypeVar("Row", bound=msgspec.Struct)

NAME = re.compile(r"[a-z0-9][a-z0-9-]{2,62}")
OBJECT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CHUNK = 256 * 1024
LONGEST_WAIT = 5.0


class Account(msgspec.Struct, kw_only=True):
    """Who may open buckets: secrets by key id, and whether the account is frozen.

    `fence` is the highest lease that has written here. It outlives the account (`gone`), so that an administrator who
    lost his lease long ago can neither change it nor bring it back.
    """

    name: str
    keys: dict[str, str] = {}
    mode: Mode = "open"
    fence: int = 0
    gone: bool = False


class BucketRow(msgspec.Struct, kw_only=True):
    """What a bucket is: its owner and its hard limit in bytes."""

    account: str
    quota_bytes: int | None = None


class Stored(msgspec.Struct, frozen=True):
    """What was stored: its size in bytes and the SHA-256 of its content in hexadecimal."""

    size: int
    sha256: str


@dataclass(frozen=True)
class FileStore:
    """The administrator's side. Every method says `ensure`: a second run finds the first one's work."""

    root: Path

    def account(self, name: str) -> Account | None:
        """The account, or None."""
        found = _read(self._account_path(name), Account)
        return None if found is None or found.gone else found

    @contextlib.contextmanager
    def _admitted(self, name: str, fence: int) -> Iterator[Account]:
        """The account for writing, one administrator at a time; an older lease is turned away as `fenced`."""
        path = self._account_path(name)
        with _locked(path):
            account = _read(path, Account) or Account(name=name, gone=True)
            if fence < account.fence:
                raise Unavailable("fenced", f"a newer lease than {fence} works on {name}")
            before = msgspec.json.encode(account)
            account.fence = fence
            yield account
            if msgspec.json.encode(account) != before:
                _write(path, account)

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
        return _read(self._bucket_path(name) / "bucket.json", BucketRow)

    def ensure_bucket(self, name: str, account: str, quota_bytes: int | None, fence: int = 0) -> bool:
        """The bucket exists, belongs to `account` and has this limit. True when something changed."""
        folder = self._bucket_path(name)
        wanted = BucketRow(account=account, quota_bytes=quota_bytes)
        with self._admitted(account, fence) as owner, _locked(folder / "bucket.json"):
            if owner.gone:
                raise Unavailable("store_account_missing", account)
            present = _read(folder / "bucket.json", BucketRow)
            if present is not None and present.account != account:
                raise Refusal("bucket_taken", "This bucket belongs to another account.", status=409)
            whole = all((folder / part).is_dir() for part in ("objects", "incoming"))
            if present == wanted and whole:
                return False
            for part in ("objects", "incoming"):
                (folder / part).mkdir(exist_ok=True)
            _write(folder / "bucket.json", wanted)
            return True

    def used(self, name: str) -> int:
        """Bytes counted against the quota."""
        return _count(self._bucket_path(name))

    def recount(self, name: str) -> int:
        """Count the objects anew (a crash may have left the figure too high) and return the bytes."""
        folder = self._bucket_path(name)
        with _locked(folder / "used"):
            total = sum(path.stat().st_size for path in _objects(folder))
            _set_count(folder, total)
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
                _write(self._account_path(account), owner)
            if folder.exists():
                doomed = folder.with_name(f".removed-{bucket}-{new_id()}")
                folder.rename(doomed)
                shutil.rmtree(doomed)
        return present

    def forget_fences(self, older_than: float) -> int:
        """Forget accounts that have been gone for so many seconds: no lease lives that long. Returns how many."""
        forgotten = 0
        for path in (self.root / "accounts").glob("*.json"):
            with _locked(path):
                found = _read(path, Account)
                if found and found.gone and time.time() - path.stat().st_mtime > older_than:
                    path.unlink()
                    forgotten += 1
        return forgotten

    def inventory(self) -> tuple[set[str], set[str]]:
        """The names of all accounts and of all buckets, for the orphan sweep."""
        accounts = {path.stem for path in (self.root / "accounts").glob("[!.]*.json") if self.account(path.stem)}
        buckets = {path.parent.name for path in (self.root / "buckets").glob("[!.]*/bucket.json")}
        return accounts, buckets

    def open(self, bucket: str, key_id: str, secret: str) -> "Bucket":
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
        return self.root / "accounts" / f"{_checked(name, NAME)}.json"

    def _bucket_path(self, name: str) -> Path:
        return self.root / "buckets" / _checked(name, NAME)


@dataclass(frozen=True)
class Bucket:
    """Objects of one organisation, named by ids. Opened for one request: a freeze holds from the next one on."""

    folder: Path
    writable: bool

    def begin(self, object_id: str) -> "Upload":
        """Start writing an object; nothing is seen of it before `commit`."""
        if not self.writable:
            raise Refusal("store_read_only", "Files cannot be changed while the organisation is read-only.", status=403)
        _checked(object_id, OBJECT)
        path = self.folder / "incoming" / f"{object_id}.{new_id()}"
        try:
            file = path.open("xb")
        except FileNotFoundError as error:
            raise Unavailable("store_bucket_missing", self.folder.name) from error
        return Upload(self.folder, object_id, path, file)

    def size(self, object_id: str) -> int:
        """The object's size in bytes; a Refusal when it is absent."""
        try:
            return self._path(object_id).stat().st_size
        except FileNotFoundError as error:
            raise _absent() from error

    def read(self, object_id: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` to before `end`, in chunks; memory stays flat."""
        try:
            file = self._path(object_id).open("rb")
        except FileNotFoundError as error:
            raise _absent() from error
        return _chunks(file, start, end)

    def delete(self, object_id: str) -> bool:
        """The object is gone; True when it was there."""
        path = self._path(object_id)
        with _locked(self.folder / "used"):
            try:
                size = path.stat().st_size
                path.unlink()
            except FileNotFoundError:
                return False
            _set_count(self.folder, max(0, _count(self.folder) - size))
        return True

    def listing(self) -> Iterator[tuple[str, int, float]]:
        """Every object: id, bytes, time of writing (seconds since 1970)."""
        for path in _objects(self.folder):
            with contextlib.suppress(FileNotFoundError):
                seen = path.stat()
                yield path.name, seen.st_size, seen.st_mtime

    def _path(self, object_id: str) -> Path:
        return _object_path(self.folder, object_id)


@dataclass
class Upload:
    """An object on its way. `commit` makes it visible, whole and on disk; `abort` or a crash leaves nothing to see."""

    folder: Path
    object_id: str
    path: Path
    file: IO[bytes]
    written: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def write(self, chunk: bytes) -> None:
        """Append bytes."""
        self.file.write(chunk)
        self.digest.update(chunk)
        self.written += len(chunk)

    def commit(self) -> Stored:
        """Store the object, unless it would pass the bucket's quota."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        target = _object_path(self.folder, self.object_id)
        try:
            self._place(target)
        except BaseException:
            self.path.unlink(missing_ok=True)
            raise
        return Stored(self.written, self.digest.hexdigest())

    def _place(self, target: Path) -> None:
        with _locked(self.folder / "used"):
            row = _read(self.folder / "bucket.json", BucketRow)
            if row is None:
                raise Unavailable("store_bucket_missing", self.folder.name)
            replaced = target.stat().st_size if target.exists() else 0
            total = _count(self.folder) + self.written - replaced
            if row.quota_bytes is not None and self.written > replaced and total > row.quota_bytes:
                raise Refusal("over_quota", "The storage of your organisation is full.", status=413)
            # Counted before it is placed: a crash in between counts too much, never too little.
            _set_count(self.folder, total)
            target.parent.mkdir(exist_ok=True)
            self.path.rename(target)
            _sync(target.parent)

    def abort(self) -> None:
        """Forget what was written."""
        self.file.close()
        self.path.unlink(missing_ok=True)


def open_bucket(cell_store: Mapping[str, str], record_store: Mapping[str, str]) -> Bucket:
    """The bucket that a tenant record names, opened with its sealed key.

    `cell_store` is the `store` of the cell file (`kind`, `root`, and the base64 `key` that opens this cell's seals);
    `record_store` is the `store` of the tenant record (`bucket`, `key_id`, `secret_sealed`).
    """
    bucket = record_store["bucket"]
    secret = Vault(base64.b64decode(cell_store["key"])).open(record_store["secret_sealed"], f"store:{bucket}")
    return FileStore(Path(cell_store["root"])).open(bucket, record_store["key_id"], secret)


def _absent() -> Refusal:
    return Refusal("object_missing", "This file's content is not in the store.", status=404)


def _checked(name: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(name):
        raise ValueError(f"not a name of the store: {name!r}")
    return name


def _object_path(folder: Path, object_id: str) -> Path:
    return folder / "objects" / _checked(object_id, OBJECT)[-2:] / object_id


def _objects(folder: Path) -> Iterator[Path]:
    return (folder / "objects").glob("??/*")


def _chunks(file: IO[bytes], start: int, end: int | None) -> Iterator[bytes]:
    with file:
        file.seek(start)
        left = None if end is None else max(0, end - start)
        while left is None or left > 0:
            chunk = file.read(CHUNK if left is None else min(CHUNK, left))
            if not chunk:
                return
            left = None if left is None else left - len(chunk)
            yield chunk


def _count(folder: Path) -> int:
    try:
        return int((folder / "used").read_text())
    except FileNotFoundError:
        return 0


def _set_count(folder: Path, total: int) -> None:
    # Not forced to disk: what a power cut may lose, `recount` finds again.
    _replace(folder / "used", str(total).encode(), lasting=False)


def _read(path: Path, kind: type[Row]) -> Row | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None


def _write(path: Path, row: msgspec.Struct) -> None:
    _replace(path, msgspec.json.format(msgspec.json.encode(row)))
    _sync(path.parent)


def _replace(path: Path, content: bytes, *, lasting: bool = True) -> None:
    """Readers see the old bytes or the new ones; secrets stay with the owner of the files."""
    passing = path.with_name(f".{path.name}.{new_id()}")
    handle = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        if lasting:
            file.flush()
            os.fsync(file.fileno())
    passing.rename(path)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One writer at a time among all processes, for the file at `path`; a lock held too long is `Unavailable`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.stem}.lock").open("w") as lock:
        deadline = time.monotonic() + LONGEST_WAIT
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                # A frozen process keeps its locks; who waits must be able to give up.
                if time.monotonic() > deadline:
                    raise Unavailable("store_busy", str(path)) from error
                time.sleep(0.005)
        yield
