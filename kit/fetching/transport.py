"""The transport under every fetch: it looks a name up once, judges the addresses, and connects to those very ones."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from ssl import SSLContext

import httpx2

from kit.fetching import refusals
from kit.fetching.addresses import Address, is_never, is_public, parsed

LookUp = Callable[[str, int], Awaitable[Sequence[str]]]
# A name with several addresses, one of which leads nowhere, still answers in time.
CONNECT_SECONDS = 1.5
MOST_ADDRESSES = 4


@dataclass(frozen=True)
class Bounds:
    """What a fetch may do."""

    allow_private: bool
    largest: int
    look_up: LookUp


class Measured(httpx2.AsyncByteStream):
    """A body that ends in a refusal when it grows too large."""

    def __init__(self, inner: httpx2.AsyncByteStream, largest: int, refusal: Exception) -> None:
        self._inner, self._left, self._refusal = inner, largest, refusal

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            self._left -= len(chunk)
            if self._left < 0:
                raise self._refusal
            yield chunk

    async def aclose(self) -> None:
        """Hang up."""
        await self._inner.aclose()


class PinnedTransport(httpx2.AsyncBaseTransport):
    """One call's connections; `field` names the input that the address came from."""

    def __init__(self, bounds: Bounds, trust: SSLContext, field: str) -> None:
        self._bounds, self._field = bounds, field
        self._inner = httpx2.AsyncHTTPTransport(verify=trust, trust_env=False)

    async def aclose(self) -> None:
        """End the connections."""
        await self._inner.aclose()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it to a judged address, and judge the answer's head."""
        host = request.url.host
        self._judge_url(request.url)
        request.headers["accept-encoding"] = "identity"
        addresses = await self._addresses(host, request.url.port or (443 if request.url.scheme == "https" else 80))
        return self._judged(host, await self._send(request, host, addresses))

    def _judge_url(self, url: httpx2.URL) -> None:
        if not url.host or url.userinfo or url.scheme not in {"http", "https"}:
            raise refusals.malformed(str(url), self._field)
        if url.scheme != "https" and not self._bounds.allow_private:
            raise refusals.not_https(str(url), self._field)

    async def _addresses(self, host: str, port: int) -> list[Address]:
        try:
            found = [parsed(text) for text in await self._bounds.look_up(host, port)]
        except (socket.gaierror, UnicodeError) as error:
            reason = error.strerror if isinstance(error, socket.gaierror) else str(error)
            raise refusals.unreachable(host, reason or "no such name", self._field) from error
        if not found:
            raise refusals.unreachable(host, "no such name", self._field)
        # One private address among public ones is an attack or a mistake: both are refused.
        for address in found:
            if is_never(address) or not (self._bounds.allow_private or is_public(address)):
                raise refusals.private(host, address, self._field)
        return found[:MOST_ADDRESSES]

    async def _send(self, request: httpx2.Request, host: str, addresses: list[Address]) -> httpx2.Response:
        failure: httpx2.RequestError | None = None
        for address in addresses:
            try:
                return await self._inner.handle_async_request(self._pinned(request, host, address, len(addresses)))
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                # Nothing was sent yet, so that the next address may be asked even by a POST.
                failure = error
        assert failure is not None
        raise failure

    @staticmethod
    def _pinned(request: httpx2.Request, host: str, address: Address, choices: int) -> httpx2.Request:
        extensions = {**request.extensions, "sni_hostname": host}
        if choices > 1:
            extensions["timeout"] = {**request.extensions.get("timeout", {}), "connect": CONNECT_SECONDS}
        return httpx2.Request(
            request.method,
            request.url.copy_with(host=str(address)),
            headers=request.headers,
            stream=request.stream,
            extensions=extensions,
        )

    def _judged(self, host: str, response: httpx2.Response) -> httpx2.Response:
        if "location" in response.headers and 300 <= response.status_code < 400:
            raise refusals.redirected(host, response.headers["location"], self._field)
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        if coding not in {"", "identity"}:
            raise refusals.compressed(host, coding, self._field)
        too_large = refusals.too_large(host, self._bounds.largest, self._field)
        declared = response.headers.get("content-length", "")
        if declared.isascii() and declared.isdigit() and (len(declared) > 15 or int(declared) > self._bounds.largest):
            raise too_large
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = Measured(response.stream, self._bounds.largest, too_large)
        return response
