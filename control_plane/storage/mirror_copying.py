"""Copying one object from one bucket to the other, and telling whether two objects are the same."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Literal

import obstore
from obstore.exceptions import AlreadyExistsError

from control_plane.storage.mirror_errors import Differs, Halted, Refused, Trouble, of_bytes
from control_plane.storage.mirror_sides import Side
from kit.errors import Unavailable
from kit.s3 import Listed
from kit.s3.dialect import plain

MIB = 1024 * 1024
# What is copied in one piece; what is larger passes by in pieces of this size.
PIECE = 8 * MIB
# The product's part sizes: one of these, doubled until the parts are few enough.
PART_SIZES = (8 * MIB, 5 * MIB)
LARGEST_PART = 512 * MIB
MOST_PARTS = 8192
# Of one large object. So many large ones are under way in a process; the others wait.
IN_MEMORY = 32 * MIB
LARGE_ONES = threading.BoundedSemaphore(2)
MD5 = re.compile(r"[0-9a-f]{32}")
PARTS = re.compile(r"[0-9a-f]{32}-([1-9][0-9]{0,4})")

Likeness = Literal["same", "unproven", "size", "content"]
Outcome = Literal["copied", "there", "gone"] | Trouble
"""`there`: it was at the target already; `gone`: it is no more at the source."""


def compare(one: Listed, other: Listed, *, encrypted: bool) -> Likeness:
    """What two listings tell of one object.

    The entity tag of an object that came in one piece is the MD5 of its content, unless it is `encrypted` by a key of
    the organisation's. Of one that came in parts it depends on these too: only equal ones prove something.
    """
    if one.size != other.size:
        return "size"
    if one.etag == other.etag:
        return "same"
    comparable = MD5.fullmatch(one.etag) and MD5.fullmatch(other.etag) and not encrypted
    return "content" if comparable else "unproven"


def part_size(one: Listed) -> int:
    """The parts that the object came in, if they are the product's: so its copy gets the same entity tag."""
    told = PARTS.fullmatch(one.etag)
    for smallest in PART_SIZES if told else ():
        size, count = smallest, int(told[1]) if told else 1
        while size * count < one.size and size < LARGEST_PART:
            size *= 2
        if -(-one.size // size) == count:
            return size
    size = PART_SIZES[0]
    while size * MOST_PARTS < one.size:
        size *= 2
    return size


def copy(source: Side, target: Side, one: Listed, halt: threading.Event, *, new_only: bool = False) -> Outcome:
    """Copy an object: whole, or not at all. What goes wrong with it is answered, not raised.

    With `new_only` nothing at the target is overwritten.
    """
    try:
        if new_only and not (target.conditional and one.size <= PIECE) and target.look(one.key):
            return "there"
        if one.size <= PIECE:
            return _in_one(source, target, one, new_only=new_only)
        return _in_parts(source, target, one, halt)
    except Refused as refused:
        return _vanished(source, one, refused)
    except (Unavailable, Differs) as trouble:
        return trouble


def _vanished(source: Side, one: Listed, refused: Refused) -> Outcome:
    """What is not found and not listed any more was deleted meanwhile."""
    if refused.role != source.role or refused.status != 404 or refused.of_all:
        return refused
    try:
        return refused if source.look(one.key) else "gone"
    except (Refused, Unavailable) as trouble:
        return trouble


def _in_one(source: Side, target: Side, one: Listed, *, new_only: bool) -> Outcome:
    with of_bytes(source.role):
        body = obstore.get(source.objects, one.key).bytes()
    mode: Any = "create" if new_only and target.conditional else "overwrite"
    with of_bytes(target.role):
        try:
            put = obstore.put(target.objects, one.key, body, mode=mode, use_multipart=False)
        except AlreadyExistsError:
            return "there"
    copied = Listed(one.key, len(body), plain(put["e_tag"] or ""), datetime.now(UTC))
    return _checked(target, one, copied)


def _in_parts(source: Side, target: Side, one: Listed, halt: threading.Event) -> Outcome:
    while not LARGE_ONES.acquire(timeout=0.2):
        if halt.is_set():
            raise Halted
    try:
        asyncio.run(_pour(source, target, one, halt))
    finally:
        LARGE_ONES.release()
    copied = target.look(one.key)
    if copied is None:
        raise Differs(f"{one.key} is not in the {target.role} after it was written")
    return _checked(target, one, copied)


async def _pour(source: Side, target: Side, one: Listed, halt: threading.Event) -> None:
    async def pieces() -> AsyncIterator[Any]:
        # Range by range: each is short, so that a stalled one is found, and none is open for hours.
        for start in range(0, one.size, PIECE):
            if halt.is_set():
                raise Halted
            with of_bytes(source.role):
                end = min(start + PIECE, one.size)
                yield await obstore.get_range_async(source.objects, one.key, start=start, end=end)

    part = part_size(one)
    with of_bytes(target.role):
        await obstore.put_async(
            target.objects,
            one.key,
            pieces(),
            chunk_size=part,
            max_concurrency=max(1, min(4, IN_MEMORY // part)),
        )


def _checked(target: Side, one: Listed, copied: Listed) -> Outcome:
    """What is not what was read is not left there."""
    found = compare(one, copied, encrypted=target.data_key is not None)
    if found in {"same", "unproven"}:
        return "copied"
    target.delete(one.key)
    raise Differs(f"{one.key} arrived in the {target.role} with another {found}")
