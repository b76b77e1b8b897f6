"""The one public port: where it sends requests, what it refuses, and what it does when a process behind is away."""

import asyncio
import errno
import hashlib
import os
import re
import socket
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvloop

from control_plane.embedded import edge as edges
from control_plane.embedded import ports
from control_plane.embedded.edge import Edge, listening

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with the head it got, and with everything else that reaches it within a moment."""
    head = await reader.readuntil(b"\r\n\r\n")
    announced = re.search(rb"content-length: (\d+)\r\n", head.lower())
    rest = await reader.readexactly(int(announced[1])) if announced else b""
    with suppress(TimeoutError):
        async with asyncio.timeout(0.3):
            while part := await reader.read(1000):
                rest += part
    body = head + b"|REST|" + rest
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
    await writer.drain()
    writer.close()


@asynccontextmanager
async def world(handler: Handler | None = None) -> Any:
    behind = await asyncio.start_server(handler or echo, "127.0.0.1", 0)
    port = ports.free_port()
    sockets = listening(port)
    edge = Edge(lambda head: "http://site/" if head.host == "localhost" else behind.sockets[0].getsockname()[1])
    await edge.serve(sockets)
    try:
        yield port, behind
    finally:
        await edge.close()
        behind.close()


async def ask(port: int, raw: bytes, *, seconds: float = 60) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    async with asyncio.timeout(seconds):
        answer = await reader.read(-1)
    writer.close()
    return answer


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await scenario()
        # Let transports that were closed tell it to their sockets.
        await asyncio.sleep(0.05)

    uvloop.run(whole())


def test_a_second_request_in_the_same_bytes_never_reaches_anybody() -> None:
    async def scenario() -> None:
        async with world() as (port, _):
            first = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
            answer = await ask(port, first + b"GET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n")
            assert answer.endswith(b"|REST|abc")
            assert answer.count(b"HTTP/1.1 200") == 1

    run(scenario)


def test_the_control_a_naive_pipe_would_have_passed_it_on() -> None:
    async def scenario() -> None:
        behind = await asyncio.start_server(echo, "127.0.0.1", 0)
        first = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        answer = await ask(behind.sockets[0].getsockname()[1], first + b"GET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n")
        assert b"/smuggled" in answer
        behind.close()

    run(scenario)


def test_a_head_of_both_lengths_is_answered_400_and_passed_to_nobody() -> None:
    async def scenario() -> None:
        reached: list[bytes] = []

        async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            reached.append(await reader.read(10))
            writer.close()

        async with world(note) as (port, _):
            raw = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            assert (await ask(port, raw)).startswith(b"HTTP/1.1 400 ")
        assert reached == []

    run(scenario)


def test_a_head_beyond_64_kib_is_answered_431_and_one_below_passes() -> None:
    async def scenario() -> None:
        async with world() as (port, _):
            large = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 70_000 + b"\r\n\r\n"
            assert (await ask(port, large)).startswith(b"HTTP/1.1 431 ")
            fits = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 60_000 + b"\r\n\r\n"
            assert (await ask(port, fits)).startswith(b"HTTP/1.1 200 ")

    run(scenario)


def test_a_head_that_dribbles_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edges, "HEAD_SECONDS", 0.3)

    async def scenario() -> None:
        async with world() as (port, _):
            assert (await ask(port, b"GET / HTTP/1.1\r\nHost: a\r\n")).startswith(b"HTTP/1.1 408 ")

    run(scenario)


def test_a_request_to_localhost_is_led_to_the_site() -> None:
    async def scenario() -> None:
        async with world() as (port, _):
            answer = await ask(port, b"GET / HTTP/1.1\r\nHost: localhost:8080\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 307 ")
            assert b"Location: http://site/\r\n" in answer

    run(scenario)


def test_a_process_that_is_away_for_a_moment_is_waited_for() -> None:
    async def scenario() -> None:
        port, hole = ports.free_port(), ports.free_port()
        edge = Edge(lambda _: hole)
        await edge.serve(listening(port))
        asked = asyncio.create_task(ask(port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        await asyncio.sleep(0.4)
        behind = await asyncio.start_server(echo, "127.0.0.1", hole)
        assert (await asked).startswith(b"HTTP/1.1 200 ")
        await edge.close()
        behind.close()

    run(scenario)


def test_a_process_that_stays_away_gives_a_plain_502(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edges, "CONNECT_SECONDS", 0.3)

    async def scenario() -> None:
        port, hole = ports.free_port(), ports.free_port()
        edge = Edge(lambda _: hole)
        await edge.serve(listening(port))
        answer = await ask(port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"try again" in answer
        await edge.close()

    run(scenario)


@pytest.mark.parametrize(("method", "asked", "status"), [(b"GET", 2, b"200"), (b"POST", 1, b"502")])
def test_reading_is_asked_again_when_a_process_dies_under_it_and_writing_is_not(
    method: bytes, asked: int, status: bytes
) -> None:
    async def scenario() -> None:
        seen: list[bytes] = []

        async def dies_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            if len(seen) > 1:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
            writer.close()

        async with world(dies_once) as (port, _):
            answer = await ask(port, method + b" / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        assert answer.split()[1] == status
        assert len(seen) == asked

    run(scenario)


def test_a_large_body_streams_through_and_the_answer_too() -> None:
    async def scenario() -> None:
        size = 30_000_000

        async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(size)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            for _ in range(30):
                writer.write(b"z" * 1_000_000)
                await writer.drain()
            writer.close()

        async with world(count) as (port, _):
            raw = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
            answer = await ask(port, raw)
        assert answer.endswith(b"z")
        assert len(answer) > size

    run(scenario)


async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with the digest of the body, and with how much came after it within a moment."""
    head = await reader.readuntil(b"\r\n\r\n")
    left = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    digest = hashlib.sha256()
    while left:
        part = await reader.read(min(left, 1_000_000))
        digest.update(part)
        left -= len(part)
    more = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(0.3):
            more = await reader.read(1000)
    body = b"%s %d" % (digest.hexdigest().encode(), len(more))
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("pipes", [True, False])
def test_a_large_body_arrives_unchanged_and_not_a_byte_more(pipes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not pipes:

        def none_left(_: int) -> None:
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(os, "pipe2", none_left)

    async def scenario() -> None:
        body = os.urandom(5_000_000)
        async with world(swallow) as (port, _):
            raw = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            answer = await ask(port, raw + b"GET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n" * 10_000)
        assert answer.endswith(b"\r\n\r\n%s 0" % hashlib.sha256(body).hexdigest().encode())

    run(scenario)


def test_a_large_body_passes_through_little_memory() -> None:
    async def scenario() -> None:
        size = 200_000_000
        async with world(swallow) as (port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
            part = b"x" * 1_000_000
            tracemalloc.start()
            try:
                for _ in range(200):
                    writer.write(part)
                    await writer.drain()
                assert b" 200 " in await reader.readline()
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
                writer.close()
        # The client's own parts are among it.
        assert peak < 10_000_000

    run(scenario)


def test_a_client_that_waits_to_be_told_to_continue_is_told() -> None:
    async def scenario() -> None:
        async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"Expect: 100-continue\r\n" in head
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            assert await reader.readexactly(3) == b"abc"
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            await writer.drain()
            writer.close()

        async with world(tell) as (port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            async with asyncio.timeout(60):
                assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
                writer.write(b"abc")
                assert (await reader.read()).startswith(b"HTTP/1.1 204 ")
            writer.close()

    run(scenario)


def test_an_early_refusal_reaches_a_client_that_still_sends() -> None:
    async def scenario() -> None:
        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            writer.close()

        async with world(refuse) as (port, _):
            raw = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n" + b"x" * 20_000_000
            assert (await ask(port, raw)).startswith(b"HTTP/1.1 413 ")

    run(scenario)


def test_a_stream_of_events_comes_through_piece_by_piece_and_ends_when_the_client_leaves() -> None:
    async def scenario() -> None:
        left = asyncio.Event()

        async def events(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
            await writer.drain()
            await reader.read()
            left.set()
            writer.close()

        async with world(events) as (port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
            async with asyncio.timeout(60):
                assert await reader.readuntil(b"data: 1\n\n")
                writer.close()
                await left.wait()

    run(scenario)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_a_taken_port_is_an_error_at_once(taken: int) -> None:
    with pytest.raises(OSError, match="in use"):
        listening(taken)
