"""Object stores for the tenant app's tests: the embedded one behind its own gateway, or a real Ceph."""

import asyncio
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import requests

from kit.filestore import FileStore
from kit.s3 import Bucket, Client, Signer
from tests.filestore.gateway import running_gateway

T = TypeVar("T")
SECRET = "s" * 40
CORS = """<CORSConfiguration><CORSRule><AllowedOrigin>{origin}</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>
<AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod><AllowedHeader>*</AllowedHeader>
<ExposeHeader>ETag</ExposeHeader></CORSRule></CORSConfiguration>"""


def key_id_of(name: str) -> str:
    """The id of an account's key: each has its own."""
    return f"K{name[-16:].upper()}"


class Store(Protocol):
    """Where a house's workspaces keep their files."""

    endpoint: str
    public_host: str
    ca_file: Path | None

    def open(self, name: str, *, quota: int | None, origin: str) -> str:
        """Make account and bucket of this name; the id of the key whose secret is `SECRET`."""

    def mode(self, name: str, mode: str) -> None:
        """Open, freeze or suspend the account."""


def bucket(store: Store, name: str, key_id: str) -> Bucket:
    """The bucket, as its owner sees it. Open it in the event loop that uses it."""
    client = Client(store.endpoint, store.endpoint, ca_file=store.ca_file)
    return Bucket(client, client.signer(key_id, SECRET), name)


def objects(store: Store, name: str, key_id: str) -> dict[str, int]:
    """What lies in a bucket: id → bytes."""

    async def look() -> dict[str, int]:
        opened = bucket(store, name, key_id)
        try:
            return {one.key: one.size async for one in opened.listing()}
        finally:
            await opened.client.close()

    return _apart(look())


def unfinished(store: Store, name: str, key_id: str) -> list[str]:
    """The keys of uploads in parts that were begun and not ended."""

    async def look() -> list[str]:
        opened = bucket(store, name, key_id)
        try:
            return [one.key async for one in opened.unfinished()]
        finally:
            await opened.client.close()

    return _apart(look())


def _apart(work: Coroutine[Any, Any, T]) -> T:
    """In an event loop of its own, in a thread of its own: a browser's loop may run in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@dataclass
class Files:
    """The embedded store."""

    endpoint: str
    administrator: FileStore
    gateway: Any
    public_host: str = "parvis-files.localhost"
    ca_file: Path | None = None

    def open(self, name: str, *, quota: int | None, origin: str) -> str:
        key_id = key_id_of(name)
        self.administrator.ensure_account(name, {key_id: SECRET})
        self.administrator.ensure_bucket(name, name, quota, [origin])
        return key_id

    def mode(self, name: str, mode: str) -> None:
        self.administrator.ensure_mode(name, mode)  # type: ignore[arg-type]


@contextmanager
def files_store(root: Path) -> Iterator[Files]:
    with running_gateway(root) as gateway:
        yield Files(gateway.url, FileStore(root), gateway)


@dataclass
class Ceph:
    """A real Ceph, administered here by hand: what is tested is not what tests it."""

    endpoint: str
    key_id: str
    secret: str
    public_host: str = "parvis-files.localhost"
    ca_file: Path | None = None

    @property
    def _trust(self) -> str | bool:
        return str(self.ca_file) if self.ca_file else True

    def admin(self, method: str, path: str, **params: str) -> requests.Response:
        signer = Signer(self.endpoint, self.key_id, self.secret)
        url, headers = signer.call(method, f"/admin{path}", params)
        answer = requests.request(method, url, headers=headers, timeout=60, verify=self._trust)
        assert answer.status_code == 200, answer.text
        return answer

    def open(self, name: str, *, quota: int | None, origin: str) -> str:
        key_id = key_id_of(name)
        self.admin("PUT", "/user", **{"uid": name, "display-name": name, "generate-key": "false", "max-buckets": "1"})
        key = {"key": "", "uid": name, "access-key": key_id, "secret-key": SECRET, "generate-key": "false"}
        self.admin("PUT", "/user", **key)
        signer = Signer(self.endpoint, key_id, SECRET)
        for params, body in (({}, ""), ({"cors": ""}, CORS.format(origin=origin))):
            url, headers = signer.call("PUT", f"/{name}", params)
            answer = requests.put(url, headers=headers, data=body.encode(), timeout=60, verify=self._trust)
            assert answer.status_code == 200, answer.text
        if quota is not None:
            limit = {"quota": "", "uid": name, "bucket": name, "max-size-kb": str(quota // 1024), "enabled": "true"}
            self.admin("PUT", "/bucket", **limit)
        return key_id

    def mode(self, name: str, mode: str) -> None:
        self.admin("POST", "/user", **{"uid": name, "suspended": str(mode == "suspended").lower(),
                   "op-mask": "read" if mode == "read_only" else "read,write,delete"})  # fmt: skip
