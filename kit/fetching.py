"""Fetching what an organisation's administrator names: bounded in time and size, and never from inside our networks."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024


@dataclass(frozen=True)
class Fetched:
    """A whole answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Fetcher:
    """Fetches an address once, in `seconds` altogether and up to `largest` bytes; follows no redirect.

    `allow_private` admits private and loopback addresses and plain http: for tests and the embedded mode.
    """

    allow_private: bool = False
    seconds: float = 5.0
    largest: int = MIB
    ca_file: Path | None = None

    async def get(self, url: str, accept: str = "*/*", *, field: str = "url") -> Fetched:
        """What stands at `url` (status 200), or a Refusal that names `field`, what was received, and the cure."""
        raise NotImplementedError

    def get_now(self, url: str, accept: str = "*/*", *, field: str = "url") -> Fetched:
        """The same, for synchronous callers."""
        raise NotImplementedError
