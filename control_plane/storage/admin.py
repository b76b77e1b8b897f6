"""The calls of Ceph's Admin Ops API that we make, with the answers that a repeated one gets.

Two calls are never made: one that purges a user's data (it deletes what is under retention, and holds the gateway for
as long as it takes), and one on usage logs (without a name it wipes everybody's).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from control_plane.storage import errors, rows
from control_plane.storage.gateway import Gateway
from control_plane.storage.store import AccessKey, Mode
from kit.errors import Unavailable
from kit.s3 import Failure

NAMES = 1000


@dataclass(frozen=True)
class Admin:
    """Users, keys, limits and names, one call each."""

    gateway: Gateway

    def user(self, account: str) -> rows.User | None:
        """The user, or None."""
        try:
            return msgspec.json.decode(self.gateway.admin("GET", "user", uid=account), type=rows.User)
        except Failure as failure:
            if failure.code == "NoSuchUser":
                return None
            raise

    def known(self, account: str) -> rows.User:
        """The user; that it is missing is for an earlier step to mend."""
        user = self.user(account)
        if user is None:
            raise Unavailable("store_account_missing", account)
        return user

    def create(self, account: str, key: AccessKey | None) -> rows.User | None:
        """A user with this key; None where there is one of this name already."""
        # Without `generate-key=false` the gateway adds a key of its own.
        given = {"access_key": key.key_id, "secret_key": key.secret, "key_type": "s3"} if key else {}
        try:
            made = self.gateway.admin(
                "PUT", "user", uid=account, display_name=account, generate_key="false", max_buckets=1, **given
            )
        except Failure as failure:
            if failure.code == "UserAlreadyExists":
                return None
            raise _known(failure) from failure
        return msgspec.json.decode(made, type=rows.User)

    def add_key(self, account: str, key: AccessKey) -> None:
        """The user has this key; a repetition changes nothing, another secret replaces the old one."""
        try:
            self.gateway.admin(
                "PUT",
                "user",
                key="",
                uid=account,
                access_key=key.key_id,
                secret_key=key.secret,
                key_type="s3",
                generate_key="false",
            )
        except Failure as failure:
            raise _known(failure) from failure

    def remove_key(self, account: str, key_id: str) -> None:
        """The user has no such key."""
        try:
            self.gateway.admin("DELETE", "user", key="", uid=account, access_key=key_id, key_type="s3")
        except Failure as failure:
            # So is answered who removes a key a second time; or who has an unknown key himself, as the look then shows.
            if failure.code not in {"InvalidAccessKeyId", "NoSuchUser"}:
                raise
            user = self.user(account)
            if user is not None and any(held.access_key == key_id for held in user.keys):
                raise

    def holder(self, key_id: str) -> str:
        """The name of the user who has this key."""
        return msgspec.json.decode(self.gateway.admin("GET", "user", access_key=key_id), type=rows.User).user_id

    def works(self, account: str, key_id: str) -> bool:
        """Whether the gateway knows a key at the door for this user's; that it lists it is not enough."""
        try:
            answer = self.gateway.admin("GET", "user", access_key=key_id)
        except Failure as failure:
            if failure.code in {"AccessDenied", "InvalidAccessKeyId", "NoSuchUser"}:
                return False
            raise
        return msgspec.json.decode(answer, type=rows.User).user_id == account

    def limit_buckets(self, account: str, most: int = 1) -> None:
        """The user may own so many buckets; with 0 it could own any number."""
        self.gateway.admin("POST", "user", uid=account, max_buckets=most)

    def set_mode(self, user: rows.User, mode: Mode) -> None:
        """The user stands like this from its next request on, with what it signed before too."""
        self.allow(user, rows.MASKS[mode], suspended=mode == "suspended")

    def allow(self, user: rows.User, operations: str, *, suspended: bool = False) -> None:
        """The user may do these from its next request on, unless it is suspended."""
        changed = {"suspended": str(suspended).lower()} if bool(user.suspended) != suspended else {}
        # Told only where it changes: of a user whose list names a bucket that is gone, it cannot be changed.
        self.gateway.admin("POST", "user", uid=user.user_id, op_mask=operations, **changed)

    def remove_user(self, account: str) -> None:
        """The user is gone. It owns nothing any more, or this is refused."""
        try:
            self.gateway.admin("DELETE", "user", uid=account)
        except Failure as failure:
            if failure.code == "BucketAlreadyExists":
                raise errors.other_bucket() from failure
            if failure.code != "NoSuchUser":
                raise

    def bucket(self, name: str) -> rows.BucketInfo | None:
        """The bucket with its figures, which are those of now, or None."""
        try:
            answer = self.gateway.admin("GET", "bucket", bucket=name, stats="true")
        except Failure as failure:
            if failure.code == "NoSuchBucket":
                return None
            raise
        return msgspec.json.decode(answer, type=rows.BucketInfo)

    def bucket_of(self, account: str, name: str) -> rows.BucketInfo | None:
        """The bucket, where it is there and linked to its owner."""
        answer = self.gateway.admin("GET", "bucket", uid=account, stats="true")
        return next(
            (one for one in msgspec.json.decode(answer, type=list[rows.BucketInfo]) if one.bucket == name), None
        )

    def buckets_of(self, account: str) -> list[str]:
        """The names of a user's buckets; of an unknown user there are none."""
        return msgspec.json.decode(self.gateway.admin("GET", "bucket", uid=account), type=list[str])

    def set_quota(self, bucket: str, account: str, kib: int) -> None:
        """The bucket takes so many KiB, in any number of objects."""
        # `max-size` would be ignored; with `max-objects` alone the size would become 0.
        self.gateway.admin(
            "PUT", "bucket", quota="", uid=account, bucket=bucket, max_size_kb=kib, max_objects=-1, enabled="true"
        )

    def lift_quota(self, bucket: str, account: str) -> None:
        """The bucket takes anything."""
        self.gateway.admin("PUT", "bucket", quota="", uid=account, bucket=bucket, enabled="false")

    def names(self, kind: str) -> Iterator[str]:
        """The name of every user or every bucket of the gateway."""
        marker: dict[str, str] = {}
        while True:
            answer = self.gateway.admin("GET", f"metadata/{kind}", max_entries=NAMES, **marker)
            page = msgspec.json.decode(answer, type=rows.Page)
            yield from page.keys
            if page.truncated != "true":
                return
            marker = {"marker": page.marker}


def _known(failure: Failure) -> Exception:
    """A key that somebody else has is a refusal."""
    return errors.key_taken() if failure.code == "KeyExists" else failure
