"""What a provider says of a person, whatever protocol it speaks."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from tenant_app.contract import SignInConnection

MOST_GROUPS = 500


class Said(msgspec.Struct, frozen=True):
    """What a provider says of a person, in our own terms.

    `until` is when it wants his session to end, `proved_at` when he last proved to it who he is. `groups_left_out`: he
    has groups, and the provider tells none, as Entra does beyond 150 (SAML) or 200 (OpenID Connect).
    """

    subject: str
    email: str = ""
    name: str = ""
    groups: tuple[str, ...] = ()
    groups_left_out: bool = False
    email_verified: bool | None = None
    session: str | None = None
    data: dict[str, Any] | None = None
    until: datetime | None = None
    proved_at: datetime | None = None


def bounded(connection: SignInConnection, groups: Iterable[str]) -> tuple[str, ...]:
    """So many groups as are kept; those that give a role are never among what is cut off."""
    return tuple(sorted(groups, key=lambda group: group not in connection.roles)[:MOST_GROUPS])
