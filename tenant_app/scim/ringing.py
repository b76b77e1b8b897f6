"""Telling the worker that people came or went, not for each of ten thousand pushed ones."""

import time
from uuid import UUID

from tenant_app.accounts import chore_later
from tenant_app.scim.pushing import Push

# The worker looks three seconds after it is told: whoever follows within one is counted then too.
QUIET_SECONDS = 1.0
MOST = 10_000

_rung: dict[UUID, float] = {}


async def ring(push: Push) -> None:
    """The worker counts this workspace's people soon. Call it last."""
    now, of = time.monotonic(), push.record.organisation_id
    if now - _rung.get(of, float("-inf")) < QUIET_SECONDS:
        return
    await chore_later(push.conn, push.record)
    if len(_rung) >= MOST:
        _rung.clear()
    _rung[of] = now
