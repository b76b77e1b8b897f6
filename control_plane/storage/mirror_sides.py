"""The two buckets of a mirror, each as the key that opens it sees it: listings by our own calls, bytes by obstore.

Obstore tells every refusal in the same words and cannot list a bucket with an odd key, so only bytes go through it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

from obstore.store import S3Store

from control_plane.storage import mirror_errors, rows
from control_plane.storage.gateway import Gateway
from control_plane.storage.mirror_errors import Role
from control_plane.storage.store import AccessKey
from kit.s3 import Failure, Listed, dialect

PAGE = 1000
# For each request, not for an object: less than 1.1 Mbit/s counts as no answer.
REQUEST_SECONDS = 60


def is_id(key: str) -> bool:
    """Whether the product can have written this key."""
    try:
        return str(UUID(key)) == key
    except ValueError:
        return False


def born(one: Listed) -> datetime:
    """When an object was begun: its id says so, to the millisecond."""
    key = UUID(one.key)
    return datetime.fromtimestamp((key.int >> 80) / 1000, UTC) if key.version == 7 else one.written_at


@dataclass(frozen=True)
class Listing:
    """A page of a bucket, in the order of keys. `last` is the page's last key where more follows, else None."""

    found: dict[str, Listed]
    last: str | None


@dataclass(frozen=True)
class Side:
    """A bucket at a gateway. `data_key` encrypts what is written here.

    With `conditional` the gateway itself can make sure that nothing is overwritten.
    """

    role: Role
    gateway: Gateway
    key: AccessKey
    bucket: str
    ca_file: Path | None = None
    data_key: str | None = None
    conditional: bool = False

    def ask(self, method: str, params: dict[str, str] | None = None, key: str = "") -> bytes:
        """An S3 call by our key; what goes wrong says on which side."""
        path = f"/{self.bucket}/{quote(key, safe='/~')}" if key else f"/{self.bucket}"
        with mirror_errors.on(self.role):
            return self.gateway.owner(self.key, method, path, params)

    def page(self, after: str, limit: int = PAGE) -> Listing:
        """The objects behind this key. What no organisation's app has written is not among them."""
        params = {"list-type": "2", "max-keys": str(limit)}
        found, following = dialect.listing(self.ask("GET", params | ({"start-after": after} if after else {})))
        last = found[-1].key if found and following is not None else None
        return Listing({one.key: one for one in found if is_id(one.key)}, last)

    def look(self, key: str) -> Listed | None:
        """One object, or None."""
        found, _ = dialect.listing(self.ask("GET", {"list-type": "2", "max-keys": "1", "prefix": key}))
        return next((one for one in found if one.key == key), None)

    def delete(self, key: str) -> None:
        """The object is gone; it may have been gone before."""
        try:
            self.ask("DELETE", key=key)
        except Failure as failure:
            if failure.status != 404:
                raise

    def make(self) -> None:
        """The bucket is there."""
        self.ask("PUT")

    def tidy(self) -> None:
        """Uploads that a worker left behind are gone."""
        while found := rows.uploads(self.ask("GET", {"uploads": "", "encoding-type": "url"})):
            for key, upload_id in found:
                try:
                    self.ask("DELETE", {"uploadId": upload_id}, key=key)
                except Failure as failure:
                    if failure.status != 404:
                        raise

    @cached_property
    def objects(self) -> S3Store:
        """The bucket's bytes."""
        options: dict[str, Any] = {
            "allow_http": True,
            "connect_timeout": timedelta(seconds=3),
            "timeout": timedelta(seconds=REQUEST_SECONDS),
        }
        if self.ca_file is not None:
            options["root_certificate"] = self.ca_file.read_bytes()
        encryption = {} if self.data_key is None else {
            "server_side_encryption": "aws:kms", "sse_kms_key_id": self.data_key
        }  # fmt: skip
        return S3Store(
            self.bucket,
            endpoint=self.gateway.endpoint,
            region=self.gateway.region,
            access_key_id=self.key.key_id,
            secret_access_key=self.key.secret,
            virtual_hosted_style_request=False,
            client_options=options,  # type: ignore[arg-type]
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=30)},
            **encryption,  # type: ignore[arg-type]
        )
