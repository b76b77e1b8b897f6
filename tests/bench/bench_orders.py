"""Orders by the API against the whole product: many at once, and how long from a committed order to a served page.

BENCH_ORDERS (1000) organisations are ordered at once, BENCH_ROUNDS (15) one by one for each median. A line each.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from control_plane import placement
from control_plane.audit import SYSTEM
from control_plane.embedded.firstrun import CELL_DATABASE
from control_plane.embedded.house import House
from control_plane.embedded.prepared import control_url
from kit.db import open_engine, transaction
from kit.vault import Vault
from tests.world.product import Product, running_product

AT_ONCE = 16
PATIENCE = 900.0


def main() -> None:
    many, rounds = int(os.environ.get("BENCH_ORDERS", "1000")), int(os.environ.get("BENCH_ROUNDS", "15"))
    with tempfile.TemporaryDirectory(prefix="parvis-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with running_product(folder / "product") as product, product.api(timeout=120) as api:
            one_by_one(product, api, "warm", 3)
            spare = one_by_one(product, api, "spare", rounds)
            print(f"order committed → first page, from a spare: {_told(spare)}")
            keep_no_spares(product)
            before = memory(product)
            seconds = at_once(api, many)
            print(f"{many} organisations ordered at once: all live after {seconds:.1f} s, {many / seconds:.1f}/s")
            _tell_memory(before, memory(product))
            while spares(api):
                one_by_one(product, api, f"use-{spares(api)}", 1)
            built = one_by_one(product, api, "built", rounds)
            print(f"order committed → first page, without a spare: {_told(built)}")


def _told(seconds: list[float]) -> str:
    milliseconds = sorted(1000 * one for one in seconds)
    return f"median {statistics.median(milliseconds):.0f} ms, longest {milliseconds[-1]:.0f} ms, n={len(milliseconds)}"


def order(api: httpx.Client, address: str) -> dict[str, Any]:
    body = {
        "name": f"Ville {address}",
        "address": address,
        "offer": "team",
        "admin": {"email": f"camille@{address}.example", "name": "Camille Martin"},
    }
    answer = api.post("/organisations", json=body, headers={"Idempotency-Key": address})
    assert answer.status_code == 202, answer.text
    made: dict[str, Any] = answer.json()
    return made


def one_by_one(product: Product, api: httpx.Client, name: str, rounds: int) -> list[float]:
    """Seconds from the answer to an order until its workspace serves a page."""
    taken = []
    for number in range(rounds):
        address = f"{name}-{number}-{rounds}"
        with product.client(address, headers={"Accept": "text/html"}) as visitor:
            order(api, address)
            committed = time.perf_counter()
            while visitor.get("/sign-in").status_code == 404:
                assert time.perf_counter() - committed < PATIENCE
                time.sleep(0.002)
            taken.append(time.perf_counter() - committed)
    return taken


def at_once(api: httpx.Client, many: int) -> float:
    """Seconds from the first order until all are live."""
    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda number: order(api, f"many-{number}"), range(many)))
    taken = time.perf_counter() - began
    print(f"{many} orders taken on in {taken:.1f} s, {many / taken:.0f}/s")
    while states(api, "ordered") + states(api, "provisioning"):
        assert time.perf_counter() - began < PATIENCE
        time.sleep(0.5)
    assert states(api, "failed") == 0
    return time.perf_counter() - began


def states(api: httpx.Client, state: str) -> int:
    answer = api.get("/organisations", params={"state": state, "limit": 1})
    return int(answer.json()["total_estimate"])


def spares(api: httpx.Client) -> int:
    return int(api.get("/cells/local").json()["databases"][0]["spares_seen"])


@contextmanager
def _control(product: Product) -> Iterator[Any]:
    house = House(product.folder, product.port)
    drawn = house.secrets()
    url = control_url(drawn["postgres_port"], drawn["control_password"])
    engine = open_engine(url, vault=Vault.from_file(house.master_key), pool_size=1)
    with transaction(engine) as session:
        yield session
    engine.dispose()


def keep_no_spares(product: Product) -> None:
    """No spare is built any more; those that stand are used up by the next orders."""
    with _control(product) as session:
        placement.set_spares(session, CELL_DATABASE, 0, SYSTEM)


def memory(product: Product) -> dict[str, int]:
    """Megabytes of each part and its children, as resident."""
    found = {}
    for name, pid in product.pids().items():
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)] if "postgres" not in name else [parent]
        found[name] = sum(one.memory_info().rss for one in family) // 1_000_000
    return found


def _tell_memory(before: dict[str, int], after: dict[str, int]) -> None:
    told = ", ".join(f"{name} {before.get(name, 0)} → {after[name]}" for name in sorted(after))
    print(f"memory in MB before and after: {told}")


if __name__ == "__main__":
    main()
