"""The records of one cell database, in memory: loaded whole on connecting, then kept up by what changed.

A notification (which carries nothing) or the passing of a second leads to one cheap question; only changed records are
read again. While the database is away, the last known records go on serving.
"""

import asyncio
import random
from contextlib import suppress
from typing import Any
from uuid import UUID

import asyncpg

from kit import logs
from kit.errors import Unavailable
from tenant_app.contract import TenantRecord, identity_from, slot_name
from tenant_app.tenancy.connecting import connect
from tenant_app.tenancy.heartbeat import Heartbeat
from tenant_app.tenancy.query import Connection

POLL_SECONDS = 1.0
FIRST_BACKOFF = 0.1
LONGEST_BACKOFF = 5.0
QUERY_SECONDS = 5.0
STOP_SECONDS = 1.0

VERSION = "select number from directory.version"
CHANGED = """
select c.organisation_id, c.number, t.slot, t.state, t.name, t.address, t.locale, t.offer, t.site_url, t.notice,
       t.trial_ends_at, t.entitlements, t.store, t.identity, t.generation, t.fence,
       array(select h.host from directory.host h where h.organisation_id = c.organisation_id order by 1) as hosts
from directory.change c left join directory.tenant t on t.organisation_id = c.organisation_id
where c.number > $1
"""
KEYS = "select kid, public from directory.signing_key"
FIELDS = (
    *("slot", "state", "name", "address", "locale", "offer", "site_url", "notice"),
    *("trial_ends_at", "entitlements", "store", "generation", "fence"),
)

log = logs.get("tenant_app.tenancy")


class Source:
    """One database's part of the directory."""

    def __init__(self, name: str, url: str, heartbeat: Heartbeat, *, poll_seconds: float = POLL_SECONDS) -> None:
        self.name = name
        self.url = url
        self._heartbeat = heartbeat
        self.hosts: dict[str, TenantRecord] = {}
        self.records: dict[UUID, TenantRecord] = {}
        self.keys: dict[str, dict[str, Any]] = {}
        self.loaded = asyncio.Event()
        self.confirmed_at = float("-inf")
        self._poll_seconds = poll_seconds
        self._seen = -1
        self._knock = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow the database; returns at once."""
        self._task = asyncio.create_task(self._follow(), name=f"directory {self.name}")

    async def stop(self) -> None:
        """Stop following; the records stay."""
        self._stopping = True
        self._knock.set()
        if self._task is not None:
            # Cancelling in the midst of a query would make the driver open another connection to say so.
            await asyncio.wait([self._task], timeout=STOP_SECONDS)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        backoff = FIRST_BACKOFF
        while not self._stopping:
            try:
                await self._follow_one_connection()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, Unavailable) as error:
                log.warning("directory away", database=self.name, error=f"{type(error).__name__}: {error}")
            except Exception:
                # A record that cannot be read must not end the watch over all others.
                log.exception("directory unreadable", database=self.name)
            # Only a connection that brought answers makes the next attempt quick.
            recent = asyncio.get_running_loop().time() - self.confirmed_at < 2 * self._poll_seconds
            backoff = FIRST_BACKOFF if recent else min(backoff * 2, LONGEST_BACKOFF)
            await self._wait(backoff * (0.5 + random.random() / 2))  # noqa: S311 - spreads processes, no secret

    async def _follow_one_connection(self) -> None:
        connection = await connect(self.url, command_seconds=QUERY_SECONDS)
        try:
            connection.add_termination_listener(lambda _: self._knock.set())
            await connection.add_listener("directory", lambda *_: self._knock.set())
            # Before it reads on: what cannot be read must not silence it.
            await self._beat(connection)
            # Another server may answer than before (a restore, a fail-over): begin anew rather than compare numbers.
            await self._load(connection, whole=True)
            while True:
                await self._wait(self._poll_seconds)
                if self._stopping:
                    await self._heartbeat.leave(connection)
                    return
                await self._beat(connection)
                number = await connection.fetchval(VERSION)
                if number != self._seen:
                    await self._load(connection, whole=number < self._seen)
                self.confirmed_at = asyncio.get_running_loop().time()
        finally:
            connection.terminate()

    async def _beat(self, connection: Connection) -> None:
        await self._heartbeat.beat(connection, self._seen if self.loaded.is_set() else None)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._knock.wait()
        self._knock.clear()

    async def _load(self, connection: Connection, *, whole: bool) -> None:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            number = await connection.fetchval(VERSION)
            rows = await connection.fetch(CHANGED, -1 if whole else self._seen)
            keys = await connection.fetch(KEYS)
        if whole:
            # Built aside and swapped in one go: no request falls between the old and the new.
            fresh = Source(self.name, self.url, self._heartbeat)
            fresh.apply(rows)
            self.records, self.hosts = fresh.records, fresh.hosts
        else:
            self.apply(rows)
        self.keys = {row["kid"]: row["public"] for row in keys}
        self._seen = number
        self.confirmed_at = asyncio.get_running_loop().time()
        self.loaded.set()

    def apply(self, rows: list[Any]) -> None:
        """Take over changed records; one without a slot is gone."""
        for row in rows:
            old = self.records.pop(row["organisation_id"], None)
            for host in old.hosts if old is not None else ():
                self.hosts.pop(host, None)
        for row in rows:
            if row["slot"] is None:
                continue
            record = self._record(row)
            self.records[record.organisation_id] = record
            self.hosts.update(dict.fromkeys(record.hosts, record))

    def _record(self, row: Any) -> TenantRecord:
        slot_name(row["slot"])
        return TenantRecord(
            organisation_id=row["organisation_id"],
            hosts=tuple(row["hosts"]),
            database=self.name,
            identity=identity_from(row["identity"]),
            **{field: row[field] for field in FIELDS},
        )
