"""A file that passes through the workspace: reserve, stream, commit. Whatever breaks it, the promise ends.

Browsers with script send straight to the store (`direct`); this is for forms without script, and for programs.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from time import monotonic
from uuid import UUID

from anyio import CancelScope

from kit.errors import Refusal
from kit.s3 import Bucket
from tenant_app.accounts import Desk
from tenant_app.drive import direct, promises, quota, store
from tenant_app.drive.arriving import Arrivals, Arrived
from tenant_app.drive.promises import Promise
from tenant_app.drive.reach import Place, must_add, reach
from tenant_app.drive.store import Stored
from tenant_app.tenancy import Connection, TenantRecord

RENEW_EVERY = 60


@dataclass(frozen=True)
class WayIn:
    """How an upload comes back to the database between its bytes: no transaction is held while they travel."""

    tenant: TenantRecord
    bucket: Bucket
    desk: Callable[[], AbstractAsyncContextManager[Desk]]
    connection: Callable[[], AbstractAsyncContextManager[Connection]]


async def _begin(desk: Desk, place: Place, wanted: direct.Wanted, *, exact: bool) -> Promise:
    """Room and a place for the file, or a Refusal before anything is sent."""
    largest = quota.limit_of(desk.tenant, "file_bytes")
    if not exact and largest is not None:
        wanted = direct.Wanted(wanted.name, min(wanted.size, largest), wanted.path)
    [begun] = await direct.promise(desk, place, [wanted], passing=True)
    if isinstance(begun, Refusal):
        raise begun
    return begun


async def _renewed(chunks: AsyncIterator[bytes], renew: Callable[[], Awaitable[None]]) -> AsyncIterator[bytes]:
    """The same chunks; while they come slowly, the promise is renewed."""
    last = monotonic()
    async for chunk in chunks:
        yield chunk
        if monotonic() - last > RENEW_EVERY:
            await renew()
            last = monotonic()


def _must_be_whole(stored: Stored, size: int | None) -> None:
    if size is not None and stored.size != size:
        raise Refusal("shorter_than_said", "Less arrived than was announced. Nothing was stored.", status=400)


async def take_in(
    way_in: WayIn, where: UUID, wanted: direct.Wanted, chunks: AsyncIterator[bytes], *, exact: bool
) -> Arrived:
    """A whole upload: room for it, the stream, the file. Anything that breaks it leaves nothing.

    With `exact` the file has the size that is wanted; else it has at most that size.
    """
    async with way_in.desk() as desk:
        promise = await _begin(desk, must_add(await reach(desk.conn, desk.viewer, where)), wanted, exact=exact)

    async def renew() -> None:
        async with way_in.connection() as conn:
            await promises.renew(conn, promise.id)

    try:
        stored = await store.put(way_in.bucket, promise.blob_id, _renewed(chunks, renew), promise.size)
        _must_be_whole(stored, wanted.size if exact else None)
        async with way_in.desk() as desk:
            [arrived] = await Arrivals(desk).take([(promise, stored)])
    except BaseException:
        # The sender may be gone and this task cancelled: the promise is ended all the same.
        with CancelScope(shield=True):
            async with way_in.connection() as conn:
                await promises.abandon(conn, way_in.tenant, promise.id)
        raise
    if isinstance(arrived, Refusal):
        raise arrived
    return arrived
