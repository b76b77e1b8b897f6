"""An application's back channel: where a provider tells of the sessions that ended."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs


class Posted(BaseHTTPRequestHandler):
    """Where the provider tells of ended sessions."""

    tokens: list[str]

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        self.tokens.append(form["logout_token"][0])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@contextmanager
def back_channel() -> Iterator[tuple[str, list[str]]]:
    """Its address, and the logout tokens that came."""
    tokens: list[str] = []
    server = HTTPServer(("127.0.0.1", 0), type("PostedHere", (Posted,), {"tokens": tokens}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/logout", tokens
    server.shutdown()
    server.server_close()
    thread.join(60)
