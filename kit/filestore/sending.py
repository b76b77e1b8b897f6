"""Answers on their way out: in large pieces, one read while the one before is sent."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from kit.filestore.answers import Answer
from kit.filestore.objects import Content

Send = Callable[[Any], Awaitable[None]]
InThread = Callable[..., Awaitable[Any]]
PIECE = 1024 * 1024


def at_hand(answer: Answer, *, bare: bool) -> Answer:
    """In a thread: a small object read whole, so that nobody waits for a thread twice."""
    content = answer.content
    if content is None or bare or answer.length > PIECE:
        return answer
    with content:
        pieces, at = [], answer.start
        while at < answer.end:
            pieces.append(_piece(content, at, answer.end))
            at += len(pieces[-1])
    return replace(answer, content=None, body=b"".join(pieces))


def _piece(content: Content, at: int, end: int) -> bytes:
    piece = content.read(at, min(PIECE, end - at))
    if not piece:
        raise OSError("an object is shorter than it was")
    return piece


async def send(answer: Answer, send: Send, *, bare: bool, in_thread: InThread) -> None:
    """Send an answer; `bare` without its body, as HEAD wants it. An open object is closed afterwards."""
    try:
        headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        if answer.status != 304:
            headers.append((b"content-length", str(answer.length).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if answer.content is None or bare:
            await send({"type": "http.response.body", "body": b"" if bare else answer.body})
        else:
            await _pour(answer, answer.content, send, in_thread)
    finally:
        if answer.content is not None:
            answer.content.close()


async def _pour(answer: Answer, content: Content, send: Send, in_thread: InThread) -> None:
    at = answer.start
    piece = await in_thread(_piece, content, at, answer.end)
    while piece:
        at += len(piece)
        following = asyncio.ensure_future(in_thread(_piece, content, at, answer.end)) if at < answer.end else None
        try:
            await send({"type": "http.response.body", "body": piece, "more_body": following is not None})
        finally:
            # The object is not closed while it is read.
            piece = await following if following is not None else b""
