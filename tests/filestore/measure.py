"""How fast the embedded store is: obstore through the gateway, and obstore straight on a folder, side by side.

`python -m tests.filestore.measure`. A folder's client waits for no disk; the gateway has every object on disk before it
says so.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from obstore.store import LocalStore

from tests.filestore.gateway import running_gateway
from tests.filestore.tenants import new_key, new_tenant

MIB = 1024 * 1024
LARGE, SMALL = 64 * MIB, 4096
ROUNDS, FILES, STREAMS = 5, 400, 8


def timed(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def at_once(work: Callable[[str], Awaitable[Any]], keys: list[str]) -> None:
    async def all_of_them() -> None:
        turn = asyncio.Semaphore(STREAMS)

        async def one(key: str) -> None:
            async with turn:
                await work(key)

        await asyncio.gather(*(one(key) for key in keys))

    asyncio.run(all_of_them())


def measured(store: Any) -> dict[str, float]:
    """What one round does in a second."""
    key, keys = new_key(), [new_key() for _ in range(FILES)]
    large, small = os.urandom(LARGE), os.urandom(SMALL)

    async def read(one: str) -> None:
        await (await store.get_async(one)).bytes_async()

    mib = LARGE // MIB
    return {
        "64 MiB up, MiB/s": mib / timed(lambda: store.put(key, large, use_multipart=False)),
        "64 MiB up in parts, MiB/s": mib / timed(lambda: store.put(new_key(), large, chunk_size=8 * MIB)),
        "64 MiB down, MiB/s": mib / timed(lambda: store.get(key).bytes()),
        "4 KiB up, a second": FILES / timed(lambda: at_once(lambda one: store.put_async(one, small), keys)),
        "4 KiB down, a second": FILES / timed(lambda: at_once(read, keys)),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running_gateway(Path(folder) / "store") as gateway:
        tenant = new_tenant(gateway)
        (Path(folder) / "local").mkdir()
        stores = {
            "folder": LocalStore(Path(folder) / "local"),
            "gateway": tenant.client(),
            "gateway, digest left to TLS": tenant.client(unsigned_payload=True),
        }
        rounds = [{name: measured(store) for name, store in stores.items()} for _ in range(ROUNDS)]
        for what in rounds[0]["folder"]:
            middle = {name: statistics.median(one[name][what] for one in rounds) for name in stores}
            told = (f"{name} {value:6.0f} ({value / middle['folder']:4.0%})" for name, value in middle.items())
            print(f"{what:26}", *told, sep="   ")


if __name__ == "__main__":
    main()
