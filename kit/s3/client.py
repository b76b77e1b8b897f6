"""Calls to a gateway, asynchronous: bounded in time, tried again where that is harmless, with errors that say whose."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from kit.errors import Unavailable
from kit.s3.dialect import failure
from kit.s3.signing import Signer

CONNECT_SECONDS = 3.0
# A gateway whose disks are away neither answers nor hangs up.
ANSWER_SECONDS = 10.0
TRIES = 3
PAUSE = 0.15
READ = 1024 * 1024
TRY_AGAIN = frozenset({500, 502, 503, 504})
GONE = "store_unavailable"


@dataclass(frozen=True)
class Answer:
    """A whole answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Client:
    """Connections to one gateway, shared by all its buckets. Opened inside the event loop that uses it."""

    endpoint: str
    public_endpoint: str
    region: str = "default"
    ca_file: Path | None = None
    answer_seconds: float = ANSWER_SECONDS
    _session: aiohttp.ClientSession | None = field(default=None, repr=False)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Client":
        """The gateway that a cell file's `store` names."""
        ca_file = settings.get("ca_file")
        return cls(
            endpoint=settings["endpoint"],
            public_endpoint=settings.get("public_endpoint") or settings["endpoint"],
            region=settings.get("region", "default"),
            ca_file=Path(ca_file) if ca_file else None,
        )

    def signer(self, key_id: str, secret: str) -> Signer:
        """Signs by this key for this gateway."""
        return Signer(self.endpoint, key_id, secret, self.region)

    async def close(self) -> None:
        """End all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            trust = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else True
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=trust, limit=256, keepalive_timeout=20),
                timeout=aiohttp.ClientTimeout(connect=CONNECT_SECONDS, sock_read=self.answer_seconds),
                auto_decompress=False,
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=READ,
            )
        return self._session

    async def ask(
        self,
        signer: Signer,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        body: bytes = b"",
        payload: str | None = None,
        again: bool = True,
    ) -> Answer:
        """One call and its whole answer. A refusal is raised as `Failure`, a gateway that is away as `Unavailable`.

        `again` allows to repeat it after an error of the gateway or of the connection.
        """
        tries = TRIES if again else 1
        for left in reversed(range(tries)):
            # Signed anew each time: a signature is good for a while only.
            url, signed = signer.call(method, path, params, headers, payload=payload)
            try:
                answer = await self._once(method, url, signed, body)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if not left or isinstance(error, TimeoutError):
                    raise Unavailable(GONE, f"{method} {path}: {type(error).__name__} {error}".strip()) from error
            else:
                if answer.status < 300:
                    return answer
                said = failure(answer.status, answer.body)
                if answer.status not in TRY_AGAIN:
                    raise said
                if not left:
                    raise Unavailable(GONE, f"{method} {path}: {said}")
            await asyncio.sleep(PAUSE)
        raise AssertionError(tries)

    async def _once(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        async with self._opened().request(
            method, URL(url, encoded=True), headers=headers, data=body or None, allow_redirects=False
        ) as response:
            content = await response.read()
            return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, content)

    @asynccontextmanager
    async def stream(
        self, signer: Signer, path: str, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes of an object as they come."""
        url, signed = signer.call("GET", path, None, headers)
        try:
            async with self._opened().get(URL(url, encoded=True), headers=signed, allow_redirects=False) as response:
                if response.status >= 300:
                    raise failure(response.status, await response.read())
                yield response.content.iter_chunked(READ)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(GONE, f"GET {path}: {type(error).__name__} {error}".strip()) from error
