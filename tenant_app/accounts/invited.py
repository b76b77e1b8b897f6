"""Who was invited and comes by an identity provider first. Invitations are a room above: it says what they are."""

from typing import Protocol
from uuid import UUID

import msgspec

from tenant_app.accounts.people import Person
from tenant_app.tenancy import Connection, TenantRecord


class Invited(msgspec.Struct, frozen=True):
    """An invitation that waits for somebody, to the whole workspace or to a space of it."""

    id: UUID
    role: int


class Invitations(Protocol):
    """What this room asks of that one. Both are asked under the seats' lock."""

    async def waiting(self, conn: Connection, email: str) -> Invited | None:
        """The one that waits for this e-mail."""

    async def accept(self, conn: Connection, record: TenantRecord, invited: Invited, person: Person) -> None:
        """It is accepted, and he is in the space that it names."""
