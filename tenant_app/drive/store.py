"""Bytes in and out of the workspace's own bucket, never through memory as a whole and never on the event loop."""

from collections.abc import AsyncIterator
from uuid import UUID

from anyio import to_thread

from kit.errors import Refusal
from kit.filestore import Bucket, Stored

BATCH = 512 * 1024


async def _collected(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in fewer pieces: each piece costs a trip to a thread."""
    held: list[bytes] = []
    size = 0
    async for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size >= BATCH:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _must_fit(arrived: int, most: int) -> None:
    if arrived > most:
        raise Refusal("longer_than_said", "More arrived than was announced. Nothing was stored.", status=413)


async def put(bucket: Bucket, blob_id: UUID, chunks: AsyncIterator[bytes], most: int) -> Stored:
    """Store at most `most` bytes as this blob: whole or not at all, whatever ends the stream."""
    upload = await to_thread.run_sync(bucket.begin, str(blob_id))
    try:
        async for piece in _collected(chunks):
            _must_fit(upload.written + len(piece), most)
            await to_thread.run_sync(upload.write, piece)
        return await to_thread.run_sync(upload.commit)
    except BaseException:
        # Not through a thread: when the client is gone this task is being cancelled, and a wait would not be granted.
        upload.abort()
        raise


async def read(bucket: Bucket, blob_id: UUID, start: int, end: int) -> AsyncIterator[bytes]:
    """The bytes from `start` to before `end`."""
    pieces = await to_thread.run_sync(bucket.read, str(blob_id), start, end)
    while (piece := await to_thread.run_sync(next, pieces, None)) is not None:
        yield piece


async def delete(bucket: Bucket, blob_id: UUID) -> None:
    """The blob is gone; it may have been gone before."""
    await to_thread.run_sync(bucket.delete, str(blob_id))
