"""Tenants of a gateway: an account, its bucket and key, and independent clients: obstore, and requests by hand."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
from obstore.store import S3Store

from kit.filestore import FileStore
from kit.s3 import Signer
from tests.filestore.gateway import RunningGateway

SECRET = "s" * 40
DIGEST = "x-amz-content-sha256"
CODE = re.compile(r"<Code>(.*?)</Code>")


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def said(answer: requests.Response) -> tuple[int, str]:
    """The status, and the code of a refusal."""
    found = CODE.search(answer.text) if answer.status_code >= 400 else None
    return answer.status_code, found[1] if found else ""


@dataclass(frozen=True)
class Tenant:
    """An account `name` with a bucket of the same name."""

    gateway: RunningGateway
    name: str
    key_id: str
    secret: str = SECRET

    @property
    def store(self) -> FileStore:
        """The administrator's side."""
        return FileStore(self.gateway.root)

    @property
    def folder(self) -> Path:
        return self.gateway.root / "buckets" / self.name

    @property
    def signer(self) -> Signer:
        return Signer(self.gateway.url, self.key_id, self.secret)

    @cached_property
    def rust(self) -> S3Store:
        """obstore's client, which shares no code with ours."""
        return self.client()

    def client(self, **options: Any) -> S3Store:
        return S3Store(
            self.name,
            endpoint=self.gateway.url,
            access_key_id=self.key_id,
            secret_access_key=self.secret,
            region="default",
            virtual_hosted_style_request=False,
            client_options={"allow_http": True, "timeout": "30s"},
            retry_config={"max_retries": 0},
            **options,
        )

    def path(self, key: str = "") -> str:
        return f"/{self.name}/{key}" if key else f"/{self.name}"

    def call(
        self,
        method: str,
        key: str = "",
        params: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        signed: Mapping[str, str] | None = None,
        also: Mapping[str, str] | None = None,
        payload: str | None = None,
    ) -> requests.Response:
        """A call signed in its header; `signed` headers are signed, those of `also` are not."""
        url, headers = self.signer.call(
            method, self.path(key), params, dict(signed or {}), payload=payload or sha256(body)
        )
        return send(method, url, {**headers, **(also or {})}, body)

    def put(self, key: str | None = None, body: bytes = b"content") -> str:
        key = key or new_key()
        answer = self.call("PUT", key, body=body)
        assert answer.status_code == 200, answer.text
        return key

    def get(self, key: str, params: Mapping[str, str] | None = None, **also: str) -> requests.Response:
        return self.call("GET", key, params, also=also)

    def begin(self, key: str) -> str:
        answer = self.call("POST", key, {"uploads": ""})
        assert answer.status_code == 200, answer.text
        return re.findall("<UploadId>(.*?)</UploadId>", answer.text)[0]

    def part(self, key: str, upload: str, n: int, body: bytes) -> requests.Response:
        return self.call("PUT", key, {"partNumber": str(n), "uploadId": upload}, body)

    def complete(self, key: str, upload: str, parts: list[tuple[int, str]]) -> requests.Response:
        return self.call("POST", key, {"uploadId": upload}, completion(parts))

    def left(self) -> list[str]:
        """What lies in `incoming/`."""
        return [path.name for path in (self.folder / "incoming").iterdir()]


def send(method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> requests.Response:
    return requests.request(method, url, headers=dict(headers or {}), data=body or None, timeout=60)


def completion(parts: list[tuple[int, str]]) -> bytes:
    inner = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>" for n, etag in parts)
    return f"<CompleteMultipartUpload>{inner}</CompleteMultipartUpload>".encode()


def md5(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def new_key() -> str:
    return str(uuid4())


def new_tenant(gateway: RunningGateway, *, quota: int | None = None, origins: tuple[str, ...] = ()) -> Tenant:
    unique = uuid4().hex
    made = Tenant(gateway, f"org-{unique}", f"PV{unique[:14].upper()}")
    made.store.ensure_account(made.name, {made.key_id: SECRET})
    made.store.ensure_bucket(made.name, made.name, quota, origins)
    return made
