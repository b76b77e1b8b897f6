"""A workspace's books and its bucket: objects nobody knows of, and a comparison now."""

import asyncio
from typing import Any

from tenant_app.contract import TenantRecord
from tests.workspace.houses import House
from tests.world import stores


def compare(house: House, record: TenantRecord, *, orphan_seconds: int = 86_400) -> Any:
    """Compare now, and give what the directory then says."""
    organisation = record.organisation_id
    house.cell.sql("update directory.usage set reconciled_at = null where organisation_id = %s", organisation)
    house.cell.sql(
        "insert into directory.chore values (%s) on conflict (organisation_id) do update set due_at = now()",
        organisation,
    )
    house.sweep(PARVIS_ORPHAN_SECONDS=str(orphan_seconds))
    usage = house.cell.database.usage([organisation])[organisation]
    assert usage.reconciled_at is not None
    return usage


def store_object(house: House, record: TenantRecord, key: str, body: bytes) -> None:
    """An object in the workspace's bucket of which the workspace does not know."""

    async def store() -> None:
        bucket = stores.bucket(house.store, record.store["bucket"], record.store["key_id"])
        await bucket.put(key, body)
        await bucket.client.close()

    asyncio.run(store())


def remove_object(house: House, record: TenantRecord, key: str) -> None:
    async def remove() -> None:
        bucket = stores.bucket(house.store, record.store["bucket"], record.store["key_id"])
        await bucket.delete(key)
        await bucket.client.close()

    asyncio.run(remove())
