"""Files on their way out: the workspace decides who may, the store sends. Attachments only, from another origin."""

from typing import Any
from uuid import UUID

from litestar import Response
from litestar.response import Redirect

from kit.errors import not_found
from tenant_app.accounts import AnyRequest, Desk, desk
from tenant_app.drive import names
from tenant_app.drive.listing import Version, versions
from tenant_app.drive.opening import bucket_of
from tenant_app.drive.reach import Step, file, reach
from tenant_app.drive.store import explained, missing


async def found(desk: Desk, where: UUID, n: int | None) -> tuple[Step, Version]:
    """A file the viewer may read, and the version he asks for (the newest by default)."""
    this = file(await reach(desk.conn, desk.viewer, where))
    wanted = this.version if n is None else n
    for one in await versions(desk.conn, this.id):
        if one.n == wanted:
            return this, one
    raise not_found()


async def send(request: AnyRequest, where: UUID, n: int | None) -> Response[Any]:
    """On to the store, by an address that is good for this version of this file, for reading, and for a minute.

    Ranges, and what has not changed, are the store's to answer. HEAD tells what is known here.
    """
    async with desk(request) as d:
        this, version = await found(d, where, n)
    disposition, media_type = names.disposition(this.name), names.media_type(this.name)
    if request.method == "HEAD":
        headers = {
            "Content-Disposition": disposition,
            "Content-Length": str(version.size),
            "Accept-Ranges": "bytes",
        }
        return Response(b"", headers=headers, media_type=media_type)
    bucket, key = bucket_of(request), str(version.blob_id)
    if bucket.encryption.data_key is not None:
        # A key of the organisation's own may be gone: then our words are better than the gateway's.
        with explained():
            if await bucket.seen(key) is None:
                raise missing()
    return Redirect(bucket.allow_get(key, disposition, media_type), status_code=302)
