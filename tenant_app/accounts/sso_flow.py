"""Sign-ins under way at an identity provider, and what was used once. Rows are shared by all workers.

A flow has two secrets: its handle travels through the provider (state, RelayState), the other stays in a cookie of the
browser that began it. Only who has both ends the flow, so nobody can sign another browser in (decision 60).
"""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Interval, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from kit.credentials import new_token, token_hash
from tenant_app.accounts.models import sso_flow, sso_replay
from tenant_app.tenancy import Connection, Q

LIFE = timedelta(minutes=10)
ARRIVED_LIFE = timedelta(minutes=2)
# Clocks differ: what was used is remembered a little longer than it is valid.
SKEW = timedelta(minutes=2)
NOW = func.now()
SWEEP_ONE_IN = 20


class Flow(msgspec.Struct, frozen=True):
    """A sign-in under way. `data` is what its way back needs; `binding` in it is the hash of the cookie's secret."""

    connection_id: UUID
    data: dict[str, Any]


class Started(msgspec.Struct, frozen=True):
    """The flow's handle, which travels, and the secret that its browser keeps."""

    handle: str
    secret: str


START = Q(
    insert(sso_flow).values(
        hash=bindparam("hash"),
        connection_id=bindparam("connection_id"),
        data=bindparam("data"),
        expires_at=NOW + bindparam("life", type_=Interval),
    )
)
_living = sso_flow.c.expires_at > NOW
PEEK = Q(
    select(sso_flow.c.connection_id, sso_flow.c.data).where(sso_flow.c.hash == bindparam("hash"), _living),
    Flow,
)
TAKE = Q(
    delete(sso_flow)
    .where(sso_flow.c.hash == bindparam("hash"), _living)
    .returning(sso_flow.c.connection_id, sso_flow.c.data),
    Flow,
)
SWEEP = Q(delete(sso_flow).where(sso_flow.c.expires_at < NOW))
USE = Q(
    insert(sso_replay)
    .values(hash=bindparam("hash"), expires_at=bindparam("expires_at"))
    .on_conflict_do_nothing(index_elements=[sso_replay.c.hash])
    .returning(sso_replay.c.hash)
)
SWEEP_USED = Q(delete(sso_replay).where(sso_replay.c.expires_at < NOW))


async def _sometimes(conn: Connection, sweep: Q) -> None:
    """Now and then is enough, for what is over is not found anyway; each time, all would pay for a stranger's many."""
    if secrets.randbelow(SWEEP_ONE_IN) == 0:
        await sweep.run(conn)


def digest(handle: str) -> str:
    """What is stored of a handle or a secret."""
    return token_hash(handle).hex()


async def start(
    conn: Connection, connection_id: UUID, data: dict[str, Any], *, handle: str | None = None, life: timedelta = LIFE
) -> Started:
    """Keep a new flow. A protocol that chose its own handle passes it."""
    handle, secret = handle or new_token(), new_token()
    await _sometimes(conn, SWEEP)
    kept = {"binding": digest(secret), **data}
    await START.run(conn, hash=digest(handle), connection_id=connection_id, data=kept, life=life)
    return Started(handle, secret)


async def peek(conn: Connection, handle: str, connection_id: UUID) -> Flow | None:
    """The flow of this handle, if it is this connection's."""
    found: Flow | None = await PEEK.one(conn, hash=digest(handle))
    return found if found is not None and found.connection_id == connection_id else None


async def take(conn: Connection, handle: str, connection_id: UUID) -> Flow | None:
    """The flow, once: of several that come at the same moment, one gets it."""
    found: Flow | None = await TAKE.one(conn, hash=digest(handle))
    return found if found is not None and found.connection_id == connection_id else None


def begun_here(flow: Flow, secret: str | None) -> bool:
    """Whether the browser with this cookie began the flow."""
    return secret is not None and hmac.compare_digest(str(flow.data.get("binding", "")), digest(secret))


async def use_once(conn: Connection, connection_id: UUID, what: str, until: datetime) -> bool:
    """True for the first of all workers that uses this id of this connection, until it is no longer valid anyway."""
    await _sometimes(conn, SWEEP_USED)
    key = hashlib.sha256(f"{connection_id}\0{what}".encode()).hexdigest()
    return await USE.scalar(conn, hash=key, expires_at=until + SKEW) is not None
