"""Who looks after a workspace: whom a mail about it goes to, and where the workspace is."""

from urllib.parse import urlsplit

import msgspec
from sqlalchemy import select

from tenant_app.accounts.models import principal
from tenant_app.interface import Role
from tenant_app.tenancy import Connection, Q, TenantRecord


class Keeper(msgspec.Struct, frozen=True):
    """Somebody who can do something about it."""

    email: str
    name: str
    locale: str


KEEPERS = Q(
    select(principal.c.email, principal.c.name, principal.c.locale).where(
        principal.c.role >= Role.ADMINISTRATOR, principal.c.disabled_at.is_(None), principal.c.email.is_not(None)
    ),
    Keeper,
)


async def keepers(conn: Connection) -> list[Keeper]:
    """Its owners and administrators who read mail."""
    found: list[Keeper] = await KEEPERS.all(conn)
    return found


def address_of(record: TenantRecord) -> str:
    """Where the workspace is, as its people type it."""
    site = urlsplit(record.site_url)
    return f"{site.scheme}://{record.hosts[0]}{f':{site.port}' if site.port else ''}"
