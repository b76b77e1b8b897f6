"""10,000 users pushed by SCIM, one request each as directories do it, then in bulk; the app's memory along the way.

Beside them, in the same run, what scim2-models takes to validate and write one of these users, against our own shapes.
"""

import asyncio
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
from scim2_models import Context, EnterpriseUser, User

from tenant_app.scim.schema import ENTERPRISE, USER_TREE
from tenant_app.scim.shapes import shaped
from tests.bench.bench_storage import DURABLE, Here, cpu
from tests.scim.directories import BULK, DOMAIN, USER, Directory, opened
from tests.workspace.houses import running_house
from tests.world.cells import prepared_cell
from tests.world.servers import postgres_server
from tests.world.stores import files_store

USERS = int(os.environ.get("BENCH_USERS", "10000"))
STREAMS = 8
BATCH = 500
GOAL = 200


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="parvis-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with (
            postgres_server(folder, **DURABLE) as server,
            prepared_cell(server.url) as cell,
            files_store(folder / "store") as store,
            running_house(cell, folder / "house", store) as house,
        ):
            database = int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
            measure("one request a user", opened(house), database, STREAMS, 1)
            measure(f"in bulks of {BATCH}", opened(house), database, 2, BATCH)
    measure_shapes()


def entra(number: int) -> dict[str, Any]:
    """A user as Entra pushes him."""
    email = f"person{number:05}@{DOMAIN}"
    return {
        "schemas": [USER, ENTERPRISE],
        "externalId": f"0a21f0f2-8d2a-4f8e-bf98-{number:012}",
        "userName": email,
        "active": True,
        "displayName": f"Person {number}",
        "emails": [{"primary": True, "type": "work", "value": email}],
        "name": {"formatted": f"Person {number}", "familyName": str(number), "givenName": "Person"},
        "title": "Agent",
        ENTERPRISE: {"department": "Voirie", "employeeNumber": str(number)},
    }


def measure(words: str, push: Directory, database: int, streams: int, batch: int) -> None:
    """Push everybody, and look at the app's memory at each tenth."""
    memory = [push.house.memory()]
    before = cpu([push.house.process.pid]), cpu([database])
    seconds = []
    for tenth in range(10):
        numbers = range(tenth * USERS // 10, (tenth + 1) * USERS // 10)
        began = time.perf_counter()
        asyncio.run(send(push, numbers, streams, batch))
        seconds.append(time.perf_counter() - began)
        memory.append(push.house.memory())
    [[made]] = push.house.rows(push.record, "select count(*) from scim_user")
    assert made == USERS, made
    rate, last = USERS / sum(seconds), USERS / 10 / seconds[-1]
    grown = (memory[-1] - memory[1]) / 2**20
    after = cpu([push.house.process.pid]), cpu([database])
    app, server = (1000 * (late - early) / USERS for early, late in zip(before, after, strict=True))
    print(
        f"{USERS:,} users, {words:<24}{rate:8.0f} users/s (goal {GOAL}), the last tenth {last:.0f};"
        f" processor time a user: app {app:.1f} ms, database {server:.1f} ms;"
        f" memory {memory[1] / 2**20:.0f} MiB after a tenth, {memory[-1] / 2**20:.0f} at the end ({grown:+.1f})"
    )


async def send(push: Directory, numbers: range, streams: int, batch: int) -> None:
    headers = {"Authorization": f"Bearer {push.secret}", "Content-Type": "application/scim+json"}
    base = f"{push.house.url(push.record)}/scim/v2"
    waiting = [numbers[start : start + batch] for start in range(0, len(numbers), batch)]
    connector = aiohttp.TCPConnector(resolver=Here(), limit=streams)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as http:

        async def work() -> None:
            while waiting:
                some = waiting.pop()
                path, body = ("/Users", entra(some[0])) if batch == 1 else ("/Bulk", bulk(some))
                async with http.post(base + path, data=json.dumps(body)) as answer:
                    if answer.status == 429:
                        # Faster than a token may go on for long: a directory waits as it is told.
                        waiting.append(some)
                        await asyncio.sleep(float(answer.headers.get("Retry-After", "1")))
                        continue
                    assert answer.status in (200, 201), await answer.text()
                    await answer.read()

        await asyncio.gather(*(work() for _ in range(streams)))


def bulk(numbers: range) -> dict[str, Any]:
    made = [{"method": "POST", "path": "/Users", "bulkId": str(n), "data": entra(n)} for n in numbers]
    return {"schemas": [BULK], "Operations": made}


def measure_shapes() -> None:
    """Processor time for one user, in microseconds: the library's models, and our shapes."""
    model, sent = User[EnterpriseUser], entra(7)

    def library() -> None:
        found = model.model_validate(sent, scim_ctx=Context.RESOURCE_CREATION_REQUEST)
        found.id = "7"
        found.model_dump(scim_ctx=Context.RESOURCE_CREATION_RESPONSE)

    ways = {"library": library, "ours": lambda: shaped(USER_TREE, sent)}
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(7):
        for way, work in ways.items():
            began = time.process_time()
            for _ in range(500):
                work()
            taken[way].append((time.process_time() - began) / 500 * 1e6)
    theirs, ours = (statistics.median(taken[way]) for way in ("library", "ours"))
    print(f"the shape of a user: scim2-models {theirs:.0f} µs, ours {ours:.0f} µs ({theirs / ours:.0f} times less)")


if __name__ == "__main__":
    main()
