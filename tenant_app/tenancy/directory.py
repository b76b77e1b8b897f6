"""Who lives at which host: all records of all databases of the cell, in memory. No request asks PostgreSQL for it."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from kit import logs
from kit.errors import Unavailable
from tenant_app.contract import TenantRecord
from tenant_app.tenancy.cell_file import CellFile, read_cell_file
from tenant_app.tenancy.heartbeat import BEAT_SECONDS, Heartbeat, process_name
from tenant_app.tenancy.pool import SIZE, TenantPool
from tenant_app.tenancy.source import POLL_SECONDS, Source

FIRST_LOAD_SECONDS = 10.0

log = logs.get("tenant_app.tenancy")


class Directory:
    """The cell's directory, and a pool for each of its databases. Follows the cell's file as it changes.

    Each database is told every few seconds that this process, a `kind` of its own, lives and what it has read.
    """

    def __init__(
        self,
        cell_file: Path,
        *,
        kind: str = "app",
        pool_size: int = SIZE,
        poll_seconds: float = POLL_SECONDS,
        beat_seconds: float = BEAT_SECONDS,
    ) -> None:
        self._path = cell_file
        self._pool_size = pool_size
        self._poll_seconds = poll_seconds
        self._beat_seconds = beat_seconds
        self.process = process_name(kind)
        self._sources: dict[str, Source] = {}
        self._pools: dict[str, TenantPool] = {}
        self._stamp: tuple[int, int] | None = None
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.cell = CellFile(cell="", databases=())

    async def start(self) -> None:
        """Read the file and load what answers within ten seconds. Raises ValueError for a file that is not one."""
        await self._read_file()
        self._task = asyncio.create_task(self._follow_file(), name="cell file")
        waiting = [asyncio.create_task(source.loaded.wait()) for source in self._sources.values()]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=FIRST_LOAD_SECONDS)
            for task in late:
                task.cancel()

    async def close(self) -> None:
        """Stop following and close the pools."""
        self._closing.set()
        if self._task is not None:
            # Not cancelled: it may be closing the pool of a database that has left.
            await self._task
        for name in list(self._sources):
            await self._leave(name)

    def find(self, host: str) -> TenantRecord | None:
        """The record of this exact host; a port is passed over. The newest wins while an organisation moves."""
        name = host.lower().rpartition(":")[0] if host.rpartition(":")[2].isdigit() and ":" in host else host.lower()
        found = [record for source in self._sources.values() if (record := source.hosts.get(name)) is not None]
        return max(found, key=lambda record: (record.generation, record.fence)) if found else None

    def record(self, organisation_id: UUID) -> TenantRecord | None:
        """The record of this organisation."""
        found = [r for source in self._sources.values() if (r := source.records.get(organisation_id)) is not None]
        return max(found, key=lambda record: (record.generation, record.fence)) if found else None

    def records(self) -> Iterator[TenantRecord]:
        """Every record of the cell, for the worker's rounds."""
        for source in self._sources.values():
            yield from list(source.records.values())

    def pool(self, record: TenantRecord) -> TenantPool:
        """The pool of the database that holds this tenant."""
        return self.pool_named(record.database)

    def pool_named(self, database: str) -> TenantPool:
        """The pool of one database."""
        pool = self._pools.get(database)
        if pool is None:
            raise Unavailable("database_unknown", f"{database!r} is not in the cell's file any more")
        return pool

    @property
    def databases(self) -> list[str]:
        """The names of the cell's databases."""
        return list(self._sources)

    def keys(self, record: TenantRecord) -> dict[str, dict[str, Any]]:
        """The public keys whose tickets this tenant accepts."""
        source = self._sources.get(record.database)
        return {} if source is None else source.keys

    async def check(self) -> None:
        """Raise unless every database has been loaded once: before that, a known host could seem unknown."""
        missing = [name for name, source in self._sources.items() if not source.loaded.is_set()]
        if missing or self._stamp is None:
            raise Unavailable("directory_not_loaded", ", ".join(missing))

    async def _follow_file(self) -> None:
        while not self._closing.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_seconds):
                    await self._closing.wait()
            try:
                await self._read_file()
            except (OSError, ValueError) as error:
                log.warning("cell file unreadable, the last one stays", error=str(error))

    async def _read_file(self) -> None:
        stat = self._path.stat()
        stamp = (stat.st_mtime_ns, stat.st_ino)
        if stamp == self._stamp:
            return
        cell = read_cell_file(self._path)
        wanted = {database.name: database.url for database in cell.databases}
        for name, source in list(self._sources.items()):
            if wanted.get(name) != source.url:
                await self._leave(name)
        for name, url in wanted.items():
            if name not in self._sources:
                self._join(name, url)
        self.cell, self._stamp = cell, stamp

    def _join(self, name: str, url: str) -> None:
        heartbeat = Heartbeat(self.process, beat_seconds=self._beat_seconds)
        source = Source(name, url, heartbeat, poll_seconds=self._poll_seconds)
        self._sources[name] = source
        self._pools[name] = TenantPool(url, size=self._pool_size)
        source.start()

    async def _leave(self, name: str) -> None:
        source, pool = self._sources.pop(name), self._pools.pop(name)
        await source.stop()
        await pool.close()
