"""What one sign-in by OpenID Connect costs us in processor time: everything we do, without the provider's own part.

By plain HTTP and by https; the first one also fetches the provider's document and keys. Prints one line each.
"""

import asyncio
import os
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from kit import logs
from kit.fetching import Fetcher
from kit.fetching.fetcher import trust_in
from kit.openid import Providers, begin, finish
from tests.openid.driving import client_of, visit
from tests.openid.op import SUBJECT, Scene, running_op
from tests.world.authority import Authority

GOAL_MS = 20.0


async def signed_in(providers: Providers, scene: Scene) -> float:
    """Milliseconds of this thread, which runs all of ours: the provider answers from threads of its own."""
    began = time.thread_time()
    provider, keys = await providers.get(scene.issuer)
    client = client_of(scene)
    begun = begin(provider, client)
    before = time.thread_time() - began
    query = await asyncio.to_thread(visit, begun.url, trust_in(providers.fetcher.ca_file))
    began = time.thread_time()
    now = datetime.now(UTC)
    found = await finish(providers.fetcher, provider, keys, client, begun, query=query, now=now)
    assert found.subject == SUBJECT
    return 1e3 * (before + time.thread_time() - began)


async def measured(fetcher: Fetcher, scene: Scene, rounds: int) -> tuple[float, list[float]]:
    await signed_in(Providers(fetcher), scene)
    providers = Providers(fetcher)
    first = await signed_in(providers, scene)
    return first, [await signed_in(providers, scene) for _ in range(rounds)]


def main() -> None:
    rounds = int(os.environ.get("BENCH_ROUNDS", "200"))
    logs.configure("WARNING")
    with tempfile.TemporaryDirectory(prefix="parvis-bench-") as name:
        authority = Authority(Path(name))
        for how, tls in (("http", None), ("https", authority.tls("localhost"))):
            with running_op(tls) as op:
                fetcher = Fetcher(allow_private=True, ca_file=authority.file if tls else None)
                first, later = asyncio.run(measured(fetcher, op.scene(), rounds))
            middle, worst = statistics.median(later), sorted(later)[int(0.95 * len(later))]
            print(
                f"OpenID Connect sign-in, {how}: {middle:.1f} ms of processor (95 %: {worst:.1f} ms), the first one "
                f"{first:.1f} ms; goal {GOAL_MS:.0f} ms: {'reached' if middle <= GOAL_MS else 'MISSED'}"
            )


if __name__ == "__main__":
    main()
