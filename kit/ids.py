"""Identifiers: UUIDv7, made by the application, so that a retried request finds its first try."""

from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A fresh UUIDv7: ordered by clock, not by commit."""
    return uuid7()


def least_id(moment: datetime, later: float = 0.0) -> UUID:
    """The least id of the millisecond so many seconds later: a span of time as a span of ids."""
    return UUID(int=max(0, min(int((moment.timestamp() + later) * 1000), 2**48 - 1)) << 80)
