"""Bytes from one socket to another: as many as there are, in little memory and, when there are many, with little work.

Bare sockets, no transports: one that fails to write would throw away what it has received.
"""

import asyncio
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

PART = 64 * 1024
PIPE = 1024 * 1024
# Never blocks, and moves pages where the kernel can.
SPLICE = os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE


class TakesNoMore(Exception):  # noqa: N818 - a thing that happens, not an accident
    """The receiving side closed, or was closed."""


async def receive(source: socket.socket, most: int = PART, seconds: float | None = None) -> bytes:
    """What arrives next; nothing once the other side has left, however it left."""
    async with asyncio.timeout(seconds):
        try:
            return await asyncio.get_running_loop().sock_recv(source, most)
        except ConnectionError:
            return b""


async def give(target: socket.socket, part: bytes) -> None:
    """Send all of it."""
    try:
        await asyncio.get_running_loop().sock_sendall(target, part)
    except ConnectionError as error:
        raise TakesNoMore from error


async def pass_on(
    source: socket.socket, target: socket.socket, left: int | None = None, seconds: float | None = None
) -> int:
    """Pass on until the source ends or `left` bytes are passed; how many were. TimeoutError after `seconds` of silence.

    A part that fills its buffer says that much is coming: the rest then goes by the kernel, through no memory of ours.
    """
    passed = 0
    while left is None or passed < left:
        part = await receive(source, _at_most(PART, left, passed), seconds)
        if not part:
            break
        await give(target, part)
        passed += len(part)
        if len(part) == PART:
            with _pipe() as pipe:
                if pipe is not None:
                    rest = None if left is None else left - passed
                    return passed + await _splice(source, target, pipe, rest, seconds)
    return passed


def _at_most(size: int, left: int | None, passed: int) -> int:
    return size if left is None else min(size, left - passed)


@contextmanager
def _pipe() -> Iterator[tuple[int, int] | None]:
    """A pipe, reader first; None where this process may open no more."""
    try:
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        # Not everybody may have a larger one, and the usual one does too.
        with suppress(OSError):
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE)
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


async def _splice(
    source: socket.socket, target: socket.socket, pipe: tuple[int, int], left: int | None, seconds: float | None
) -> int:
    loop, passed = asyncio.get_running_loop(), 0
    reader, writer = pipe
    while left is None or passed < left:
        try:
            arrived = os.splice(source.fileno(), writer, _at_most(PIPE, left, passed), flags=SPLICE)
        except BlockingIOError:
            await _until(loop.add_reader, loop.remove_reader, source, seconds)
            continue
        except ConnectionError:
            break
        if not arrived:
            break
        passed += arrived
        await _drain(reader, target, arrived)
    return passed


async def _drain(reader: int, target: socket.socket, held: int) -> None:
    loop = asyncio.get_running_loop()
    while held:
        try:
            held -= os.splice(reader, target.fileno(), held, flags=SPLICE)
        except BlockingIOError:
            await _until(loop.add_writer, loop.remove_writer, target, None)
        except ConnectionError as error:
            raise TakesNoMore from error


async def _until(
    add: Callable[..., object], remove: Callable[[int], object], watched: socket.socket, seconds: float | None
) -> None:
    told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    descriptor = watched.fileno()
    add(descriptor, _tell, told)
    try:
        async with asyncio.timeout(seconds):
            await told
    finally:
        remove(descriptor)


def _tell(told: "asyncio.Future[None]") -> None:
    if not told.done():
        told.set_result(None)
