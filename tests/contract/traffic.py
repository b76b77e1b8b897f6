"""People who go on working with the release before, while their slots are upgraded beneath them."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from tenant_app.contract import TenantRecord
from tenant_app.tenancy import TenantPool
from tests.world.cells import Cell

# Every column of the first release, by name, as all our statements have it.
ASK = """
select u.id, u.space_id, u.parent_id, u.node_id, u.name, u.mime, u.size, u.blob_id, u.multipart, u.created_by,
       u.expires_at, u.created_at, v.node_id as file, v.n, v.sha256, v.author_id, v.label
from upload u left join version v on v.blob_id = u.blob_id where u.id = $1
"""
WRITE = """
insert into upload (id, space_id, name, size, blob_id, created_by, expires_at)
values ($1, $2, 'Budget.ods', 42, $1, $3, now() + interval '1 day')
returning id, space_id, parent_id, node_id, name, mime, size, blob_id, multipart, created_by, expires_at, created_at
"""
PATIENCE = "set local lock_timeout = '2s'"
SPACE = "insert into space (id, name, owner_id) values ($1, 'Team', $2)"
FILE = "insert into node (id, space_id, acl_id, kind, name, etag) values ($1, $2, $1, 'f', $3, $1)"
ENTER = "insert into version (node_id, n, blob_id, size) values ($1, 1, $2, 42) returning node_id, n, blob_id, size"
END = "delete from upload where id = $1"


class Traffic:
    """What happened: how often, and every error. Who waits two seconds for a lock meets one."""

    def __init__(self, pool: TenantPool, records: Sequence[TenantRecord]) -> None:
        self.pool = pool
        self.records = records
        self.done = 0
        self.errors: list[BaseException] = []
        self._ends = asyncio.Event()

    async def one(self, record: TenantRecord) -> None:
        """An upload in a new space becomes a file."""
        upload, space, node = uuid4(), uuid4(), uuid4()
        async with self.pool.transaction(record) as conn:
            await conn.execute(PATIENCE)
            await conn.execute(SPACE, space, record.organisation_id)
            assert (await conn.fetchrow(WRITE, upload, space, record.organisation_id))["id"] == upload
        async with self.pool.transaction(record) as conn:
            await conn.execute(PATIENCE)
            await conn.execute(FILE, node, space, f"{node}.ods")
            assert (await conn.fetchrow(ENTER, node, upload))["node_id"] == node
            row: Any = await conn.fetchrow(ASK, upload)
            assert (row["size"], row["file"], row["n"]) == (42, node, 1)
            await conn.execute(END, upload)

    async def keep_working(self) -> None:
        while not self._ends.is_set():
            try:
                await self.one(random.choice(self.records))
            except Exception as error:  # noqa: BLE001 - whatever it is, the test tells it
                self.errors.append(error)
            self.done += 1
            await asyncio.sleep(0.005)

    @asynccontextmanager
    async def going_on(self, people: int = 4) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(people):
                tasks.create_task(self.keep_working())
            try:
                yield
            finally:
                self._ends.set()


@asynccontextmanager
async def traffic(cell: Cell, records: Sequence[TenantRecord]) -> AsyncIterator[Traffic]:
    """Four people in random workspaces, each at once after what he did before."""
    pool = TenantPool(cell.app_url)
    made = Traffic(pool, records)
    try:
        # Everything is prepared on the old schema first.
        for record in records[:20]:
            await made.one(record)
        async with made.going_on():
            yield made
    finally:
        await pool.close()
