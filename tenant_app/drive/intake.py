"""What a browser sends, as it comes: one file as a body, or a form with several. Nothing is held whole."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID

from litestar import Request
from litestar.exceptions import InternalServerException
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from kit.errors import Refusal
from kit.web.csrf import same_origin
from tenant_app.accounts import connection, csrf, desk, token_of
from tenant_app.drive import uploads
from tenant_app.drive.arriving import Arrived
from tenant_app.drive.direct import Wanted
from tenant_app.drive.opening import bucket_of
from tenant_app.drive.uploads import WayIn
from tenant_app.tenancy import Connection, tenant

AnyRequest = Request[Any, Any, Any]
SMALL_FIELD = 2000
DRAINED = 64 * 1024 * 1024
MOST_FILES = 1000


def way_in(request: AnyRequest) -> WayIn:
    """How this request's uploads come back to the database, and the bucket they go to."""
    return WayIn(
        tenant=tenant(request),
        bucket=bucket_of(request),
        desk=partial(desk, request),
        connection=partial(bare, request),
    )


@asynccontextmanager
async def bare(request: AnyRequest) -> AsyncIterator[Connection]:
    """The tenant's transaction alone, without the record."""
    async with connection(request) as (_, conn):
        yield conn


def declared_size(request: AnyRequest) -> int:
    """How long the body says it is; an upload without this is refused, for room is reserved first."""
    given = request.headers.get("content-length", "")
    if not given.isascii() or not given.isdecimal() or len(given) > 15:
        raise Refusal("length_needed", "Say how long the file is (Content-Length).", status=411)
    return int(given)


async def body_of(request: AnyRequest) -> AsyncIterator[bytes]:
    """The body's bytes; a sender who goes away ends them with a Refusal, which nobody reads."""
    try:
        async for chunk in request.stream():
            if chunk:
                yield chunk
    except InternalServerException as error:
        raise Refusal("sender_gone", "The upload was broken off. Nothing was stored.", status=400) from error


async def drain(request: AnyRequest) -> None:
    """Read on a little after a refusal: a browser shows an answer only once it has sent what it began."""
    read = 0
    try:
        async for chunk in body_of(request):
            read += len(chunk)
            if read > DRAINED:
                return
    except (Refusal, RuntimeError, InternalServerException):
        return


async def one_file(request: AnyRequest, where: UUID, name: str, path: str) -> Arrived:
    """The body is the file."""
    size = declared_size(request)
    try:
        return await uploads.take_in(way_in(request), where, Wanted(name, size, path), body_of(request), exact=True)
    except Refusal:
        await drain(request)
        raise


async def form(request: AnyRequest, where: UUID) -> list[Arrived]:
    """A form as browsers send it without script: its token first, then the files, in any number."""
    if not same_origin(request):
        raise Refusal(
            "foreign_origin",
            "This request came from another site, so nothing was done. Open the page and try again.",
            status=403,
        )
    try:
        return await _Form(request, where).read()
    except Refusal:
        await drain(request)
        raise
    except MultipartError as error:
        raise Refusal(
            "form_broken", "This form could not be read. Reload the page and try again.", status=400
        ) from error


class _Form:
    """One multipart body on its way through."""

    def __init__(self, request: AnyRequest, where: UUID) -> None:
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        if kind != "multipart/form-data" or not options.get("boundary"):
            raise Refusal("form_needed", "Choose the files with the form of the folder's page.", status=415)
        self.total = declared_size(request)
        self.request = request
        self.where = where
        self.received = 0
        self.events = self._events(
            PushMultipartParser(
                options["boundary"], content_length=self.total, max_segment_count=MOST_FILES, strict=True
            )
        )
        self.trusted = False

    async def _events(self, parser: PushMultipartParser) -> AsyncIterator[MultipartSegment | bytes | bytearray | None]:
        with parser:
            async for chunk in body_of(self.request):
                for event in parser.parse(chunk):
                    yield event
                self.received += len(chunk)

    async def read(self) -> list[Arrived]:
        arrived = []
        async for event in self.events:
            if not isinstance(event, MultipartSegment):
                continue
            if event.filename is None:
                await self._field(event.name or "")
            elif not self.trusted:
                raise _stale()
            elif event.filename:
                arrived.append(await self._file(event.filename))
        if not arrived:
            raise Refusal("files_missing", "Choose at least one file.", field="files")
        return arrived

    async def _field(self, name: str) -> None:
        value = b""
        async for piece in self._pieces():
            value += piece
            if len(value) > SMALL_FIELD:
                raise _stale()
        if name == "csrf":
            session = token_of(self.request)
            self.trusted = session is not None and csrf.matches(value.decode("latin-1"), session)

    async def _file(self, name: str) -> Arrived:
        # Browsers on some systems send a whole path.
        name = name.replace("\\", "/").rpartition("/")[2]
        # How long this one is nobody said; it cannot be longer than what is still to come.
        most = self.total - self.received
        return await uploads.take_in(way_in(self.request), self.where, Wanted(name, most), self._pieces(), exact=False)

    async def _pieces(self) -> AsyncIterator[bytes]:
        async for event in self.events:
            if event is None:
                return
            if isinstance(event, (bytes, bytearray)):
                yield bytes(event)


def _stale() -> Refusal:
    return Refusal(
        "stale_page", "This page is too old to be sent. Reload it and try again; nothing was done.", status=403
    )
