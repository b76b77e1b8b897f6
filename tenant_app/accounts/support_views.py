"""What support looked at, in the workspace's journal: each page and file once a minute, with both names.

Written in a transaction of its own before the answer leaves, since one that may only read can write nothing down.
What was refused, or is not there, was not seen.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request
from sqlalchemy import bindparam, literal_column, select

from kit.web.csrf import SAFE
from tenant_app.accounts.journal import acting, record
from tenant_app.accounts.models import journal, session
from tenant_app.interface import Viewer
from tenant_app.tenancy import Connection, Q, TenantRecord, pool

AGAIN_SECONDS = 60


class Known(msgspec.Struct, frozen=True):
    """A line of the journal."""

    id: UUID


# Ids are ordered by time: the primary key finds the last minute.
LATELY = Q(
    select(journal.c.id)
    .where(
        journal.c.id > bindparam("since"),
        journal.c.verb == bindparam("verb"),
        journal.c.data["path"].astext == bindparam("path"),
        journal.c.data["support"]["grant"].astext == bindparam("grant"),
    )
    .limit(literal_column("1")),
    Known,
)
# Two requests at once make one line.
ALONE = Q(select(session.c.id).where(session.c.hash == bindparam("of")).with_for_update(), Known)


async def saw(request: Request[Any, Any, Any], tenant: TenantRecord, viewer: Viewer) -> None:
    """Note what this request showed to support. What it changed, the rooms themselves have noted."""
    if viewer.support is None or request.method not in SAFE:
        return
    async with pool(request).transaction(tenant, read_only=False) as conn:
        await _note(conn, request, viewer)


async def _note(conn: Connection, request: Request[Any, Any, Any], viewer: Viewer) -> None:
    took = request.method != "HEAD" and request.route_handler.opt.get("hands_out")
    verb = "support.downloaded" if took else "support.opened"
    version = request.query_params.get("version", "")
    path = f"{request.url.path}?version={version}"[:200] if took and version else request.url.path[:200]
    grant = viewer.support
    assert grant is not None
    of = next((value for value in request.path_params.values() if isinstance(value, UUID)), None)
    await ALONE.one(conn, of=viewer.session_hash)
    since = UUID(int=int((datetime.now(UTC).timestamp() - AGAIN_SECONDS) * 1000) << 80)
    if await LATELY.one(conn, since=since, verb=verb, path=path, grant=str(grant.id)) is None:
        await record(conn, viewer.id, verb, of, path=path, **acting(grant))
