"""One bucket of a Ceph gateway, as wished: by its owner's key where S3 asks for that, else by the administrator's."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from control_plane.storage import allowance, errors, rows
from control_plane.storage.admin import Admin
from control_plane.storage.gateway import Gateway
from control_plane.storage.store import AccessKey, BucketWish
from kit.s3 import Failure

# What a frozen account's key is told, and what one is told that has its bucket already.
FROZEN = frozenset({"AccessDenied", "UserSuspended"})
THERE = frozenset({"TooManyBuckets", "BucketAlreadyExists", "BucketAlreadyOwnedByYou"})
NEVER_SET = frozenset({"NoSuchCORSConfiguration", "NoSuchLifecycleConfiguration"})
UNKNOWN = frozenset({"NotImplemented", "MethodNotAllowed"})


@dataclass(frozen=True)
class OwnedBucket:
    """The bucket `name` of `account`, whose `key` works."""

    gateway: Gateway
    name: str
    account: str
    key: AccessKey

    @property
    def admin(self) -> Admin:
        """The administrator's calls."""
        return Admin(self.gateway)

    def ensure(self, wish: BucketWish, *, new: bool) -> bool:
        """It is there, its owner's and as wished; whether that had to be made so. A `new` one is not looked for."""
        info = None if new else self.admin.bucket_of(self.account, self.name)
        if info is None and self.make():
            self._equip(wish)
            return True
        info = info or self.admin.bucket_of(self.account, self.name)
        if info is None:
            raise errors.bucket_taken() if self.admin.bucket(self.name) else errors.other_bucket()
        # Nobody waits for the last resort when a bucket is made: the first look sets it, and that is no drift.
        self._ensure_lifecycle()
        changed = self._ensure_quota(info.bucket_quota, wish.quota_bytes)
        return self._ensure_part(rows.cors(wish.origins)) or changed

    def make(self) -> bool:
        """Whether this made the bucket, or linked it anew to its owner; not so where it is whole, or not to be had."""
        put = partial(self.gateway.owner, self.key, "PUT", f"/{self.name}")
        try:
            self._though_frozen(put)
            return True
        except Failure as failure:
            if failure.code not in THERE:
                raise
        if self.admin.bucket_of(self.account, self.name) or self.name not in self.admin.buckets_of(self.account):
            return False
        # A gateway that is killed while it removes a bucket leaves its name on the account's list, where it counts.
        self.admin.limit_buckets(self.account, 2)
        try:
            self._though_frozen(put)
        finally:
            self.admin.limit_buckets(self.account)
        return True

    def _equip(self, wish: BucketWish) -> None:
        """What a new bucket needs: there is nothing to be looked at first."""
        if wish.quota_bytes is not None:
            self.admin.set_quota(self.name, self.account, allowance.hard_kib(wish.quota_bytes))
        if wish.origins:
            self._write(rows.cors(wish.origins))

    def _ensure_quota(self, found: rows.Quota, sold: int | None) -> bool:
        if sold is None:
            if not found.enabled:
                return False
            self.admin.lift_quota(self.name, self.account)
            return True
        wanted = allowance.hard_kib(sold)
        if found.enabled and found.max_objects < 0 and found.max_size == wanted * allowance.KIB:
            return False
        self.admin.set_quota(self.name, self.account, wanted)
        return True

    def _ensure_lifecycle(self) -> None:
        try:
            self._ensure_part(rows.lifecycle())
        except Failure as failure:
            # A gateway that has no such rules: our own sweep does without.
            if failure.code not in UNKNOWN:
                raise

    def _ensure_part(self, part: rows.Part) -> bool:
        found = self._read(part)
        # Nobody can use the bucket of a suspended account: it waits until the account is opened.
        if found is None or part.is_met_by(found):
            return False
        self._write(part)
        return True

    def _read(self, part: rows.Part) -> bytes | None:
        """A sub-resource, empty where there is none, None while the account is suspended."""
        try:
            return self.gateway.owner(self.key, "GET", f"/{self.name}", {part.name: ""})
        except Failure as failure:
            if failure.code in NEVER_SET:
                return b""
            if failure.code == "UserSuspended":
                return None
            raise

    def _write(self, part: rows.Part) -> None:
        method = "PUT" if part.wanted else "DELETE"
        self._though_frozen(
            partial(self.gateway.owner, self.key, method, f"/{self.name}", {part.name: ""}, part.wanted)
        )

    def _though_frozen(self, act: Callable[[], bytes]) -> None:
        """Do what needs an open account; a frozen one is opened for this moment, without the right to delete."""
        try:
            act()
            return
        except Failure as failure:
            if failure.code not in FROZEN:
                raise
            user = self.admin.known(self.account)
            if user.stands("open"):
                raise
        self.admin.allow(user, "read, write")
        try:
            act()
        finally:
            self.admin.set_mode(self.admin.known(self.account), user.mode)
