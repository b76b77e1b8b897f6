"""What a tenant's transaction leaves in the cell's directory: a mail to send, a chore to do. It commits with the rest.

A slot's role cannot even see the directory, so the transaction steps back to the login role for these few statements.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from kit.ids import new_id
from tenant_app.tenancy import Connection, TenantRecord, as_tenant

MAIL = """
insert into directory.mail (id, organisation_id, kind, recipient, locale, payload) values ($1, $2, $3, $4, $5, $6)
"""
CHORE = """
insert into directory.chore as c (organisation_id, due_at)
values ('{organisation}', now() + make_interval(secs => {seconds}))
on conflict (organisation_id) do update set due_at = least(c.due_at, excluded.due_at)
"""
UNKNOWN_KEY = """
insert into directory.unknown_key as k (connection_id, organisation_id) values ($1, $2)
on conflict (connection_id) do update set at = excluded.at where k.at < excluded.at - interval '10 seconds'
"""
SETTLE = 3


@asynccontextmanager
async def _directory(conn: Connection, record: TenantRecord) -> AsyncIterator[None]:
    await conn.execute("SET LOCAL ROLE NONE")
    yield
    await conn.execute(as_tenant(record))


async def mail_later(
    conn: Connection, record: TenantRecord, kind: str, recipient: str, locale: str, **payload: Any
) -> None:
    """The worker sends this mail once the transaction has committed, and tries again until it is taken."""
    async with _directory(conn, record):
        await conn.execute(MAIL, new_id(), record.organisation_id, kind, recipient, locale, payload)


async def chore_later(conn: Connection, record: TenantRecord, seconds: int = SETTLE) -> None:
    """The worker looks into this tenant in `seconds` at the latest: counts its use, ends what was left half done.

    Call it last: the row is shared by all transactions of one tenant.
    """
    # One message: this ends nearly every change, and each round trip costs the app more than it costs PostgreSQL. Both
    # values are checked to be what needs no quoting, as slots are.
    chore = CHORE.format(organisation=UUID(str(record.organisation_id)), seconds=int(seconds))
    await conn.execute(f"SET LOCAL ROLE NONE; {chore}; {as_tenant(record)}")


async def unknown_key(conn: Connection, record: TenantRecord, connection_id: UUID) -> None:
    """Its provider may have new keys: the control plane asks for them. Call it last, like the other."""
    async with _directory(conn, record):
        await conn.execute(UNKNOWN_KEY, connection_id, record.organisation_id)
