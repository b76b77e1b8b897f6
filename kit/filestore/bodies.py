"""Bodies as the server hands them over: received whole where they are small, passed on in large pieces where not."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from kit.filestore.refusals import Refused

Receive = Callable[[], Awaitable[Any]]
PIECE = 1024 * 1024
MOST_DRAINED = 64 * 1024 * 1024
DRAIN_SECONDS = 30.0


class Gone(Exception):  # noqa: N818 - nobody is there to be answered
    """The client hung up."""


class Body:
    """The body of one request. It may be read once."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._over = False

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Gone
        self._over = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body

    async def whole(self, most: int) -> list[bytes]:
        """All of it, in pieces; more than `most` bytes are refused."""
        pieces: list[bytes] = []
        size = 0
        while not self._over:
            pieces.append(await self._next())
            size += len(pieces[-1])
            if size > most:
                raise Refused(400, "EntityTooLarge", f"This request has a body of at most {most} bytes.")
        return pieces

    async def pour(self, *into: Callable[[Sequence[bytes]], Awaitable[None]]) -> None:
        """Pass all of it on in large pieces, to each side by side; one is passed on while the next is received."""
        passing: list[asyncio.Future[None]] = []
        try:
            while not self._over:
                pieces = await self._gather()
                await asyncio.gather(*passing)
                passing = [asyncio.ensure_future(pass_on(pieces)) for pass_on in into]
            await asyncio.gather(*passing)
        finally:
            # Nobody clears away under the feet of who still writes.
            if passing:
                await asyncio.wait(passing)

    async def _gather(self) -> list[bytes]:
        pieces: list[bytes] = []
        size = 0
        while size < PIECE and not self._over:
            pieces.append(await self._next())
            size += len(pieces[-1])
        return pieces

    async def drain(self) -> None:
        """Let the rest come, within reason: a client that is cut off while it sends does not read what it was told."""
        left = MOST_DRAINED
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self._over and left > 0:
                    left -= len(await self._next())
