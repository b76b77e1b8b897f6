"""Who looks: a person, what he may do here, and the session he came with."""

from datetime import datetime, timedelta
from enum import IntEnum
from uuid import UUID

import msgspec

from tenant_app.contract import SupportGrant


class Role(IntEnum):
    """What a person may do; the same ladder stands for the whole workspace and for one space."""

    GUEST = 0
    MEMBER = 1
    ADMINISTRATOR = 2
    OWNER = 3


class Viewer(msgspec.Struct, frozen=True):
    """The person behind a request, as a query made after the request arrived found him.

    With `support`, somebody of the provider's staff looks, and `id` is the administrator who let him in.
    """

    session_id: UUID
    session_hash: str
    purpose: str
    verified_at: datetime | None
    way: str | None
    connection_id: UUID | None
    subject: str | None
    age: timedelta
    idle: timedelta
    stale: bool
    id: UUID
    name: str
    email: str
    role: int
    locale: str
    tz: str
    equipped: bool
    support: SupportGrant | None = None

    @property
    def hand(self) -> UUID | None:
        """Whose work it is, where a name is shown. Nobody's of the workspace for support: the journal says whose."""
        return self.id if self.support is None else None

    @property
    def administers(self) -> bool:
        """He runs the workspace. Support sees as an administrator does, and runs nothing."""
        return self.role >= Role.ADMINISTRATOR and self.support is None
