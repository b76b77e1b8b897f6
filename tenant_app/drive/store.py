"""The workspace's own bucket at the cell's gateway: bytes that pass through here, and leave for those that do not."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
from anyio import CancelScope

from kit.errors import Refusal, Unavailable
from kit.s3 import Bucket, Client, Encryption, Failure, Part
from tenant_app.drive import parts
from tenant_app.tenancy import CellFile, TenantRecord


class Stored(msgspec.Struct, frozen=True):
    """What was stored: bytes, and the digest in hexadecimal: of the content, or of its parts' (see `parts`)."""

    size: int
    sha256: str
    part_bytes: int | None = None


class Stores:
    """Connections to the cell's gateway. They follow the cell's file as it changes; open them in the event loop."""

    def __init__(self) -> None:
        self._client: Client | None = None
        self._settings: Mapping[str, Any] = {}

    def client(self, cell: CellFile) -> Client:
        """Connections to the gateway that the file names now."""
        if self._client is None or self._settings != cell.store:
            # Whoever holds the old one finishes with it; it closes with the last of its requests.
            self._client, self._settings = Client.of(cell.store), cell.store
        return self._client

    def bucket(self, cell: CellFile, record: TenantRecord) -> Bucket:
        """The organisation's bucket, opened by its own key."""
        client, store = self.client(cell), record.store
        secret = cell.seals.open(store["secret_sealed"], f"store:{store['bucket']}")
        signer = client.signer(store["key_id"], secret)
        return Bucket(client, signer, store["bucket"], Encryption(store.get("data_key")))

    async def close(self) -> None:
        """End all connections."""
        if self._client is not None:
            await self._client.close()


@contextmanager
def explained() -> Iterator[None]:
    """A refusal of the gateway becomes one for people; whatever else it says, it may help to ask again."""
    try:
        yield
    except Failure as failed:
        if failed.code == "QuotaExceeded":
            raise full() from failed
        if failed.code in {"NoSuchKey", "NoSuchUpload"} or failed.status == 404:
            raise missing() from failed
        raise Unavailable("store_refuses", str(failed)) from failed


def full() -> Refusal:
    """The gateway's own limit, which nothing passes."""
    return Refusal("over_quota", "The storage of your organisation is full. Nothing was stored.", status=413)


def missing() -> Refusal:
    """An object that should be there is not."""
    return Refusal(
        "object_missing", "This file's content is not in the store any more. Ask an administrator.", status=410
    )


class _Pieces:
    """A stream cut into parts, counted and digested on its way."""

    def __init__(self, chunks: AsyncIterator[bytes], most: int) -> None:
        self.chunks = chunks
        self.most = most
        self.part = parts.part_bytes(most, parts.PASSED)
        self.size = 0
        self.digest = sha256()
        self.held: list[memoryview] = []
        self.room = self.part

    async def each(self) -> AsyncIterator[tuple[bytes, bool]]:
        """The parts, each with whether it is the last; an empty stream has one, which is empty."""
        async for chunk in self.chunks:
            self._count(chunk)
            left = memoryview(chunk)
            while left:
                if not self.room:
                    yield self._taken(), False
                self.held.append(left[: self.room])
                left = left[self.room :]
                self.room -= len(self.held[-1])
        yield self._taken(), True

    def _count(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > self.most:
            raise Refusal("longer_than_said", "More arrived than was announced. Nothing was stored.", status=413)
        self.digest.update(chunk)

    def _taken(self) -> bytes:
        piece = b"".join(self.held)
        self.held, self.room = [], self.part
        return piece


async def put(bucket: Bucket, blob_id: UUID, chunks: AsyncIterator[bytes], most: int) -> Stored:
    """Store at most `most` bytes as this blob: whole or not at all. One part at a time is held in memory."""
    pieces, key = _Pieces(chunks, most), str(blob_id)
    sending = _Sending(bucket, key)
    try:
        async for piece, last in pieces.each():
            with explained():
                await sending.send(piece, last=last)
    except BaseException:
        await sending.abort()
        raise
    return Stored(pieces.size, pieces.digest.hexdigest())


class _Sending:
    """One object on its way to the bucket: in one call if it is small, in parts if it is not."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self.bucket = bucket
        self.key = key
        self.upload_id: str | None = None
        self.done: list[Part] = []

    async def send(self, piece: bytes, *, last: bool) -> None:
        if last and self.upload_id is None:
            await self.bucket.put(self.key, piece)
            return
        if self.upload_id is None:
            self.upload_id = await self.bucket.begin(self.key)
        self.done.append(await self.bucket.put_part(self.key, self.upload_id, len(self.done) + 1, piece))
        if last:
            await self.bucket.complete(self.key, self.upload_id, self.done)

    async def abort(self) -> None:
        """What was sent goes. If the gateway is away now, the sweep comes later."""
        if self.upload_id is not None:
            # The sender may be gone and this task cancelled.
            with CancelScope(shield=True), suppress(Unavailable, Failure):
                await self.bucket.abort(self.key, self.upload_id)
