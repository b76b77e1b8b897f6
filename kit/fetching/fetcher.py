"""Fetching what an organisation's administrator names."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from ssl import SSLContext
from time import perf_counter

import httpx2

from kit import logs
from kit.errors import Refusal
from kit.fetching import refusals
from kit.fetching.addresses import LOOKUPS, look_up
from kit.fetching.running import run_now
from kit.fetching.transport import Bounds, LookUp, PinnedTransport

MIB = 1024 * 1024
LONGEST_ADDRESS = 2000
LAST_PORT = 65535
AGENT = "Parvis"

log = logs.get("fetching")
# At INFO these print whole addresses, with the tokens in their queries.
for _name in ("httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@lru_cache(maxsize=16)
def trust_in(ca_file: Path | None) -> SSLContext:
    """The authorities we believe; made once, for it takes longer than a fetch."""
    trust = httpx2.create_ssl_context(trust_env=False)
    if ca_file is not None:
        trust.load_verify_locations(cafile=ca_file)
    return trust


@dataclass(frozen=True)
class Fetched:
    """A whole answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Fetcher:
    """Fetches an address once, in `seconds` altogether and up to `largest` bytes; follows no redirect.

    `allow_private` admits private and loopback addresses and plain http: for tests and the embedded mode. `ca_file`
    holds authorities that are believed besides the public ones.
    """

    allow_private: bool = False
    seconds: float = 5.0
    largest: int = MIB
    ca_file: Path | None = None
    look_up: LookUp = field(default=look_up, repr=False, compare=False)

    async def get(self, url: str, accept: str = "*/*", *, field: str = "url") -> Fetched:
        """What stands at `url` (status 200), or a Refusal that names `field`, what was received, and the cure."""
        return await self._get(url, {"accept": accept}, field)

    def get_now(self, url: str, accept: str = "*/*", *, field: str = "url") -> Fetched:
        """The same, for synchronous callers."""
        return run_now(self.get(url, accept, field=field))

    async def get_as(self, url: str, bearer: str, *, field: str = "url") -> Fetched:
        """What stands at `url` for the holder of this token."""
        return await self._get(url, {"accept": "application/json", "authorization": f"Bearer {bearer}"}, field)

    async def _get(self, url: str, headers: Mapping[str, str], field: str) -> Fetched:
        async with (
            self.bounded(url, field),
            httpx2.AsyncClient(transport=self.transport(field), timeout=self.seconds, trust_env=False) as client,
        ):
            response = await client.get(url, headers={"user-agent": AGENT, **headers})
        if response.status_code != 200:
            raise refusals.status_unexpected(url, response.status_code, field)
        return Fetched(200, {name.lower(): value for name, value in response.headers.items()}, response.content)

    def transport(self, field: str) -> PinnedTransport:
        """For another client of httpx2 with the same care; use it inside `bounded`."""
        bounds = Bounds(self.allow_private, self.largest, self.look_up)
        return PinnedTransport(bounds, trust_in(self.ca_file), field)

    @asynccontextmanager
    async def bounded(self, url: str, field: str) -> AsyncIterator[None]:
        """What is fetched inside ends in time; its failures come out as refusals. Logs never hold a query."""
        host = self._host_of(url, field)
        began, outcome = perf_counter(), "left"
        try:
            async with asyncio.timeout(self.seconds):
                # Read for the first time, the authorities would hold the event loop up.
                await asyncio.get_running_loop().run_in_executor(LOOKUPS, trust_in, self.ca_file)
                yield
            outcome = "fetched"
        except TimeoutError as error:
            outcome = "too_slow"
            raise refusals.too_slow(host, self.seconds, field) from error
        except httpx2.RequestError as error:
            refusal = refusals.of_failure(error, host, self.seconds, field)
            outcome = refusal.code
            raise refusal from error
        except Refusal as refusal:
            outcome = refusal.code
            raise
        finally:
            log.info(
                "fetch", address=refusals.without_query(url), outcome=outcome, ms=round(1e3 * (perf_counter() - began))
            )

    @staticmethod
    def _host_of(url: str, field: str) -> str:
        try:
            parts = httpx2.URL(url if len(url) <= LONGEST_ADDRESS and url.isprintable() else "")
        except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
            raise refusals.malformed(url, field) from error
        if not parts.host or (parts.port or 0) > LAST_PORT:
            raise refusals.malformed(url, field)
        return parts.host
