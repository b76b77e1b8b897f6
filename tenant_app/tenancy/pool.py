"""The only way to a tenant's rows: a transaction as that tenant's role, in that tenant's schema, and nothing after it.

A connection carries nothing from one tenant to the next: role, path and time limit are local to the transaction, what a
session may have set is reset as the next begins, and a connection whose end is in doubt is thrown away.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

from kit.errors import Refusal, Unavailable
from tenant_app.contract import TenantRecord, slot_name
from tenant_app.tenancy.connecting import connect
from tenant_app.tenancy.query import Connection

SIZE = 10
# A back end keeps 0.44 MB of catalogue for each tenant it has met.
TENANTS_A_CONNECTION = 200
STATEMENT_SECONDS = 10.0
TRANSACTION_SECONDS = 30.0
WAIT_SECONDS = 5.0
ROLLBACK_SECONDS = 2.0

LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.TransactionTimeoutError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    ConnectionError,
    TimeoutError,
)


def read_only_refusal() -> Refusal:
    """What a write meets while a workspace can only be read."""
    return Refusal(
        "read_only",
        "This workspace is read-only for now: nothing was changed. Everything can still be read and downloaded.",
        status=403,
    )


def _lost(error: BaseException, conn: Connection) -> bool:
    # The driver calls using a closed connection an interface error, and a wrong argument too: that is a bug of ours.
    return isinstance(error, LOST) or (isinstance(error, asyncpg.InterfaceError) and conn.is_closed())


def as_tenant(record: TenantRecord) -> str:
    """The statements that make a transaction this tenant's; the name is checked before it enters SQL text."""
    slot = slot_name(record.slot)
    return f"SET LOCAL ROLE {slot}; SET LOCAL search_path = {slot}, pg_temp"


class _Pooled:
    """A connection and the tenants it has met."""

    __slots__ = ("conn", "met", "slot")

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.slot = ""
        self.met: set[str] = set()


