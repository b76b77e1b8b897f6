"""The embedded store's gateway: as much of S3 as the product uses, over the files of a `FileStore`.

`PARVIS_STORE_ROOT=… granian --interface asgi kit.filestore.gateway:app`. Buckets are in the path. Everything that
touches the disk happens in threads; what must hold is decided under locks, so several processes may serve one store.
"""

import asyncio
import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from kit import logs
from kit.errors import Unavailable
from kit.filestore import access, answers, asking, cors, routes, sending, signatures, writing
from kit.filestore.access import Open
from kit.filestore.answers import Answer
from kit.filestore.arriving import Arrival
from kit.filestore.asking import Request
from kit.filestore.bodies import Body, Gone, Receive
from kit.filestore.refusals import Refused
from kit.filestore.sending import Send
from kit.filestore.store import FileStore
from kit.ids import new_id
from kit.reading import PREFIX, SettingError
from kit.settings import log_level

T = TypeVar("T")

THREADS = 32
# An upload up to this size is stored in one go; a larger one passes by in pieces.
SMALL = 1024 * 1024
LARGEST_DOCUMENT = 2 * 1024 * 1024
# Longer than any upload pauses.
STRAY_SECONDS = 3600.0
BUSY = {"store_busy": Refused(503, "SlowDown"), "store_bucket_missing": Refused(404, "NoSuchBucket")}

log = logs.get("kit.filestore")


class Gateway:
    """The ASGI application."""

    def __init__(self, store: FileStore) -> None:
        self.store = store
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="store")

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] == "http":
            try:
                await self._serve(scope, Body(receive), send)
            except Gone:
                return
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        tidying = asyncio.create_task(self._tidy())
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                tidying.cancel()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    async def _tidy(self) -> None:
        """Now and then, clear what crashes left: nobody else would count those buckets anew."""
        while True:
            try:
                untidy = await self._in_thread(self.store.tidy, STRAY_SECONDS)
            except OSError as error:
                log.warning("the disk fails", error=str(error))
            else:
                if untidy:
                    log.warning("cleared what a crash left", buckets=untidy)
            await asyncio.sleep(STRAY_SECONDS)

    async def _serve(self, scope: Any, body: Body, send: Send) -> None:
        if scope["path"] in {"/healthz", "/readyz"}:
            answer = await self._in_thread(self._health)
        else:
            answer = await self._answer(scope, body)
        await sending.send(answer, send, bare=scope["method"] == "HEAD", in_thread=self._in_thread)
        await body.drain()

    def _health(self) -> Answer:
        well = self.store.root.is_dir()
        return Answer(200 if well else 503, {"content-type": "application/json"}, b'{"status":"%s"}' % _WORDS[well])

    async def _in_thread(self, work: Callable[..., T], *given: Any) -> T:
        """The result of blocking work. Who is cancelled still waits for it: nothing is cleared away under its feet."""
        running = asyncio.get_running_loop().run_in_executor(self._threads, work, *given)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait([running])
            raise

    async def _answer(self, scope: Any, body: Body) -> Answer:
        request_id = new_id().hex
        request = None
        try:
            request = asking.read(scope)
            answer = await self._do(request, body)
        except Gone:
            raise
        except Exception as error:  # noqa: BLE001 - every failure has an answer
            refused, resource = _refused(error, request_id), scope["raw_path"].decode("ascii", "replace")
            answer = answers.refusal(refused, resource, request_id)
            if refused.status == 403:
                log.info("refused", code=refused.code, method=scope["method"], path=resource, request=request_id)
        if request is not None and "origin" in request.headers:
            told = await self._in_thread(cors.headers, self.store, request)
            answer = replace(answer, headers={**told, **answer.headers})
        return replace(answer, headers={**answer.headers, "x-amz-request-id": request_id})

    async def _do(self, request: Request, body: Body) -> Answer:
        if request.method == "OPTIONS":
            return await self._in_thread(cors.preflight, self.store, request)
        asking.check_headers(request)
        operation = routes.find(request)
        if operation.run is None:
            return await self._take(request, body)
        pieces = await body.whole(LARGEST_DOCUMENT)
        return await self._in_thread(self._run, operation.run, request, b"".join(pieces))

    def _run(self, run: routes.Run, request: Request, body: bytes) -> Answer:
        opened = access.admit(self.store, request)
        told = signatures.payload(request)
        if told is not None and sha256(body).hexdigest() != told:
            raise Refused(400, "XAmzContentSHA256Mismatch", "The body is not what x-amz-content-sha256 says.")
        return sending.at_hand(run(opened, request, body), bare=request.method == "HEAD")

    async def _take(self, request: Request, body: Body) -> Answer:
        if request.body_length() <= SMALL:
            pieces = await body.whole(SMALL)
            return await self._in_thread(self._store, request, pieces)
        opened, arrived = await self._in_thread(self._begin, request)
        try:
            await body.pour(
                lambda pieces: self._in_thread(arrived.write, pieces),
                lambda pieces: self._in_thread(arrived.tag, pieces),
            )
            return await self._in_thread(writing.land, opened, request, arrived)
        finally:
            await self._in_thread(arrived.discard)

    def _begin(self, request: Request) -> tuple[Open, Arrival]:
        opened = access.admit(self.store, request)
        return opened, writing.begin(opened, request)

    def _store(self, request: Request, pieces: list[bytes]) -> Answer:
        opened, arrived = self._begin(request)
        try:
            arrived.write(pieces)
            arrived.tag(pieces)
            return writing.land(opened, request, arrived)
        finally:
            arrived.discard()


_WORDS = {True: b"ok", False: b"failed"}


def _refused(error: Exception, request_id: str) -> Refused:
    """What a failure is called in S3."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, Unavailable) and error.code in BUSY:
        return BUSY[error.code]
    if isinstance(error, OSError):
        log.error("the disk fails", error=str(error), request=request_id)
        return Refused(503, "ServiceUnavailable", "The store's disk does not do what it is asked.")
    log.error("a request fails", exc_info=error, request=request_id)
    return Refused(500, "InternalError")


@functools.cache
def _app() -> Gateway:
    root = os.environ.get(f"{PREFIX}STORE_ROOT", "").strip()
    if not root or not Path(root).is_dir():
        raise SettingError(f"{PREFIX}STORE_ROOT", root or None, "the path of a folder for the store's files")
    logs.configure(log_level(), process="store")
    return Gateway(FileStore(Path(root)))


def __getattr__(name: str) -> Any:
    # The server asks for `kit.filestore.gateway:app`; only then are settings read, so that importing has no effect.
    if name == "app":
        return _app()
    raise AttributeError(name)
