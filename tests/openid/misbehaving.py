"""How a provider's server misbehaves: changed documents, answers without end, silence, nonsense."""

import time
from collections.abc import Callable
from typing import Any

from tests.openid.op import Handler, Scene

Change = Callable[[Scene], object]
Cases = dict[str, tuple[str, Change]]

DISCOVERY_AT = ".well-known/openid-configuration"
MIB = 1024 * 1024
DEEP = b"[" * 100_000 + b"]" * 100_000
HOUR = 3600


def said(**values: Any) -> Change:
    return lambda scene: scene.discovery.update(values)


def unsaid(name: str) -> Change:
    return lambda scene: scene.discovery.pop(name)


def raw(place: str, answer: Any) -> Change:
    return lambda scene: scene.raw.update({place: answer})


def body(place: str, content: bytes, status: int = 200, **headers: str) -> Change:
    return raw(place, (status, {name.replace("_", "-"): value for name, value in headers.items()}, content))


def huge(handler: Handler) -> None:
    """Without end, in pieces, and without saying how long."""
    handler.send_response(200)
    handler.send_header("transfer-encoding", "chunked")
    handler.end_headers()
    for _ in range(64):
        handler.wfile.write(b"10000\r\n" + b" " * 65536 + b"\r\n")


def drip(handler: Handler) -> None:
    """A byte now and then: each read is fast, the whole never ends. Whoever has enough hangs up."""
    handler.send_response(200)
    handler.send_header("content-length", "100000")
    handler.end_headers()
    while True:
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def silence(handler: Handler) -> None:
    """Nothing, until whoever asked hangs up."""
    handler.rfile.read(1)


def hang_up(handler: Handler) -> None:
    handler.connection.close()


def nonsense(handler: Handler) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


def endless_head(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"x-more: " + b"a" * 300_000 + b"\r\n\r\n")


def cut(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b"{")
    handler.connection.close()


def keys(*given: Any) -> Change:
    return lambda scene: setattr(scene, "keys", list(given))
