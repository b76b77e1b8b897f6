"""Files by the product's way, beside a Rust client that goes straight to the same store, in one run, by turns.

The product's way is a browser's: the workspace promises room and signs each call, bytes go to the store, the workspace
looks what arrived. Prints ratios, and the tenant app's share of all processor time that the transfer took.

The bucket that is written straight has a quota as an organisation's has: the gateway looks it up with each object.
Beside the embedded store, which has everything on the disk before it answers, stands a LocalStore whose files and
folder are flushed as well.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import obstore
import psutil
import requests
from obstore.store import LocalStore, S3Store
from yarl import URL

from control_plane.storage import AccessKey, BucketWish, CephObjectStore
from kit.s3 import Signer
from tests.drive.sending import PART, Sender, digest, part
from tests.workspace.houses import House, running_house
from tests.world.cells import prepared_cell
from tests.world.ceph import RunningCeph, running_ceph
from tests.world.servers import postgres_server
from tests.world.stores import SECRET, Ceph, Store, files_store

MIB = 1024 * 1024
LARGE = os.urandom(64 * MIB)
SMALL = [os.urandom(4096) for _ in range(1000)]
BATCH = 50
STREAMS = 8
# As the page's script has them: parts side by side, and as many as come with the first question.
AT_ONCE = 4
COUNT = len(LARGE) // PART
DURABLE = {"fsync": "on", "full_page_writes": "on"}


def main() -> None:
    rounds = int(os.environ.get("BENCH_ROUNDS", "7"))
    with tempfile.TemporaryDirectory(prefix="parvis-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with postgres_server(folder, **DURABLE) as server, prepared_cell(server.url) as cell:
            with running_ceph(folder / "ceph") as ceph:
                store = Ceph(ceph.endpoint, ceph.admin_key_id, ceph.admin_secret)
                with running_house(cell, folder / "on-ceph", store) as house:
                    straight = _straight_to_gateway(house, store)
                    measure(
                        "Ceph",
                        house,
                        straight,
                        rounds,
                        store_pids=[one.pid for one in ceph.processes.values()],
                        goal=0.9,
                    )
                measure_step(ceph, rounds)
            with files_store(folder / "store") as files, running_house(cell, folder / "on-files", files) as house:
                pids = [files.gateway.process.pid]
                local = LocalStore(str(folder / "plain"), mkdir=True)
                measure("the embedded store", house, local, rounds, store_pids=pids, goal=0.8, flushed=folder / "plain")


def _straight_to_gateway(house: House, store: Store) -> Any:
    name = "org-" + "b" * 32
    key_id = store.open(name, quota=10**12, origin=f"http://bench.parvis.localhost:{house.port}")
    return S3Store(
        name,
        endpoint=store.endpoint,
        access_key_id=key_id,
        secret_access_key=SECRET,
        region="default",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )


@dataclass
class Clock:
    """Seconds by the wall of each way, round by round, and processor seconds of whoever took part."""

    watched: dict[str, list[int]]
    seconds: dict[str, list[float]] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measuring(self, what: str) -> Iterator[None]:
        before = {name: cpu(pids) for name, pids in self.watched.items()}
        began = time.perf_counter()
        yield
        self.seconds.setdefault(what, []).append(time.perf_counter() - began)
        for name, pids in self.watched.items():
            key = f"{what} {name}"
            self.spent[key] = self.spent.get(key, 0.0) + cpu(pids) - before[name]

    def median(self, what: str) -> float:
        return statistics.median(self.seconds[what])

    def share(self, what: str) -> float:
        """The tenant app's part of all processor time."""
        every = {name: self.spent[f"{what} {name}"] for name in self.watched}
        return every["app"] / sum(every.values())

    def beside_flushed(self, what: str) -> str:
        """The ratio to a store on files that flushes, where one was measured."""
        if f"{what} flushed" not in self.seconds:
            return ""
        return f", {self.median(f'{what} flushed') / self.median(f'{what} product'):.2f} of one that flushes"