class TenantPool:
    """Connections to one cell database. Prefers the connection that served the same tenant last."""

    def __init__(
        self,
        url: str,
        *,
        size: int = SIZE,
        statement_seconds: float = STATEMENT_SECONDS,
        tenants_a_connection: int = TENANTS_A_CONNECTION,
        opener: Callable[..., Any] = connect,
    ) -> None:
        self._url = url
        self._size = size
        self._statement_seconds = statement_seconds
        self._most_tenants = tenants_a_connection
        self._open = opener
        self._idle: dict[_Pooled, None] = {}
        self._opened = 0
        self._room = asyncio.Semaphore(size)
        self._begins: dict[tuple[str, bool], str] = {}
        self._closed = False

    @asynccontextmanager
    async def transaction(
        self,
        record: TenantRecord,
        read_only: bool | None = None,
        *,
        seconds: float | None = TRANSACTION_SECONDS,
    ) -> AsyncIterator[Connection]:
        """A transaction as this tenant; it commits when the block ends well, and leaves nothing otherwise.

        Without `read_only` the record decides: in a read-only workspace PostgreSQL itself refuses writes, and that
        becomes the `Refusal` that people see. Say False for what goes on even then, such as signing in. After `seconds`
        the block is ended, whatever a session did to the server's own limits.
        """
        if record.state not in {"live", "read_only"}:
            raise Refusal("workspace_closed", "This workspace is closed for now.", status=403)
        closed_to_writes = record.state == "read_only" if read_only is None else read_only
        try:
            async with self._held(slot_name(record.slot), self._begin(record, closed_to_writes), seconds) as conn:
                yield conn
        except asyncpg.ReadOnlySQLTransactionError as error:
            raise read_only_refusal() from error

    @asynccontextmanager
    async def shared(self, *, seconds: float | None = TRANSACTION_SECONDS) -> AsyncIterator[Connection]:
        """A transaction as the login role: it sees the directory, and no tenant's table."""
        limit = int(self._statement_seconds * 1000)
        begin = f"RESET ALL; BEGIN; SET LOCAL ROLE NONE; SET LOCAL statement_timeout = {limit}"
        async with self._held("", begin, seconds) as conn:
            yield conn

    async def close(self) -> None:
        """Close what is idle; what is in use closes when it comes back."""
        self._closed = True
        idle, self._idle = list(self._idle), {}
        self._opened -= len(idle)
        for pooled in idle:
            pooled.conn.terminate()

    def _begin(self, record: TenantRecord, read_only: bool) -> str:
        key = (record.slot, read_only)
        begin = self._begins.get(key)
        if begin is None:
            # RESET ALL first: what a session set would otherwise meet the next tenant. One message, one round trip.
            begin = self._begins[key] = (
                f"RESET ALL; BEGIN{' READ ONLY' if read_only else ''}; {as_tenant(record)};"
                f" SET LOCAL statement_timeout = {int(self._statement_seconds * 1000)}"
            )
        return begin

    @asynccontextmanager
    async def _held(self, slot: str, begin: str, seconds: float | None) -> AsyncIterator[Connection]:
        await self._enter()
        pooled: _Pooled | None = None
        try:
            pooled = await self._begun(slot, begin)
            async with asyncio.timeout(seconds):
                yield pooled.conn
            await self._commit(pooled.conn)
        except BaseException as error:
            if pooled is None:
                raise
            lost = _lost(error, pooled.conn)
            if not await self._rolled_back(pooled.conn, error):
                self._drop(pooled)
                pooled = None
            if lost:
                raise Unavailable("database_unavailable", f"{type(error).__name__}: {error}") from error
            raise
        finally:
            if pooled is not None:
                self._put_back(pooled)
            self._room.release()

    async def _enter(self) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._room.acquire()
        except TimeoutError as error:
            raise Unavailable("database_busy", f"no connection within {WAIT_SECONDS} s") from error

    async def _begun(self, slot: str, begin: str) -> _Pooled:
        """A connection in which the transaction has begun. Idle ones may have died with their server: try a new one."""
        while True:
            pooled, fresh = await self._pick(slot)
            try:
                await pooled.conn.execute(begin)
            except BaseException as error:
                lost = _lost(error, pooled.conn)
                self._drop(pooled)
                if not lost:
                    raise
                if fresh:
                    raise Unavailable("database_unavailable", f"{type(error).__name__}: {error}") from error
                continue
            pooled.slot = slot
            pooled.met.add(slot)
            return pooled

    async def _pick(self, slot: str) -> tuple[_Pooled, bool]:
        for pooled in reversed(self._idle):
            if pooled.slot == slot:
                del self._idle[pooled]
                return pooled, False
        if self._idle and self._opened >= self._size:
            coldest = next(iter(self._idle))
            del self._idle[coldest]
            return coldest, False
        self._opened += 1
        try:
            return _Pooled(await self._open(self._url, command_seconds=self._statement_seconds + 2)), True
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            self._opened -= 1
            raise Unavailable("database_unavailable", f"{type(error).__name__}: {error}") from error
        except BaseException:
            self._opened -= 1
            raise

    async def _commit(self, conn: Connection) -> None:
        if await conn.execute("COMMIT") != "COMMIT":
            # PostgreSQL answers ROLLBACK when a statement failed and somebody swallowed the error.
            raise RuntimeError("a failed statement was passed over: nothing was committed")

    async def _rolled_back(self, conn: Connection, error: BaseException) -> bool:
        """Whether the connection is clean again. One that was left in the midst of a query is not asked."""
        if not isinstance(error, Exception) or isinstance(error, TimeoutError) or conn.is_closed():
            return False
        with suppress(Exception):
            await conn.execute("ROLLBACK", timeout=ROLLBACK_SECONDS)
            return not conn.is_in_transaction()
        return False

    def _put_back(self, pooled: _Pooled) -> None:
        worn = len(pooled.met) >= self._most_tenants
        if self._closed or worn or pooled.conn.is_closed() or pooled.conn.is_in_transaction():
            self._drop(pooled)
        else:
            self._idle[pooled] = None

    def _drop(self, pooled: _Pooled) -> None:
        self._opened -= 1
        pooled.conn.terminate()
