"""Files on their way out: as attachments only, whole or a range of them, never as a page of this host."""

import re
from typing import Any
from uuid import UUID

from litestar import Response
from litestar.response import Stream

from kit.errors import Refusal, not_found
from kit.filestore import open_bucket
from tenant_app.accounts import AnyRequest, Desk, desk
from tenant_app.drive import names, store
from tenant_app.drive.listing import Version, versions
from tenant_app.drive.reach import Step, file, reach
from tenant_app.tenancy import directory_of, tenant

RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
# Even if a browser were made to show it: no script, no form, no origin of ours.
POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"


async def found(desk: Desk, where: UUID, n: int | None) -> tuple[Step, Version]:
    """A file the viewer may read, and the version he asks for (the newest by default)."""
    this = file(await reach(desk.conn, desk.viewer, where))
    wanted = this.version if n is None else n
    for one in await versions(desk.conn, this.id):
        if one.n == wanted:
            return this, one
    raise not_found()


def span(header: str | None, size: int) -> tuple[int, int] | None:
    """First and last-but-one byte of a single range; None means the whole. 416 when nothing of it exists."""
    match = RANGE.fullmatch((header or "").replace(" ", ""))
    if match is None or match[0] == "bytes=-":
        return None
    first, last = match[1], match[2]
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < int(first):
            return None
    if start >= size or start >= end:
        raise Refusal("range_outside", "This file is not that long.", status=416)
    return start, end


async def send(request: AnyRequest, where: UUID, n: int | None) -> Response[Any]:
    """The file's bytes. The transaction ends before the first one leaves."""
    async with desk(request) as d:
        this, version = await found(d, where, n)
    etag = f'"{version.blob_id.hex}"'
    headers = {
        "Content-Disposition": names.disposition(this.name),
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Cache-Control": "private, no-cache",
    }
    if request.headers.get("if-none-match") == etag:
        return Response(b"", status_code=304, headers=headers)
    wanted = request.headers.get("range") if request.headers.get("if-range", etag) == etag else None
    return _answer(request, this, version, headers, wanted)


def _answer(
    request: AnyRequest, this: Step, version: Version, headers: dict[str, str], wanted: str | None
) -> Response[Any]:
    media_type = names.media_type(this.name)
    try:
        part = span(wanted, version.size)
    except Refusal:
        headers["Content-Range"] = f"bytes */{version.size}"
        return Response(b"", status_code=416, headers=headers, media_type=media_type)
    start, end = part or (0, version.size)
    headers["Content-Length"] = str(end - start)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{version.size}"
    status = 206 if part is not None else 200
    if request.method == "HEAD" or start == end:
        return Response(b"", status_code=status, headers=headers, media_type=media_type)
    bucket = open_bucket(directory_of(request).cell.store, tenant(request).store)
    return Stream(
        store.read(bucket, version.blob_id, start, end), status_code=status, headers=headers, media_type=media_type
    )
