"""The base of what both sides exchange."""

import msgspec


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all: immutable, made by naming its fields."""
