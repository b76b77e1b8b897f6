"""One bucket, opened by its owner's key: what the workspace does itself, and what it lets a browser do."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from hashlib import sha256

from kit.s3 import dialect
from kit.s3.client import Answer, Client
from kit.s3.dialect import Failure, Listed, Part, Seen, Unfinished
from kit.s3.signing import LONGEST_SECONDS, Signer

DIGEST = "x-amz-content-sha256"
LOOKS = 8
BETWEEN_LOOKS = 0.15
MISSING = frozenset({"NoSuchKey", "NoSuchUpload", ""})


@dataclass(frozen=True)
class Encryption:
    """With which key the gateway encrypts what is written; without a name as the store does by itself."""

    data_key: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What a write says about it."""
        if self.data_key is None:
            return {}
        return {
            "x-amz-server-side-encryption": "aws:kms",
            "x-amz-server-side-encryption-aws-kms-key-id": self.data_key,
        }


@dataclass(frozen=True)
class Allowed:
    """A call that somebody else may make, once and soon: send exactly these headers to this address."""

    method: str
    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Bucket:
    """Objects of one organisation, named by ids. No call loads a whole object but `put`, whose bytes are at hand."""

    client: Client
    signer: Signer
    name: str
    encryption: Encryption = field(default_factory=Encryption)

    def _path(self, key: str) -> str:
        return f"/{self.name}/{key}"

    async def _ask(self, method: str, key: str, params: Mapping[str, str] | None = None, **more: object) -> Answer:
        return await self.client.ask(self.signer, method, self._path(key), params, **more)  # type: ignore[arg-type]

    def allow_put(self, key: str, size: int, digest: str) -> Allowed:
        """Let a browser write this object: exactly `size` bytes with this SHA-256 (hexadecimal), within the minute."""
        headers = {**self.encryption.headers, DIGEST: digest}
        # The length is signed too, though a browser sets it by itself.
        url = self._url("PUT", key, {}, {**headers, "content-length": str(size)})
        return Allowed("PUT", url, headers)

    def allow_part(self, key: str, upload_id: str, n: int, size: int, digest: str) -> Allowed:
        """Let a browser write one part of an upload, as `allow_put` does an object."""
        params = {"partNumber": str(n), "uploadId": upload_id}
        url = self._url("PUT", key, params, {DIGEST: digest, "content-length": str(size)})
        return Allowed("PUT", url, {DIGEST: digest})

    def allow_get(self, key: str, disposition: str, media_type: str) -> str:
        """Let a browser read this object, as an attachment of this name and type, within the minute."""
        params = {
            "response-content-disposition": disposition,
            "response-content-type": media_type,
            "response-cache-control": "private, no-store",
        }
        return self._url("GET", key, params, {})

    def _url(self, method: str, key: str, params: Mapping[str, str], headers: Mapping[str, str]) -> str:
        at = self.client.public_endpoint
        return self.signer.url(method, self._path(key), params, headers, seconds=LONGEST_SECONDS, at=at)

    async def put(self, key: str, body: bytes) -> Seen:
        """Write an object whose bytes are at hand."""
        answer = await self._ask(
            "PUT", key, headers=self.encryption.headers, body=body, payload=sha256(body).hexdigest()
        )
        return Seen(len(body), dialect.plain(answer.headers.get("etag", "")))

    async def begin(self, key: str) -> str:
        """Begin an upload in parts; its id."""
        answer = await self._ask("POST", key, {"uploads": ""}, headers=self.encryption.headers)
        return dialect.upload_id(answer.body)

    async def put_part(self, key: str, upload_id: str, n: int, body: bytes) -> Part:
        """Write one part whose bytes are at hand."""
        params = {"partNumber": str(n), "uploadId": upload_id}
        answer = await self._ask("PUT", key, params, body=body, payload=sha256(body).hexdigest())
        return Part(n, len(body), dialect.plain(answer.headers.get("etag", "")))

    async def parts(self, key: str, upload_id: str) -> list[Part]:
        """The parts of an upload that have arrived, by number. Raises `Failure` for an upload that is not there."""
        found: list[Part] = []
        params = {"uploadId": upload_id, "max-parts": "1000"}
        while True:
            page, following = dialect.parts((await self._ask("GET", key, params)).body)
            found += page
            if following is None:
                return found
            params = {**params, "part-number-marker": following}

    async def complete(self, key: str, upload_id: str, parts: Iterable[Part]) -> None:
        """Make an object of these parts: whole, or not at all.

        A repeated completion finds the object there already, which is success.
        """
        body = dialect.completion(parts)
        try:
            answer = await self._ask("POST", key, {"uploadId": upload_id}, body=body, payload=sha256(body).hexdigest())
        except Failure as failed:
            if failed.code not in MISSING or not await self.appears(key):
                raise
        else:
            # Gateways send the status before they know: a refusal may come in the body of a 200.
            if b"<Error>" in answer.body:
                raise dialect.failure(answer.status, answer.body)

    async def appears(self, key: str) -> bool:
        """Whether the object is there, or comes in a moment: a completion takes its upload away before it shows it."""
        for left in reversed(range(LOOKS)):
            if await self.seen(key) is not None:
                return True
            if left:
                await asyncio.sleep(BETWEEN_LOOKS)
        return False

    async def abort(self, key: str, upload_id: str) -> None:
        """The upload and its parts are gone; they may have been gone before."""
        try:
            await self._ask("DELETE", key, {"uploadId": upload_id})
        except Failure as failed:
            if failed.code not in MISSING:
                raise

    async def seen(self, key: str) -> Seen | None:
        """The object, or None where there is none."""
        try:
            answer = await self._ask("HEAD", key)
        except Failure as failed:
            if failed.status == 404:
                return None
            raise
        return Seen(int(answer.headers["content-length"]), dialect.plain(answer.headers.get("etag", "")))

    def read(self, key: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The object's bytes as they come; memory stays flat."""
        return self.client.stream(self.signer, self._path(key))

    async def delete(self, key: str) -> None:
        """The object is gone; it may have been gone before."""
        try:
            await self._ask("DELETE", key)
        except Failure as failed:
            if failed.status != 404:
                raise

    async def listing(self, after: str = "", limit: int | None = None) -> AsyncIterator[Listed]:
        """Objects in the order of their keys, from behind `after`; pages are fetched as they are needed."""
        params = {"list-type": "2", "max-keys": str(min(limit or 1000, 1000))}
        if after:
            params["start-after"] = after
        while True:
            page, following = dialect.listing((await self._root(params)).body)
            for one in page:
                yield one
            if following is None or limit is not None:
                return
            params = {"list-type": "2", "max-keys": "1000", "continuation-token": following}

    async def unfinished(self) -> AsyncIterator[Unfinished]:
        """Uploads that were begun and neither completed nor aborted."""
        params = {"uploads": "", "max-uploads": "1000"}
        while True:
            page, following = dialect.unfinished((await self._root(params)).body)
            for one in page:
                yield one
            if following is None:
                return
            params = {**params, "key-marker": following[0], "upload-id-marker": following[1]}

    async def _root(self, params: Mapping[str, str]) -> Answer:
        return await self.client.ask(self.signer, "GET", f"/{self.name}", params)