def cpu(pids: list[int]) -> float:
    """Processor seconds of these processes and, but for this one, of those below them: not counted by ticks."""
    total = 0.0
    for pid in pids:
        # The servers are children of this process: it counts for itself alone.
        children = [] if pid == os.getpid() else psutil.Process(pid).children(recursive=True)
        total += sum(time.clock_gettime(clock_of(one)) for one in [pid, *(child.pid for child in children)])
    return total


def clock_of(pid: int) -> int:
    """Another process's clock of processor time, as clock_getcpuclockid(3) makes its number on Linux."""
    return (~pid << 3) | 2


def measure(
    name: str,
    house: House,
    straight: Any,
    rounds: int,
    *,
    store_pids: list[int],
    goal: float,
    flushed: Path | None = None,
) -> None:
    owner = house.owner(house.workspace(entitlements={"storage_bytes": None}))
    sender, space = Sender.of(owner), owner.space()
    me = [os.getpid()]
    clock = Clock({"app": [house.process.pid], "store": store_pids, "client": me})
    ways: dict[str, Callable[[int], Any]] = {
        "up product": lambda turn: asyncio.run(upload(sender, space, f"{turn}.bin")),
        "up straight": lambda turn: obstore.put(straight, f"large-{turn}", LARGE),
        "down product": lambda _: asyncio.run(download(sender)),
        "down straight": lambda turn: bytes(obstore.get(straight, f"large-{turn}").bytes()),
        "small product": lambda turn: asyncio.run(small_files(sender, space, turn)),
        "small straight": lambda turn: asyncio.run(small_straight(straight, turn)),
    }
    if flushed is not None:
        ways |= {
            "up flushed": lambda turn: durable(flushed, straight, {f"flushed-{turn}": LARGE}),
            "small flushed": lambda turn: durable(flushed, straight, {f"f-{turn}-{n}": b for n, b in enumerate(SMALL)}),
        }
    for turn in range(rounds + 1):
        for what, work in ways.items():
            with clock.measuring(what) if turn else nullcontext():
                work(turn)
    for what, words, amount in (
        ("up", "64 MiB up", 64 / clock.median("up product")),
        ("down", "64 MiB down", 64 / clock.median("down product")),
        ("small", "1,000 files of 4 KiB", 1000 / clock.median("small product")),
    ):
        ratio = clock.median(f"{what} straight") / clock.median(f"{what} product")
        unit = "files/s" if what == "small" else "MiB/s"
        wanted = 0.8 if what == "small" else goal
        print(
            f"{words + ' on ' + name:<44}{amount:8.0f} {unit:<8}{ratio:6.2f} of straight (goal {wanted:.1f}),"
            f" app {100 * clock.share(f'{what} product'):.1f} % of all CPU{clock.beside_flushed(what)}"
        )


def durable(folder: Path, local: Any, files: dict[str, bytes]) -> None:
    """What a store on files has to do before it may say that they are there."""
    for name, body in files.items():
        obstore.put(local, name, body)
        flush(folder / name)
        flush(folder)


def flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


async def upload(sender: Sender, space: str, name: str) -> None:
    """As the browser does it: digests first, then one question for room and first parts, and one at the end."""
    digests = await asyncio.gather(*(asyncio.to_thread(digest, part(LARGE, n)) for n in range(1, COUNT + 1)))
    begun = await asyncio.to_thread(sender.begin_with, space, name, LARGE, digests)
    async with session() as http:
        await together(AT_ONCE, [put(http, call, part(LARGE, call["n"])) for call in begun["calls"]])
    [file] = sender.complete(begun["id"])
    sender.last = file["id"]  # type: ignore[attr-defined]


async def download(sender: Sender) -> None:
    url = sender.person.http.get(f"/drive/{sender.last}/content", follow_redirects=False).headers["location"]  # type: ignore[attr-defined]
    async with session() as http, http.get(URL(url, encoded=True)) as answer:
        assert len(await answer.read()) == len(LARGE)


