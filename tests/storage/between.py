"""Something that stands between a client and a gateway and loses, breaks or delays what it is told to."""

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Fate = Literal["pass", "lose the call", "lose the answer", "unknown error", "hang"]


@dataclass
class Between:
    """`fate` is asked for each call by its number (from 0), method and path with query.

    `under_way` are the calls that the gateway has and has not answered, whether anybody waits for them or not.
    """

    behind: str
    endpoint: str = ""
    fate: Callable[[int, str, str], Fate] = lambda _number, _method, _path: "pass"
    calls: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    under_way: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def decide(self, method: str, path: str) -> Fate:
        with self._lock:
            number = len(self.calls)
            self.calls.append(f"{method} {path.partition('?')[0]}")
            return self.fate(number, method, path)

    @contextmanager
    def passing(self) -> Iterator[None]:
        """A call is at the gateway."""
        with self._lock:
            self.under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self.under_way -= 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    between: Between

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        fate = self.between.decide(self.command, self.path)
        if fate == "lose the call":
            self._hang_up()
        elif fate == "hang":
            self.between.released.wait(60)
            self._hang_up()
        elif fate == "unknown error":
            self._answer(500, {}, b'{"Code":"UnknownError","Message":""}')
        else:
            with self.between.passing():
                status, headers, content = self._ask(body)
            if fate == "lose the answer":
                self._hang_up()
            else:
                self._answer(status, headers, content)

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(self.between.behind)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        # The host is signed: it stays as the client said it.
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), content

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "connection", "date", "server", "transfer-encoding"}:
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _hang_up(self) -> None:
        self.close_connection = True
        # Whoever waited may have gone.
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_args: object) -> None:
        pass

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_OPTIONS = _pass_on  # noqa: N815 - http.server's names


@contextmanager
def standing_between(behind: str) -> Iterator[Between]:
    """A way to the gateway at `behind` with somebody in between."""
    between = Between(behind)
    handler = type("Handler", (_Handler,), {"between": between})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    between.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield between
    finally:
        between.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
