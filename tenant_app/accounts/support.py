"""Somebody of the provider's staff in the workspace, because an administrator agreed: what he may, and until when.

He sees what that administrator sees. A route opens to him by name only: `support="read"`, or `support="write"` for what
he may change where the consent says so; people, sign-in and policies are never among these. The consent is asked of the
record in memory at each request: what is revoked or over ends with the next one, and nothing must be swept.
"""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request

from kit.errors import Refusal
from kit.interface import locale_of
from kit.web.csrf import SAFE
from tenant_app.accounts import policies
from tenant_app.accounts.sessions import Origin
from tenant_app.contract import SupportGrant
from tenant_app.interface import Role, Viewer
from tenant_app.tenancy import Connection, TenantRecord, directory_of, tenant

# Longer work comes in again from the portal, where staff sign in anew each day.
LONGEST = timedelta(hours=8)
# A consent that was just given is on its way here: its ticket may come first.
ON_ITS_WAY_SECONDS = 3.0


def living(record: TenantRecord, of: UUID, now: datetime | None = None) -> SupportGrant | None:
    """The grant with this id, while it stands."""
    found = next((one for one in record.identity.support if one.id == of), None)
    return found if found is not None and found.until > (now or datetime.now(UTC)) else None


async def awaited(request: Request[Any, Any, Any], of: UUID) -> SupportGrant | None:
    """The grant with this id, while it stands; one that is not known yet is waited for a moment."""
    directory, record = directory_of(request), tenant(request)
    with suppress(TimeoutError):
        async with asyncio.timeout(ON_ITS_WAY_SECONDS):
            while all(one.id != of for one in record.identity.support):
                await asyncio.sleep(0.05)
                record = directory.record(record.organisation_id) or record
    return living(record, of)


def origin_of(grant: SupportGrant) -> Origin:
    """What its session says of where it comes from."""
    return Origin(connection_id=None, subject=str(grant.id), until=min(grant.until, datetime.now(UTC) + LONGEST))


def ended() -> Refusal:
    """No consent stands any more."""
    return Refusal(
        "support_ended",
        "This support access has ended: its time has passed, or the organisation has taken its consent back.",
        status=403,
    )


async def let_in(request: Request[Any, Any, Any], record: TenantRecord, conn: Connection, viewer: Viewer) -> Viewer:
    """The staff of a support session as a viewer; a Refusal without a living consent, or where it opens nothing."""
    grant = living(record, UUID(viewer.subject or ""))
    if grant is None or grant.administrator_id != viewer.id or viewer.role < Role.ADMINISTRATOR:
        raise ended()
    if policies.outlived(record, viewer):
        raise ended()
    if grant.read_only:
        # PostgreSQL itself refuses what a handler might forget.
        await conn.execute("SET TRANSACTION READ ONLY")
    _require_open(request, grant)
    return msgspec.structs.replace(
        viewer,
        name=grant.staff_name,
        email="",
        role=int(Role.ADMINISTRATOR),
        # Pages speak to whoever reads them, not to whoever agreed.
        locale=locale_of(request),
        equipped=True,
        support=grant,
    )


def _require_open(request: Request[Any, Any, Any], grant: SupportGrant) -> None:
    opens = request.route_handler.opt.get("support")
    writes = request.method not in SAFE
    if opens is None or (writes and opens != "write"):
        raise Refusal(
            "support_closed",
            "Support has no access to this: people, sign-in and rules are the organisation's own.",
            status=403,
        )
    if writes and grant.read_only:
        raise Refusal("support_read_only", "This support access is to read only: nothing changes by it.", status=403)
