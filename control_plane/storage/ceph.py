"""A Ceph gateway as an `ObjectStore`: users and quotas by its Admin Ops API, buckets through S3 by their owner's key.

Ceph remembers no fence: what a frozen administrator does late, the next look for drift mends. Within this process the
calls for one account go one after the other: keys that are added at the same moment would be lost.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from control_plane.storage import allowance, errors, rows
from control_plane.storage.admin import Admin
from control_plane.storage.emptying import Emptying
from control_plane.storage.gateway import Gateway
from control_plane.storage.inspecting import inspect
from control_plane.storage.store import AccessKey, BucketWish, Check, Mode, Usage
from kit.errors import Unavailable
from kit.s3 import Failure

LONGEST_WAIT = 20.0
LOCKS = 256
# What a frozen account's key is told, and what one is told that has its bucket already.
FROZEN = frozenset({"AccessDenied", "UserSuspended"})
THERE = frozenset({"TooManyBuckets", "BucketAlreadyExists", "BucketAlreadyOwnedByYou"})
NEVER_SET = frozenset({"NoSuchCORSConfiguration", "NoSuchLifecycleConfiguration"})
UNKNOWN = frozenset({"NotImplemented", "MethodNotAllowed"})


class CephObjectStore:
    """Accounts are users of the gateway. One may be shared by many threads."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._admin = Admin(gateway)
        self._locks = tuple(threading.Lock() for _ in range(LOCKS))
        # Accounts that were made here and have no bucket yet: it need not be looked for.
        self._new: set[str] = set()

    @classmethod
    def at(
        cls, endpoint: str, admin: AccessKey, region: str = "default", ca_file: Path | None = None
    ) -> "CephObjectStore":
        """The store behind this gateway, administered by this key."""
        return cls(Gateway(endpoint, admin, region, ca_file))

    def __repr__(self) -> str:
        return f"CephObjectStore({self.gateway.endpoint})"

    def close(self) -> None:
        """End all connections."""
        self.gateway.close()

    def ensure_account(self, account: str, keys: Sequence[AccessKey], fence: int) -> bool:  # noqa: ARG002 - see above
        """See `ObjectStore`."""
        with self._alone(account):
            user = self._admin.user(account)
            if user is None:
                made = self._admin.create(account, keys[0] if keys else None)
                if made is not None:
                    self._new.add(account)
                # Somebody else may have made it meanwhile: then it is his work that is looked at.
                return self._reconcile(made or self._admin.known(account), keys) or made is not None
            return self._reconcile(user, keys)

    def _reconcile(self, user: rows.User, keys: Sequence[AccessKey]) -> bool:
        held = {key.access_key: key.secret_key for key in user.keys}
        # A secret that is kept back from us cannot be compared.
        missing = [key for key in keys if key.key_id not in held or held[key.key_id] not in {key.secret, ""}]
        extra = held.keys() - {key.key_id for key in keys}
        capped = user.max_buckets != 1
        # New keys first: there must be one that works at every moment.
        for key in missing:
            self._admin.add_key(user.user_id, key)
        for key_id in sorted(extra):
            self._admin.remove_key(user.user_id, key_id)
        if capped:
            self._admin.limit_buckets(user.user_id)
        return bool(missing or extra or capped)

    def ensure_bucket(self, bucket: str, account: str, key: AccessKey, wish: BucketWish, fence: int) -> bool:  # noqa: ARG002
        """See `ObjectStore`."""
        with self._alone(account, bucket):
            info = None if self._is_new(account) else self._admin.bucket(bucket)
            if info is None and self._made(bucket, account, key):
                self._equip(bucket, account, key, wish)
                return True
            info = info or self._admin.bucket(bucket)
            if info is None:
                raise errors.other_bucket()
            if info.owner != account:
                raise errors.bucket_taken()
            # Nobody waits for the last resort when a bucket is made: the first look sets it, and that is no drift.
            self._ensure_lifecycle(bucket, account, key)
            changed = self._ensure_quota(bucket, account, info.bucket_quota, wish.quota_bytes)
            return self._ensure_part(bucket, account, key, rows.cors(sorted(wish.origins))) or changed

    def _is_new(self, account: str) -> bool:
        """Whether its bucket is made for the first time; said once."""
        new = account in self._new
        self._new.discard(account)
        return new

    def _made(self, bucket: str, account: str, key: AccessKey) -> bool:
        """Whether this made the bucket; not so where there is one, be it by our own lost answer."""
        try:
            self._though_frozen(account, partial(self.gateway.owner, key, "PUT", f"/{bucket}"))
        except Failure as failure:
            if failure.code not in THERE:
                raise
            return False
        return True

    def _equip(self, bucket: str, account: str, key: AccessKey, wish: BucketWish) -> None:
        """What a new bucket needs: there is nothing to be looked at first."""
        if wish.quota_bytes is not None:
            self._admin.set_quota(bucket, account, allowance.hard_kib(wish.quota_bytes))
        if wish.origins:
            self._write_part(bucket, account, key, rows.cors(sorted(wish.origins)))

    def _ensure_quota(self, bucket: str, account: str, found: rows.Quota, sold: int | None) -> bool:
        if sold is None:
            if not found.enabled:
                return False
            self._admin.lift_quota(bucket, account)
            return True
        wanted = allowance.hard_kib(sold)
        if found.enabled and found.max_objects < 0 and found.max_size == wanted * allowance.KIB:
            return False
        self._admin.set_quota(bucket, account, wanted)
        return True

    def _ensure_lifecycle(self, bucket: str, account: str, key: AccessKey) -> None:
        try:
            self._ensure_part(bucket, account, key, rows.lifecycle())
        except Failure as failure:
            # A gateway that has no such rules: our own sweep does without.
            if failure.code not in UNKNOWN:
                raise

    def _ensure_part(self, bucket: str, account: str, key: AccessKey, part: rows.Part) -> bool:
        found = self._part(bucket, key, part.name)
        # Nobody can use the bucket of a suspended account: it waits until the account is opened.
        if found is None or part.is_met_by(found):
            return False
        self._write_part(bucket, account, key, part)
        return True

    def _write_part(self, bucket: str, account: str, key: AccessKey, part: rows.Part) -> None:
        method = "PUT" if part.wanted else "DELETE"
        write = partial(self.gateway.owner, key, method, f"/{bucket}", {part.name: ""}, part.wanted)
        self._though_frozen(account, write)

    def _part(self, bucket: str, key: AccessKey, part: str) -> bytes | None:
        """A sub-resource, empty where there is none, None while the account is suspended."""
        try:
            return self.gateway.owner(key, "GET", f"/{bucket}", {part: ""})
        except Failure as failure:
            if failure.code in NEVER_SET:
                return b""
            if failure.code == "UserSuspended":
                return None
            raise

    def _though_frozen(self, account: str, act: Callable[[], bytes]) -> None:
        """Do what needs an open account; a frozen one is opened for this moment, without the right to delete."""
        try:
            act()
            return
        except Failure as failure:
            if failure.code not in FROZEN:
                raise
            user = self._admin.known(account)
            if user.stands("open"):
                raise
        self._admin.set_operations(account, "read, write")
        try:
            act()
        finally:
            self._admin.set_mode(account, user.mode)

    def ensure_mode(self, account: str, mode: Mode, fence: int) -> bool:  # noqa: ARG002 - see above
        """See `ObjectStore`."""
        with self._alone(account):
            if self._admin.known(account).stands(mode):
                return False
            self._admin.set_mode(account, mode)
            return True

    def usage(self, bucket: str, account: str) -> Usage | None:
        """See `ObjectStore`."""
        with self._named(account, bucket):
            info, user = self._admin.bucket(bucket), self._admin.user(account)
            if info is None or user is None or info.owner != account:
                return None
            quota = info.bucket_quota
            limited = quota.enabled and quota.max_size >= 0
            return Usage(
                used_bytes=info.size,
                objects=info.objects,
                quota_bytes=allowance.sold_bytes(quota.max_size // allowance.KIB) if limited else None,
                mode=user.mode,
                key_ids=frozenset(key.access_key for key in user.keys),
            )

    def remove(self, bucket: str, account: str, key: AccessKey, fence: int) -> bool:  # noqa: ARG002 - see above
        """See `ObjectStore`."""
        with self._alone(account, bucket):
            info, user = self._admin.bucket(bucket), self._admin.user(account)
            if info is None and user is None:
                return False
            self._guard(bucket, account, info)
            if info is not None:
                self._remove_bucket(bucket, account, key, user)
            self._remove_account(account)
            return True

    def _guard(self, bucket: str, account: str, info: rows.BucketInfo | None) -> None:
        """Only what is the organisation's may go; before anything does."""
        if info is not None and info.owner != account:
            raise errors.bucket_taken()
        if set(self._admin.buckets_of(account)) - {bucket}:
            raise errors.other_bucket()

    def _remove_bucket(self, bucket: str, account: str, key: AccessKey, user: rows.User | None) -> None:
        # Without its owner, or without a key of his, nobody could empty it.
        if user is None:
            user = self._admin.create(account, key) or self._admin.known(account)
        if all(held.access_key != key.key_id for held in user.keys):
            self._admin.add_key(account, key)
        # It may read and delete: nobody who still holds a key or a signed address can write.
        self._admin.set_operations(account, "read, delete")
        try:
            Emptying(self.gateway, bucket, key, lambda: self._left(bucket)).run()
        except BaseException:
            with suppress(Failure, Unavailable):
                self._admin.set_mode(account, "suspended")
            raise

    def _left(self, bucket: str) -> int:
        info = self._admin.bucket(bucket)
        return info.objects if info else 0

    def _remove_account(self, account: str) -> None:
        user = self._admin.user(account)
        if user is None:
            return
        for held in user.keys:
            self._admin.remove_key(account, held.access_key)
        self._admin.remove_user(account)

    def inventory(self) -> tuple[set[str], set[str]]:
        """See `ObjectStore`. Names that no organisation can have are other people's, and are left out."""
        with errors.translated():
            return errors.ours(self._admin.names("user")), errors.ours(self._admin.names("bucket"))

    def check(self) -> list[Check]:
        """See `ObjectStore`."""
        return inspect(self.gateway)

    @contextmanager
    def _named(self, *names: str) -> Iterator[None]:
        errors.require_ours(*names)
        with errors.translated(names[0]):
            yield

    @contextmanager
    def _alone(self, account: str, *more: str) -> Iterator[None]:
        """One at a time for an account; a stranger's name is refused."""
        lock = self._locks[hash(account) % LOCKS]
        if not lock.acquire(timeout=LONGEST_WAIT):
            raise Unavailable("store_busy", account)
        try:
            with self._named(account, *more):
                yield
        finally:
            lock.release()
