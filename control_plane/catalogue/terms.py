"""What an offer grants, costs and asks for. Frozen: a version never changes."""

from typing import Literal

import msgspec

Encryption = Literal["store", "tenant"]


class Entitlements(msgspec.Struct, frozen=True, kw_only=True):
    """What an organisation may use. None means without limit; sizes are bytes (1 GB = 10⁹), retention is days.

    `encryption` says whose key encrypts files at rest: the `store`'s own, or one of the `tenant`'s.
    """

    storage_bytes: int
    members: int | None
    guests: int | None
    spaces: int | None
    file_bytes: int
    retention_days: int
    features: tuple[str, ...] = ()
    encryption: Encryption = "store"

    @property
    def own_keys(self) -> bool:
        """Whether files are encrypted by a key of the organisation's own."""
        return self.encryption == "tenant"


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How it is sold. Prices are cents without tax.

    `price_per` is `organisation` or `member`, a month. `follows` is what the end of the trial brings: `read_only` or an
    offer's code. Only `self_service` offers can be chosen by a visitor.
    """

    trial_months: int
    price_cents: int
    price_per: str
    currency: str = "EUR"
    follows: str = "read_only"
    self_service: bool = True


class Requirements(msgspec.Struct, frozen=True, kw_only=True):
    """What a cell must have to take an organisation of this offer."""

    region: str | None = None
    qualities: tuple[str, ...] = ()
