"""Both kinds of store under test: what an operator does to each by hand, and what a key's owner sees at its door."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import requests

from control_plane.storage import AccessKey, BucketWish, CephObjectStore, FileObjectStore, Mode, ObjectStore
from kit.filestore import FileStore
from kit.s3 import Signer
from tests.filestore.gateway import running_gateway

ORIGIN = "https://acme.parvis.example"
SOLD = 10 * 1024**2


def new_key() -> AccessKey:
    return AccessKey(f"PV{uuid4().hex[:18].upper()}", uuid4().hex)


@dataclass
class Org:
    """An organisation as the store sees it."""

    name: str = field(default_factory=lambda: f"org-{uuid4().hex}")
    keys: list[AccessKey] = field(default_factory=lambda: [new_key()])

    @property
    def key(self) -> AccessKey:
        return self.keys[0]


def settle(
    store: ObjectStore, org: Org, *, quota: int | None = SOLD, mode: Mode = "open", origins: tuple[str, ...] = (ORIGIN,)
) -> list[bool]:
    """All that provisioning asks for; what each changed."""
    account = store.ensure_account(org.name, org.keys, 1)
    if mode == "open" and not account:
        opened = store.ensure_mode(org.name, mode, 1)
        return [account, store.ensure_bucket(org.name, org.name, org.key, BucketWish(quota, origins), 1), opened]
    bucket = store.ensure_bucket(org.name, org.name, org.key, BucketWish(quota, origins), 1)
    return [account, bucket, store.ensure_mode(org.name, mode, 1)]


@dataclass
class Stand:
    """A store, and the address where owners' keys are shown."""

    store: Any
    endpoint: str

    def signer(self, key: AccessKey) -> Signer:
        return Signer(self.endpoint, key.key_id, key.secret)

    def call(  # noqa: PLR0917 - as short as curl
        self,
        key: AccessKey,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """An S3 call by this key."""
        url, signed = self.signer(key).call(method, path, params, headers, payload=sha256(body).hexdigest())
        return requests.request(method, url, headers=signed, data=body or None, timeout=60)

    def put(self, org: Org, body: bytes = b"bonjour", key: AccessKey | None = None) -> requests.Response:
        """A new object in the organisation's bucket."""
        return self.call(key or org.key, "PUT", f"/{org.name}/{uuid4()}", body=body)

    def signed(self, org: Org, method: str, path: str) -> str:
        """An address that lets anybody make this call for a minute."""
        return self.signer(org.key).url(method, path, {}, {})

    def begin_upload(self, org: Org) -> None:
        answer = self.call(org.key, "POST", f"/{org.name}/{uuid4()}", {"uploads": ""})
        assert answer.status_code == 200, answer.text

    def preflight(self, org: Org, origin: str) -> str | None:
        """What a browser is told that comes from there and wants to write."""
        headers = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
        answer = requests.options(f"{self.endpoint}/{org.name}/{uuid4()}", headers=headers, timeout=60)
        return answer.headers.get("access-control-allow-origin")


class ByHand(Protocol):
    """What drifts: an operator's hand at the store itself."""

    store: Any

    def set_quota(self, org: Org, limit: int) -> None: ...
    def set_mode(self, org: Org, mode: Mode) -> None: ...
    def add_key(self, org: Org, key: AccessKey) -> None: ...
    def drop_bucket(self, org: Org) -> None: ...
    def set_origin(self, org: Org, origin: str) -> None: ...
    def add_stranger(self, name: str) -> None: ...


CORS = """<CORSConfiguration><CORSRule><AllowedOrigin>{}</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>
</CORSConfiguration>"""


@dataclass
class CephStand(Stand):
    """A real Ceph. What is done by hand here goes its own way: what is tested is not what tests it."""

    admin_key: AccessKey

    def admin(self, method: str, resource: str, **params: Any) -> requests.Response:
        """One call of the Admin Ops API, as it is. Underscores are hyphens."""
        named = {name.replace("_", "-"): str(value) for name, value in params.items()}
        url, headers = self.signer(self.admin_key).call(method, f"/admin/{resource}", named)
        return requests.request(method, url, headers=headers, timeout=60)

    def done(self, method: str, resource: str, **params: Any) -> Any:
        answer = self.admin(method, resource, **params)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.text) if answer.text else None

    def set_quota(self, org: Org, limit: int) -> None:
        self.done("PUT", "bucket", quota="", uid=org.name, bucket=org.name, max_size_kb=limit // 1024, enabled="true")

    def set_mode(self, org: Org, mode: Mode) -> None:
        mask = "read" if mode == "read_only" else "read, write, delete"
        self.done("POST", "user", uid=org.name, suspended=str(mode == "suspended").lower(), op_mask=mask)

    def add_key(self, org: Org, key: AccessKey) -> None:
        given = {"access_key": key.key_id, "secret_key": key.secret, "generate_key": "false"}
        self.done("PUT", "user", key="", uid=org.name, **given)

    def drop_bucket(self, org: Org) -> None:
        self.done("DELETE", "bucket", bucket=org.name, purge_objects="true")

    def set_origin(self, org: Org, origin: str) -> None:
        answer = self.call(org.key, "PUT", f"/{org.name}", {"cors": ""}, CORS.format(origin).encode())
        assert answer.status_code == 200, answer.text

    def add_stranger(self, name: str) -> None:
        self.done("PUT", "user", uid=name, display_name=name, generate_key="false")

    def keys_of(self, org: Org) -> set[str]:
        return {key["access_key"] for key in self.done("GET", "user", uid=org.name)["keys"]}


@dataclass
class FilesStand(Stand):
    """The embedded store behind its own gateway."""

    files: FileStore

    def set_quota(self, org: Org, limit: int) -> None:
        self.files.ensure_bucket(org.name, org.name, limit, [ORIGIN], 1)

    def set_mode(self, org: Org, mode: Mode) -> None:
        self.files.ensure_mode(org.name, mode, 1)

    def add_key(self, org: Org, key: AccessKey) -> None:
        self.files.ensure_account(org.name, {one.key_id: one.secret for one in (*org.keys, key)}, 1)

    def drop_bucket(self, org: Org) -> None:
        folder = self.files.root / "buckets" / org.name
        folder.rename(folder.with_name(f".lost-{org.name}"))

    def set_origin(self, org: Org, origin: str) -> None:
        limit = self.files.bucket(org.name)
        assert limit is not None
        self.files.ensure_bucket(org.name, org.name, limit.quota_bytes, [origin], 1)

    def add_stranger(self, name: str) -> None:
        self.files.ensure_account(name, {}, 0)


@contextmanager
def files_stand(root: Path) -> Iterator[FilesStand]:
    with running_gateway(root) as gateway:
        yield FilesStand(FileObjectStore.at(root), gateway.url, FileStore(root))


@contextmanager
def ceph_stand(endpoint: str, key_id: str, secret: str) -> Iterator[CephStand]:
    key = AccessKey(key_id, secret)
    store = CephObjectStore.at(endpoint, key)
    try:
        yield CephStand(store, endpoint, key)
    finally:
        store.close()
