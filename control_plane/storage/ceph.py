"""A Ceph gateway as an `ObjectStore`: users and quotas by its Admin Ops API, buckets through S3 by their owner's key.

Ceph remembers no fence: what a frozen administrator does late, the next look for drift mends. Within this process the
calls for one account go one after the other: keys that are added at the same moment would be lost.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from control_plane.storage import allowance, errors, rows
from control_plane.storage.admin import Admin
from control_plane.storage.bucket import OwnedBucket
from control_plane.storage.emptying import BITE_SECONDS, Emptying
from control_plane.storage.gateway import Gateway
from control_plane.storage.inspecting import inspect
from control_plane.storage.store import AccessKey, BucketWish, Check, Mode, Usage
from kit.errors import Unavailable
from kit.s3 import Failure

LONGEST_WAIT = 20.0
LOCKS = 256


class CephObjectStore:
    """Accounts are users of the gateway. One may be shared by many threads."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.bite_seconds = BITE_SECONDS
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
        extra = {held.access_key for held in user.keys} - {key.key_id for key in keys}
        # New keys first: there must be one that works at every moment.
        changes = [self._hold(user, key) for key in keys]
        for key_id in sorted(extra):
            self._admin.remove_key(user.user_id, key_id)
        if user.max_buckets != 1:
            self._admin.limit_buckets(user.user_id)
        return any(changes) or bool(extra) or user.max_buckets != 1

    def _hold(self, user: rows.User, key: AccessKey) -> bool:
        """The account holds this key, and it works; whether that had to be made so."""
        held = {one.access_key: one.secret_key for one in user.keys}
        # A secret that is kept back from us cannot be compared.
        missing = key.key_id not in held or held[key.key_id] not in {key.secret, ""}
        if missing:
            self._admin.add_key(user.user_id, key)
        if self._admin.works(user.user_id, key.key_id):
            return missing
        # A gateway that is killed while it writes a key leaves it listed and unknown. Writing it again is not enough.
        self._admin.remove_key(user.user_id, key.key_id)
        self._admin.add_key(user.user_id, key)
        return True

    def ensure_bucket(self, bucket: str, account: str, key: AccessKey, wish: BucketWish, fence: int) -> bool:  # noqa: ARG002
        """See `ObjectStore`."""
        with self._alone(account, bucket):
            return OwnedBucket(self.gateway, bucket, account, key).ensure(wish, new=self._is_new(account))

    def _is_new(self, account: str) -> bool:
        """Whether its bucket is made for the first time; said once."""
        new = account in self._new
        self._new.discard(account)
        return new

    def ensure_mode(self, account: str, mode: Mode, fence: int) -> bool:  # noqa: ARG002 - see above
        """See `ObjectStore`."""
        with self._alone(account):
            user = self._admin.known(account)
            if user.stands(mode):
                return False
            self._admin.set_mode(user, mode)
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
            if info is not None and info.owner != account:
                raise errors.bucket_taken()
            listed = set(self._admin.buckets_of(account))
            if listed - {bucket}:
                raise errors.other_bucket()
            if info is not None or listed:
                self._remove_bucket(bucket, account, key, user, whole=info is not None and bool(listed))
            self._remove_account(account)
            return True

    def _remove_bucket(self, bucket: str, account: str, key: AccessKey, user: rows.User | None, *, whole: bool) -> None:
        # Without its owner, or without a key of his, nobody could empty it.
        user = user or self._admin.create(account, key) or self._admin.known(account)
        self._hold(user, key)
        if not whole:
            # There, and not on the list, or on the list, and not there: so it can be removed.
            OwnedBucket(self.gateway, bucket, account, key).make()
        # It may read and delete: nobody who still holds a key or a signed address can write.
        self._admin.allow(user, "read, delete")
        try:
            Emptying(self.gateway, bucket, key, lambda: self._left(bucket), self.bite_seconds).run()
        except BaseException as broken_off:
            # A gateway that is away would only keep us waiting once more.
            if not isinstance(broken_off, Unavailable) or broken_off.code != errors.GONE:
                with suppress(Failure, Unavailable):
                    self._admin.set_mode(self._admin.known(account), "suspended")
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

    def add_admin_key(self, key: AccessKey) -> str:
        """The administrator has this key too, beside the one that we use. Answers the administrator's name."""
        with errors.translated("the administrator"):
            name = self._admin.holder(self.gateway.admin_key_id)
            self._admin.add_key(name, key)
            return name

    def remove_admin_key(self, administrator: str, key_id: str) -> None:
        """This administrator has no such key any more. Never the one that we use."""
        assert key_id != self.gateway.admin_key_id
        with errors.translated(administrator):
            self._admin.remove_key(administrator, key_id)

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