async def small_files(sender: Sender, space: str, turn: int) -> None:
    async with session() as http:
        batches = [range(start, start + BATCH) for start in range(0, len(SMALL), BATCH)]
        await together(2, [small_batch(http, sender, space, turn, batch) for batch in batches])


async def small_batch(http: aiohttp.ClientSession, sender: Sender, space: str, turn: int, numbers: range) -> None:
    files = [(f"{turn}-{n}.txt", SMALL[n]) for n in numbers]
    begun = await asyncio.to_thread(sender.begin, space, *files)
    await together(STREAMS // 2, [put(http, one["call"], body) for one, (_, body) in zip(begun, files, strict=True)])
    made = await asyncio.to_thread(sender.complete, *(one["id"] for one in begun))
    assert all("id" in one for one in made)


async def small_straight(straight: Any, turn: int) -> None:
    await together(STREAMS, [obstore.put_async(straight, f"{turn}-{n}", body) for n, body in enumerate(SMALL)])


def session() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(resolver=Here(), limit=64)
    return aiohttp.ClientSession(connector=connector, read_bufsize=MIB)


class Here(aiohttp.abc.AbstractResolver):
    """Every name is this machine, as browsers have it for *.localhost."""

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> Any:  # noqa: ARG002 - aiohttp's shape
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        return None


async def put(http: aiohttp.ClientSession, call: dict[str, Any], body: bytes) -> None:
    async with http.put(URL(call["url"], encoded=True), data=body, headers=call["headers"]) as answer:
        assert answer.status == 200, await answer.text()


async def together(width: int, work: list[Any]) -> None:
    limit = asyncio.Semaphore(width)

    async def one(each: Any) -> None:
        async with limit:
            await each

    await asyncio.gather(*(one(each) for each in work))


def measure_step(ceph: RunningCeph, rounds: int) -> None:
    """An organisation's account, key, bucket and quota: by the product's step, and by the bare four calls."""
    store = CephObjectStore.at(ceph.endpoint, AccessKey(ceph.admin_key_id, ceph.admin_secret), ceph.region)
    seconds: dict[str, list[float]] = {"step": [], "bare": []}
    for turn in range(3 * rounds):
        for way, name in (("step", f"org-{turn:032x}"), ("bare", f"org-{turn + 2**32:032x}")):
            key = AccessKey(f"K{name[-16:].upper()}", SECRET)
            began = time.perf_counter()
            if way == "step":
                store.ensure_account(name, [key], 1)
                store.ensure_bucket(name, name, key, BucketWish(10**9, ("http://bench.parvis.localhost",)), 1)
                store.ensure_mode(name, "open", 1)
            else:
                bare(ceph, name, key)
            seconds[way].append(time.perf_counter() - began)
    step, plain = (1000 * statistics.median(seconds[way]) for way in ("step", "bare"))
    print(f"{'storage step on Ceph':<44}{step:8.1f} ms      {step / plain:6.2f} x the bare four calls (goal 1.2)")


SESSION = requests.Session()


def bare(ceph: RunningCeph, name: str, key: AccessKey) -> None:
    admin, own = (
        Signer(ceph.endpoint, ceph.admin_key_id, ceph.admin_secret),
        Signer(ceph.endpoint, key.key_id, key.secret),
    )
    user = {"uid": name, "display-name": name, "generate-key": "false", "max-buckets": "1"}
    keyed = {"key": "", "uid": name, "access-key": key.key_id, "secret-key": key.secret, "generate-key": "false"}
    quota = {"quota": "", "uid": name, "bucket": name, "max-size-kb": "1000000", "enabled": "true"}
    for signer, path, params in (
        (admin, "/admin/user", user),
        (admin, "/admin/user", keyed),
        (own, f"/{name}", {}),
        (admin, "/admin/bucket", quota),
    ):
        url, headers = signer.call("PUT", path, params)
        answer = SESSION.put(url, headers=headers, timeout=20)
        assert answer.status_code == 200, answer.text
