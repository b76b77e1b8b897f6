"""The one public port: reads a request's head, picks the process behind by Host, then passes bytes both ways.

One request a connection: after it, both sides are closed, so nothing of one request can become the start of another.
"""

import asyncio
import html
import socket
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

from control_plane.embedded.heads import LARGEST_HEAD, BadHead, Head, parse
from kit import logs

HEAD_SECONDS = 10
BODY_SECONDS = 60
CONNECT_SECONDS = 10
LINGER_SECONDS = 3
MOST_CONNECTIONS = 4000
PAUSE = 0.1
READING = frozenset({"GET", "HEAD"})
PART = 64 * 1024
SCHEME = "http"

# Where a request goes: a port on loopback, or an address that the client is sent to.
Route = Callable[[Head], int | str]

log = logs.get("edge")


def plain_page(status: int, words: str) -> bytes:
    """A whole answer that needs nobody behind."""
    phrase = HTTPStatus(status).phrase
    body = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{status} {phrase}</title>'
        f"<h1>{phrase}</h1><p>{html.escape(words)}</p></html>\n"
    ).encode()
    return (
        f"HTTP/1.1 {status} {phrase}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\nX-Content-Type-Options: nosniff\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    ).encode() + body


def moved(address: str) -> bytes:
    """An answer that sends the client elsewhere."""
    first = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {address}\r\n"
    return (first + "Content-Length: 0\r\nConnection: close\r\n\r\n").encode()


def listening(port: int) -> list[socket.socket]:
    """Sockets on 127.0.0.1 and, where there is one, on ::1. An OSError says that the port is taken."""
    found = [_bound(socket.AF_INET, "127.0.0.1", port)]
    if socket.has_ipv6:
        with suppress(OSError):
            found.append(_bound(socket.AF_INET6, "::1", port))
    return found


def _bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((host, port))
        made.listen(4096)
    except OSError:
        made.close()
        raise
    made.setblocking(False)
    return made


class Edge:
    """Serves the public port until `close`."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.Task[None]] = set()

    async def serve(self, sockets: list[socket.socket]) -> None:
        """Begin to answer on sockets that listen already."""
        for one in sockets:
            self._servers.append(await asyncio.start_server(self._accept, sock=one, limit=LARGEST_HEAD))

    async def close(self) -> None:
        """Answer no more; what is under way is cut."""
        for server in self._servers:
            server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, TimeoutError, asyncio.CancelledError):
            # The client left, or we are closing: there is nobody to tell.
            pass
        except Exception:
            log.exception("a connection failed")
        finally:
            self._connections.discard(task)
            writer.close()
            with suppress(ConnectionError, TimeoutError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) > MOST_CONNECTIONS:
            await _answer(reader, writer, plain_page(503, "Too many connections are open. Please try again."))
            return
        try:
            head = await _read_head(reader)
        except BadHead as bad:
            await _answer(reader, writer, plain_page(bad.status, f"This request was refused: {bad.why}."))
            return
        if head is None:
            return
        behind = self._route(head)
        if isinstance(behind, str):
            await _answer(reader, writer, moved(behind))
            return
        await _serve_from(behind, head, (reader, writer))


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _read_head(reader: asyncio.StreamReader) -> Head | None:
    """The head of the one request, or None for a client that says nothing."""
    try:
        async with asyncio.timeout(HEAD_SECONDS):
            raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise BadHead(431, "its head is larger than 64 KiB") from error
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise BadHead(400, "its head is not complete") from error
        return None
    except TimeoutError as error:
        raise BadHead(408, "its head took too long") from error
    return parse(raw)


async def _connect(port: int, deadline: float) -> socket.socket | None:
    """Reach the process behind, waiting some seconds for one that is being started again."""
    loop = asyncio.get_running_loop()
    while loop.time() < deadline:
        behind = socket.socket()
        behind.setblocking(False)
        behind.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await loop.sock_connect(behind, ("127.0.0.1", port))
            return behind
        except OSError:
            behind.close()
            await asyncio.sleep(PAUSE)
    return None


async def _serve_from(port: int, head: Head, client: Streams) -> None:
    """Relay to the process behind; a reading request that it died under is asked again once it is back."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + CONNECT_SECONDS
    words = "This part of Parvis does not answer just now. Please try again in a moment."
    while (opened := await _connect(port, deadline)) is not None:
        if await _relay(head, client, opened):
            return
        if head.method not in READING or head.length != 0:
            words = "This part of Parvis stopped while it worked on this. Look whether it was done before trying again."
            break
        await asyncio.sleep(PAUSE)
    await _answer(*client, plain_page(502, words))


async def _relay(head: Head, client: Streams, behind: socket.socket) -> bool:
    """Pass bytes both ways. False: the process behind closed without a byte of an answer."""
    peer = client[1].get_extra_info("peername")
    first = head.forwarded(peer[0] if peer else "127.0.0.1", SCHEME)
    up = asyncio.create_task(_send(first, head.length, client[0], behind))
    down = asyncio.create_task(_pass(behind, client[1]))
    try:
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        if up.done() and not up.result():
            # The process behind takes no more of the body: its answer is on the way.
            await down
        if not down.done():
            return True
        # Two may not read one stream.
        up.cancel()
        await asyncio.gather(up, return_exceptions=True)
        if down.result():
            await _linger(client)
        return down.result()
    finally:
        up.cancel()
        down.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
        behind.close()


async def _send(first: bytes, left: int | None, reader: asyncio.StreamReader, behind: socket.socket) -> bool:
    """Pass head and body on, then wait. True: the client left. False: the process behind wants no more."""
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_sendall(behind, first)
        while left is None or left > 0:
            async with asyncio.timeout(BODY_SECONDS):
                part = await _read(reader, PART if left is None else min(PART, left))
            if not part:
                return True
            left = None if left is None else left - len(part)
            # A bare socket, no transport: one that fails to write would throw away the answer it has received.
            await loop.sock_sendall(behind, part)
    except TimeoutError:
        return True
    except OSError:
        return False
    # Whatever the client sends after its one request is read and forgotten; what counts is when it leaves.
    while await _read(reader, PART):
        pass
    return True


async def _read(reader: asyncio.StreamReader, most: int) -> bytes:
    """What the client sends; nothing once it has left, however it left."""
    try:
        return await reader.read(most)
    except ConnectionError:
        return b""


async def _pass(behind: socket.socket, writer: asyncio.StreamWriter) -> bool:
    """Pass the answer on until it ends; whether there was one."""
    loop, passed = asyncio.get_running_loop(), False
    while part := await _receive(loop, behind):
        passed = True
        writer.write(part)
        await writer.drain()
    return passed


async def _receive(loop: asyncio.AbstractEventLoop, behind: socket.socket) -> bytes:
    with suppress(ConnectionError):
        return await loop.sock_recv(behind, PART)
    return b""


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: bytes) -> None:
    writer.write(answer)
    await _linger((reader, writer))


async def _linger(client: Streams) -> None:
    """Let a client that is still sending read its answer: closing at once would reset the connection under it."""
    reader, writer = client
    with suppress(ConnectionError, TimeoutError, OSError):
        await writer.drain()
        writer.write_eof()
        # A client that has read its answer closes at once, so this rarely takes longer than that.
        async with asyncio.timeout(LINGER_SECONDS):
            while await reader.read(PART):
                pass
