"""Pages of a list whose cursors stay true while rows are added: a cursor names the last row seen, not a count."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from kit.errors import Refusal

T = TypeVar("T")
MOST = 200


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page. `next_cursor` is None on the last. `total_estimate`, if asked for, is exact up to a few thousand."""

    items: list[T]
    next_cursor: str | None = None
    total_estimate: int | None = None


def encode_cursor(*values: Any) -> str:
    """An opaque cursor of JSON-able values, dates and ids."""
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).decode().rstrip("=")


def decode_cursor(cursor: str, *types: Any) -> tuple[Any, ...]:
    """The values of a cursor, as the given types; a cursor that we did not give is refused."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        values = msgspec.json.decode(raw, type=list[Any])
        if len(values) == len(types):
            return tuple(msgspec.convert(value, kind) for value, kind in zip(values, types, strict=True))
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        pass
    raise Refusal(
        "bad_cursor", "This cursor is not one that we gave: begin at the first page.", field="cursor", status=400
    )


def page_size(limit: int) -> int:
    """A limit between 1 and 200; anything else is refused, not bent."""
    if not 1 <= limit <= MOST:
        raise Refusal("bad_limit", "A page has 1 to {most} items.", field="limit", status=400, most=MOST)
    return limit
