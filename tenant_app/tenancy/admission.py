"""The single use of a login ticket: whoever writes its id down first has used it."""

from datetime import datetime

from kit.errors import Refusal
from tenant_app.contract import TenantRecord, Ticket, check
from tenant_app.tenancy.directory import Directory

# Ids are kept a little longer than their tickets live, so that clocks that differ cannot open a second use.
FORGET = "delete from directory.ticket_used where expires_at < now() - interval '5 minutes'"
USE = "insert into directory.ticket_used (id, expires_at) values ($1, $2) on conflict do nothing"


async def use_ticket(
    directory: Directory, record: TenantRecord, host: str, token: str, *, now: datetime | None = None
) -> Ticket:
    """What the ticket says, if it is for this host and tenant and nobody has used it; else a `Refusal` (403)."""
    ticket = check(token, directory.keys(record), host, record.organisation_id, now=now)
    async with directory.pool(record).shared() as connection:
        used = await connection.execute(USE, ticket.id, ticket.expires_at)
        await connection.execute(FORGET)
    if used != "INSERT 0 1":
        raise Refusal("ticket_used", "This link has been used already. Ask for a new one.", status=403)
    return ticket
