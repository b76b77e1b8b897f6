"""The one public port: reads a request's head, picks the process behind by Host, then passes bytes both ways.

One request a connection: after it, both sides are closed, so nothing of one request can become the start of another.
"""

import asyncio
import html
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from control_plane.embedded.heads import LARGEST_HEAD, BadHead, Head, parse
from control_plane.embedded.relay import TakesNoMore, give, pass_on, receive
from kit import logs

HEAD_SECONDS = 10
BODY_SECONDS = 60
CONNECT_SECONDS = 10
LINGER_SECONDS = 3
MOST_CONNECTIONS = 4000
PAUSE = 0.1
READING = frozenset({"GET", "HEAD"})
END_OF_HEAD = b"\r\n\r\n"
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
        self._listening: dict[socket.socket, asyncio.Task[None]] = {}
        self._connections: set[asyncio.Task[None]] = set()

    async def serve(self, sockets: list[socket.socket]) -> None:
        """Begin to answer on sockets that listen already."""
        self._listening |= {one: asyncio.create_task(self._accept(one)) for one in sockets}

    async def close(self) -> None:
        """Answer no more, and close the sockets; what is under way is cut."""
        tasks = [*self._listening.values(), *self._connections]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in self._listening:
            one.close()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(listener)
            except OSError:
                # The client left already, or no more may be open just now.
                await asyncio.sleep(PAUSE)
                continue
            task = asyncio.create_task(self._serve_and_close(client))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    async def _serve_and_close(self, client: socket.socket) -> None:
        try:
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._serve(client)
        except (TakesNoMore, ConnectionError, TimeoutError):
            # The client left: there is nobody to tell.
            pass
        except Exception:
            log.exception("a connection failed")
        finally:
            client.close()

    async def _serve(self, client: socket.socket) -> None:
        if len(self._connections) > MOST_CONNECTIONS:
            await _answer(client, plain_page(503, "Too many connections are open. Please try again."))
            return
        try:
            read = await _read_head(client)
        except BadHead as bad:
            await _answer(client, plain_page(bad.status, f"This request was refused: {bad.why}."))
            return
        if read is None:
            return
        behind = self._route(read[0])
        if isinstance(behind, str):
            await _answer(client, moved(behind))
            return
        await _serve_from(behind, Asked(*read, client))


@dataclass
class Asked:
    """A request as it was read: its head, what of its body came with it, and the client's socket for the rest."""

    head: Head
    begun: bytes
    client: socket.socket


async def _read_head(client: socket.socket) -> tuple[Head, bytes] | None:
    """The head of the one request and what came after it, or None for a client that says nothing."""
    raw = b""
    try:
        async with asyncio.timeout(HEAD_SECONDS):
            while END_OF_HEAD not in raw:
                if len(raw) > LARGEST_HEAD:
                    raise BadHead(431, "its head is larger than 64 KiB")
                part = await receive(client)
                raw += part
                if not part:
                    break
    except TimeoutError as error:
        raise BadHead(408, "its head took too long") from error
    if not raw:
        return None
    head, end, begun = raw.partition(END_OF_HEAD)
    if not end:
        raise BadHead(400, "its head is not complete")
    if len(head) > LARGEST_HEAD:
        raise BadHead(431, "its head is larger than 64 KiB")
    return parse(head + end), begun


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


async def _serve_from(port: int, asked: Asked) -> None:
    """Relay to the process behind; a reading request that it died under is asked again once it is back."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + CONNECT_SECONDS
    words = "This part of Parvis does not answer just now. Please try again in a moment."
    while (opened := await _connect(port, deadline)) is not None:
        if await _relay(asked, opened):
            return
        if asked.head.method not in READING or asked.head.length != 0:
            words = "This part of Parvis stopped while it worked on this. Look whether it was done before trying again."
            break
        await asyncio.sleep(PAUSE)
    await _answer(asked.client, plain_page(502, words))


async def _relay(asked: Asked, behind: socket.socket) -> bool:
    """Pass bytes both ways. False: the process behind closed without a byte of an answer."""
    up = asyncio.create_task(_send(asked, behind))
    down = asyncio.create_task(pass_on(behind, asked.client))
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
        answered = down.result() > 0
        if answered:
            await _linger(asked.client)
        return answered
    finally:
        up.cancel()
        down.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
        behind.close()


async def _send(asked: Asked, behind: socket.socket) -> bool:
    """Pass head and body on, then wait. True: the client left. False: the process behind wants no more."""
    client, length = asked.client, asked.head.length
    begun = asked.begun if length is None else asked.begun[:length]
    left = None if length is None else length - len(begun)
    try:
        await give(behind, asked.head.forwarded(client.getpeername()[0], SCHEME) + begun)
        passed = await pass_on(client, behind, left, BODY_SECONDS)
    except TakesNoMore:
        return False
    except (TimeoutError, OSError):
        return True
    # Whatever the client sends after its one request is read and forgotten; what counts is when it leaves.
    while passed == left and await receive(client):
        pass
    return True


async def _answer(client: socket.socket, answer: bytes) -> None:
    await give(client, answer)
    await _linger(client)


async def _linger(client: socket.socket) -> None:
    """Let a client that is still sending read its answer: closing at once would reset the connection under it."""
    with suppress(TimeoutError, OSError):
        client.shutdown(socket.SHUT_WR)
        # A client that has read its answer closes at once, so this rarely takes longer than that.
        async with asyncio.timeout(LINGER_SECONDS):
            while await receive(client):
                pass
