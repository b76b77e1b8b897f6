"""Enforcement on trial: whether an administrator came in by it within its hour, as this workspace's own traces tell.

The control plane asks the same and publishes what follows. While it is away, its last word is the moment at which
enforcement reverts; whoever may mend things has come in by then, or has not, so the answer is remembered.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, literal_column, select

from tenant_app.accounts.models import MOMENT, principal, sso_trace
from tenant_app.contract import TRIAL, SignInConnection
from tenant_app.interface import Role
from tenant_app.tenancy import Connection, Q, TenantRecord

# Whoever was on the way in when the hour ended has arrived by then.
SETTLED = timedelta(minutes=1)

_HELD: dict[tuple[UUID, datetime | None], bool] = {}


class CameIn(msgspec.Struct, frozen=True):
    """The trace of an administrator who came in."""

    id: UUID


CAME_IN = Q(
    select(sso_trace.c.id)
    .join_from(sso_trace, principal, principal.c.id == sso_trace.c.principal_id)
    .where(
        sso_trace.c.connection_id == bindparam("connection_id"),
        sso_trace.c.created_at >= bindparam("since", type_=MOMENT),
        sso_trace.c.created_at <= bindparam("until", type_=MOMENT),
        sso_trace.c.purpose == "sign_in",
        sso_trace.c.outcome == "ok",
        principal.c.role >= int(Role.ADMINISTRATOR),
        principal.c.disabled_at.is_(None),
    )
    .limit(literal_column("1")),
    CameIn,
)


def over(connection: SignInConnection, now: datetime) -> bool:
    """Whether its hour has passed without a word of the control plane."""
    return connection.stage == "enforced" and connection.reverts_at is not None and connection.reverts_at <= now


def reverted(connection: SignInConnection, now: datetime) -> bool:
    """Whether enforcement has ended by itself, as far as `learn` has seen."""
    return over(connection, now) and not _HELD.get((connection.id, connection.reverts_at), False)


def undecided(record: TenantRecord) -> list[SignInConnection]:
    """Whose trial is over, and nobody has looked yet how it went."""
    now = datetime.now(UTC)
    return [one for one in record.identity.connections if over(one, now) and (one.id, one.reverts_at) not in _HELD]


async def learn(conn: Connection, record: TenantRecord) -> None:
    """Look how the trials went that are over; ask before any policy is."""
    for one in undecided(record):
        until = one.reverts_at
        assert until is not None
        found = await CAME_IN.one(conn, connection_id=one.id, since=until - TRIAL, until=until)
        if found is not None or until < datetime.now(UTC) - SETTLED:
            _HELD[one.id, until] = found is not None
