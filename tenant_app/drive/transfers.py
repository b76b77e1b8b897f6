"""Files between a browser and the store: what a page's script asks for before, between and after the bytes."""

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from litestar import delete, get, post
from litestar.params import FromPath, JSONBody

from kit.errors import Refusal, Unavailable
from kit.interface import locale_of, translator
from kit.s3 import Allowed, Bucket
from tenant_app.accounts import AnyRequest, Room, desk, require_session
from tenant_app.drive import completing, direct
from tenant_app.drive.arriving import Arrivals, Arrived
from tenant_app.drive.direct import MOST_PARTS, PartWish, Wanted
from tenant_app.drive.intake import bare
from tenant_app.drive.opening import bucket_of
from tenant_app.drive.promises import Promise
from tenant_app.drive.reach import must_add, reach
from tenant_app.interface import Role, spoken

MOST_FILES = 100
LARGEST = 2_000_000


class Beginning(msgspec.Struct, frozen=True):
    """Files that are to come to one folder."""

    files: list[Wanted]


class Parts(msgspec.Struct, frozen=True):
    """Parts that are to come next."""

    parts: list[PartWish]


class Completion(msgspec.Struct, frozen=True):
    """Uploads whose bytes have all been sent."""

    uploads: list[UUID]


def _count(given: list[Any], most: int, field: str) -> None:
    if not 1 <= len(given) <= most:
        raise Refusal("wrong_number", "Name between 1 and {most} of them.", field=field, most=most)


def _told(request: AnyRequest, refusal: Refusal) -> dict[str, Any]:
    """One file's refusal beside others that go well, in the reader's language."""
    locale = locale_of(request)
    return {"error": {"code": refusal.code, "detail": translator(locale).words(spoken(refusal, locale))}}


def _call(allowed: Allowed | None) -> dict[str, Any] | None:
    return None if allowed is None else {"url": allowed.url, "headers": dict(allowed.headers)}


class Transfers(Room):
    """Whoever may add files in a space. An upload is its sender's own."""

    opt = {"support": "write"}  # noqa: RUF012 - Litestar's way

    guards = [require_session]  # noqa: RUF012 - Litestar's way

    @post("/drive/{where:uuid}/uploads", admits=Role.GUEST, status_code=201, request_max_body_size=LARGEST)
    async def begin(self, request: AnyRequest, where: FromPath[UUID], data: JSONBody[Beginning]) -> dict[str, Any]:
        """Room for files, each on its own; a file, or first parts, whose digest is known may be sent at once."""
        _count(data.files, MOST_FILES, "files")
        bucket = bucket_of(request)
        async with desk(request) as d:
            place = must_add(await reach(d.conn, d.viewer, where))
            found = await direct.promise(d, place, data.files)
        return {
            "uploads": [
                _told(request, one) if isinstance(one, Refusal) else await _begun(request, bucket, one) for one in found
            ]
        }

    @post("/drive/uploads/{upload_id:uuid}/parts", admits=Role.GUEST, status_code=200, request_max_body_size=LARGEST)
    async def parts(self, request: AnyRequest, upload_id: FromPath[UUID], data: JSONBody[Parts]) -> dict[str, Any]:
        """Allow the next parts to be sent, for a minute; asking again for one that was lost is fine."""
        _count(data.parts, MOST_PARTS, "parts")
        bucket = bucket_of(request)
        async with desk(request) as d:
            noted = await direct.note_digests(d, upload_id, data.parts)
        known = await direct.began(bucket, noted, partial(bare, request))
        return {"parts": _calls(bucket, known, data.parts)}

    @get("/drive/uploads/{upload_id:uuid}", admits=Role.GUEST)
    async def look(self, request: AnyRequest, upload_id: FromPath[UUID]) -> dict[str, Any]:
        """What has arrived of an upload, for whoever goes on with it after a reload."""
        async with desk(request) as d:
            known = await direct.mine(d.conn, d.viewer.id, upload_id)
        there = await completing.arrived_parts(bucket_of(request), known)
        return {
            **_shown(known),
            "arrived": [{"n": part.n, "digest": digest.hex() if digest else None} for part, digest in there],
        }

    @post("/drive/uploads/completion", admits=Role.GUEST, status_code=200, request_max_body_size=LARGEST)
    async def complete(self, request: AnyRequest, data: JSONBody[Completion]) -> dict[str, Any]:
        """All bytes were sent: the gateway is asked what it has, and what is whole becomes a file."""
        ids = list(dict.fromkeys(data.uploads))
        _count(ids, MOST_FILES, "uploads")
        async with desk(request) as d:
            known = {one: await _mine_or_why(d.conn, d.viewer.id, one) for one in ids}
        waiting = [one for one in known.values() if not isinstance(one, Refusal)]
        found = dict(
            zip([one.id for one in waiting], await completing.verified(bucket_of(request), waiting), strict=True)
        )
        ready = [(one, stored) for one in waiting if not isinstance(stored := found[one.id], Refusal)]
        outcome: dict[UUID, Arrived | Refusal] = {}
        if ready:
            async with desk(request) as d:
                arrived = await Arrivals(d).take(ready)
            outcome = dict(zip([one.id for one, _ in ready], arrived, strict=True))
        every: dict[UUID, Any] = {**known, **found, **outcome}
        return {"files": [_ended(request, one, every[one]) for one in ids]}

    @delete("/drive/uploads/{upload_id:uuid}", admits=Role.GUEST, status_code=204)
    async def cancel(self, request: AnyRequest, upload_id: FromPath[UUID]) -> None:
        """The sender changed his mind: the room is free again, and what was sent goes."""
        async with desk(request) as d:
            ended = await direct.cancel(d, upload_id)
        if ended.multipart is not None:
            await bucket_of(request).abort(ended.key, ended.multipart)


async def _begun(request: AnyRequest, bucket: Bucket, promise: Promise) -> dict[str, Any]:
    """A promise that was made, with the calls for as much of it as has a digest."""
    told = {**_shown(promise), "call": _call(direct.allowed(bucket, promise)), "calls": []}
    wishes = direct.first_wishes(promise)
    if not wishes:
        return told
    try:
        known = await direct.began(bucket, promise, partial(bare, request))
    except (Refusal, Unavailable):
        # The room is promised all the same. Who asks for these parts by themselves is told why.
        return told
    return {**told, "calls": _calls(bucket, known, wishes)}


def _calls(bucket: Bucket, promise: Promise, wishes: Sequence[PartWish]) -> list[dict[str, Any]]:
    calls = direct.allowed_parts(bucket, promise, wishes)
    return [{"n": wish.n, **(_call(one) or {})} for wish, one in zip(wishes, calls, strict=True)]


async def _mine_or_why(conn: Any, viewer: UUID, upload_id: UUID) -> Promise | Refusal:
    try:
        return await direct.mine(conn, viewer, upload_id)
    except Refusal as refusal:
        return refusal


def _shown(promise: Promise) -> dict[str, Any]:
    return {"id": str(promise.id), "size": promise.size, "part_bytes": promise.part, "parts": promise.count}


def _ended(request: AnyRequest, upload_id: UUID, outcome: Arrived | Refusal) -> dict[str, Any]:
    if isinstance(outcome, Refusal):
        return {"upload": str(upload_id), **_told(request, outcome)}
    return {
        "upload": str(upload_id),
        "id": str(outcome.id),
        "name": outcome.name,
        "version": outcome.version,
        "size": outcome.size,
    }
