"""The single use of a login ticket: whoever writes its id down first has used it."""

from datetime import datetime
from typing import Any

from kit.errors import Refusal
from tenant_app.contract import TenantRecord, Ticket, check, key_named
from tenant_app.tenancy.directory import Directory
from tenant_app.tenancy.source import KEYS

# Ids are kept a little longer than their tickets live, so that clocks that differ cannot open a second use.
FORGET = "delete from directory.ticket_used where expires_at < now() - interval '5 minutes'"
USE = "insert into directory.ticket_used (id, expires_at) values ($1, $2) on conflict do nothing"


async def use_ticket(
    directory: Directory, record: TenantRecord, host: str, token: str, *, now: datetime | None = None
) -> Ticket:
    """What the ticket says, if it is for this host and tenant and nobody has used it; else a `Refusal` (403)."""
    ticket = check(token, await _keys(directory, record, token), host, record.organisation_id, now=now)
    async with directory.pool(record).shared() as connection:
        used = await connection.execute(USE, ticket.id, ticket.expires_at)
        await connection.execute(FORGET)
    if used != "INSERT 0 1":
        raise Refusal("ticket_used", "This link has been used already. Ask for a new one.", status=403)
    return ticket


async def _keys(directory: Directory, record: TenantRecord, token: str) -> dict[str, dict[str, Any]]:
    """The keys whose tickets are accepted, with one that was published a moment ago, of which memory does not know yet.

    A key is published when its first ticket is made, and whoever brings that one is here sooner than the next look.
    """
    known, named = directory.keys(record), key_named(token)
    if named is None or named in known:
        return known
    async with directory.pool(record).shared() as connection:
        return {row["kid"]: row["public"] for row in await connection.fetch(KEYS)}
