"""What the loop is asked to make true: everything that a step needs to know, and nothing that it must look up."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

Desired = Literal["live", "read_only", "suspended", "absent"]
Shown = Literal["live", "read_only", "suspended", "closing"]
Kind = Literal[
    "create", "change", "suspend", "resume", "read_only", "close", "reopen", "erase", "verify", "rotate", "retire"
]


class OwnerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The first administrator, who owns the workspace. `id` derives from the organisation's."""

    id: UUID
    email: str
    name: str


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One organisation as it should be.

    `shows` is the state that its members see; `requirements` and `cell` choose its place.
    """

    name: str
    address: str
    locale: str
    offer: str
    entitlements: dict[str, Any]
    shows: Shown
    owner: OwnerOrder
    trial_ends_at: datetime | None = None
    notice: str | None = None
    requirements: dict[str, Any] = {}
    cell: str | None = None

    @property
    def own_keys(self) -> bool:
        """Whether files are encrypted by a key of the organisation's own."""
        return self.entitlements.get("encryption") == "tenant"


def as_json(order: Order) -> dict[str, Any]:
    """The order as the row keeps it."""
    kept: dict[str, Any] = msgspec.to_builtins(order)
    return kept


def from_json(kept: dict[str, Any]) -> Order:
    """The order out of a row."""
    return msgspec.convert(kept, Order)
