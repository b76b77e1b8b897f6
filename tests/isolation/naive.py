"""The pool that one writes first: the control of the traffic tests. It sets role and path, and hopes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tenant_app.contract import TenantRecord
from tenant_app.tenancy.connecting import connect


class NaivePool:
    """Session-level SET, no reset between tenants, no doubt about a connection that failed."""

    def __init__(self, url: str, size: int) -> None:
        self._url = url
        self._size = size
        self._idle: list[Any] = []
        self._room = asyncio.Semaphore(size)

    @asynccontextmanager
    async def transaction(
        self, record: TenantRecord, read_only: bool = False, *, seconds: float | None = None
    ) -> AsyncIterator[Any]:
        del read_only  # it does not care
        async with self._room:
            conn = self._idle.pop() if self._idle else await connect(self._url)
            try:
                await conn.execute(f"SET ROLE {record.slot}; SET search_path = {record.slot}")
                async with asyncio.timeout(seconds):
                    yield conn
            finally:
                if conn.is_closed():
                    conn.terminate()
                else:
                    self._idle.append(conn)

    async def close(self) -> None:
        for conn in self._idle:
            conn.terminate()
