"""Identifiers: UUIDv7, made by the application, so that a retried request finds its first try."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A fresh UUIDv7: ordered by clock, not by commit."""
    return uuid7()
