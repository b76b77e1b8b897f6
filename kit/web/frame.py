"""The frame around every request: its id, its client, its line in the log, and the headers that protect a browser."""

import re
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from litestar.connection import ASGIConnection
from litestar.types import ASGIApp, Message, Receive, Send

from kit import logs
from kit.ids import new_id

FRAME = "parvis"
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?|\[[0-9a-f:.]+\](:[0-9]{1,5})?")
QUIET = frozenset({"/healthz", "/readyz"})

log = logs.get("kit.web")


@cache
def content_policy(*, connect: str = "", form_action: str = "", frame_src: str = "") -> str:
    """The strict policy; arguments add sources. A form that ends on another host by redirect needs `form_action`."""
    directives = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": f"'self' {connect}",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "manifest-src": "'self'",
        "form-action": f"'self' {form_action}",
        "frame-src": frame_src or "'none'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    return "; ".join(f"{name} {value.strip()}" for name, value in directives.items())


def _protective() -> dict[bytes, bytes]:
    return {
        b"x-content-type-options": b"nosniff",
        # Not `no-referrer`: it would turn the Origin of our own forms into `null`.
        b"referrer-policy": b"same-origin",
        b"cross-origin-opener-policy": b"same-origin",
        b"cross-origin-resource-policy": b"same-origin",
        b"x-frame-options": b"DENY",
        b"permissions-policy": b"camera=(), microphone=(), geolocation=(), payment=(), usb=()",
        # Whoever signs out leaves nothing behind; what may be kept says so itself.
        b"cache-control": b"no-store",
    }


def _one_header(scope: Any, name: bytes) -> bytes:
    values = [value for key, value in scope["headers"] if key.lower() == name]
    return values[0] if len(values) == 1 else b""


class Frame:
    """Wraps a whole ASGI application.

    In: X-Request-ID is kept if well formed, or made. X-Forwarded-For and -Proto are believed only from `trusted_edges`.
    Out: X-Request-ID, and each protective header that the response does not set itself. `policy` tells the content
    policy of this moment.
    Around: one line in the log for each request, without its query.
    """

    def __init__(
        self, app: ASGIApp, *, trusted_edges: frozenset[str] = frozenset(), policy: Callable[[], str] | None = None
    ) -> None:
        self.app = app
        self.trusted_edges = trusted_edges
        self.policy = policy or content_policy
        self.headers = _protective()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self._describe(scope)
        framed = scope[FRAME]
        logs.unbind()
        logs.bind(request_id=framed["request_id"])
        started = time.perf_counter()
        answer = {"status": 0}

        async def finish(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer["status"] = message["status"]
                self._protect(scope, message, framed["request_id"])
            await send(message)

        try:
            await self.app(scope, receive, finish)
        finally:
            if scope["path"] not in QUIET:
                log.info(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    host=_one_header(scope, b"host").decode("latin-1"),
                    status=answer["status"],
                    milliseconds=round((time.perf_counter() - started) * 1000, 1),
                    client=framed["client_ip"],
                )

    def _describe(self, scope: Any) -> None:
        given = _one_header(scope, b"x-request-id")
        request_id = given.decode() if REQUEST_ID.fullmatch(given) else str(new_id())
        client = scope.get("client")
        ip = client[0] if client else ""
        if ip in self.trusted_edges:
            ip = self._forwarded(scope, ip)
            if _one_header(scope, b"x-forwarded-proto") == b"https":
                scope["scheme"] = "https"
        scope[FRAME] = {"request_id": request_id, "client_ip": ip}

    def _forwarded(self, scope: Any, ip: str) -> str:
        # From the right: the first one that is not ours is as far as we can believe.
        hops = _one_header(scope, b"x-forwarded-for").decode("latin-1").split(",")
        for hop in (item.strip() for item in reversed(hops)):
            if not hop:
                break
            ip = hop
            if hop not in self.trusted_edges:
                break
        return ip

    def _protect(self, scope: Any, message: Any, request_id: str) -> None:
        headers = list(message.get("headers", ()))
        present = {bytes(name).lower() for name, _ in headers}
        wanted = {b"content-security-policy": self.policy().encode(), **self.headers}
        headers += [(name, value) for name, value in wanted.items() if name not in present]
        if scope["scheme"] == "https":
            headers.append((b"strict-transport-security", b"max-age=31536000"))
        headers.append((b"x-request-id", request_id.encode()))
        message["headers"] = headers


Connection = ASGIConnection[Any, Any, Any, Any]


def request_id(request: Connection) -> str:
    """The id of this request, as it stands in the logs and in X-Request-ID; empty outside a Frame."""
    framed: Any = request.scope.get(FRAME) or {}
    return str(framed.get("request_id", ""))


def client_ip(request: Connection) -> str:
    """The client's address, as far as trusted edges vouch for it."""
    framed: Any = request.scope.get(FRAME)
    if framed:
        return str(framed["client_ip"])
    return request.client.host if request.client else ""


def host_of(scope: Any) -> str | None:
    """The one well-formed Host of a request, in lower case and with its port, or None."""
    value = _one_header(scope, b"host").decode("latin-1").lower()
    return value if HOST.fullmatch(value) else None
