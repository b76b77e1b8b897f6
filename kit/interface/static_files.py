"""Serves what `assets` built: everything in memory, each file under its fingerprint and so cacheable for ever."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path

from litestar import asgi
from litestar.types import Receive, Scope, Send

BUILD = Path(__file__).parent / "build"
ENCODINGS = (("br", "br"), ("zstd", "zst"), ("gzip", "gz"))
COMMON = [
    (b"cache-control", b"public, max-age=31536000, immutable"),
    (b"vary", b"accept-encoding"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


@dataclass(frozen=True)
class Served:
    """One file with its packed forms, by the token of Accept-Encoding."""

    type: bytes
    body: bytes
    packed: dict[str, bytes]


@functools.cache
def manifest() -> dict[str, dict[str, str]]:
    """Name → file and type. Raises with the cure when nothing was built."""
    path = BUILD / "manifest.json"
    if not path.exists():
        msg = "the web assets are not built: run `python -m kit.interface.assets`"
        raise RuntimeError(msg)
    files: dict[str, dict[str, str]] = json.loads(path.read_text())["files"]
    return files


@functools.cache
def files() -> dict[str, Served]:
    """Every served file by its fingerprinted name."""
    return {
        entry["file"]: Served(
            entry["type"].encode(),
            (BUILD / entry["file"]).read_bytes(),
            {token: (BUILD / f"{entry['file']}.{suffix}").read_bytes() for token, suffix in ENCODINGS},
        )
        for entry in manifest().values()
    }


def asset(name: str) -> str:
    """The address of a file by its plain name: `asset("parvis.css")`."""
    return f"/static/{manifest()[name]['file']}"


def _chosen(served: Served, accepted: str) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    tokens = {part.split(";")[0].strip() for part in accepted.split(",") if not part.replace(" ", "").endswith(";q=0")}
    for token, _ in ENCODINGS:
        if token in tokens:
            return served.packed[token], [(b"content-encoding", token.encode())]
    return served.body, []


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes, *, head: bool) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": b"" if head else body, "more_body": False})


@asgi("/static", is_mount=True, copy_scope=False)
async def static_app(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - ASGI's shape
    """Mount it in every application: `/static/<name>.<fingerprint>.<ext>`."""
    head = scope.get("method") == "HEAD"
    served = files().get(scope["path"].rsplit("/", 1)[-1] or scope["path"].strip("/").rsplit("/", 1)[-1])
    if served is None:
        await _answer(send, 404, [(b"content-type", b"text/plain; charset=utf-8")], b"no such file\n", head=head)
        return
    accepted = next((value for key, value in scope["headers"] if key == b"accept-encoding"), b"").decode("latin-1")
    body, encoding = _chosen(served, accepted)
    await _answer(send, 200, [(b"content-type", served.type), *COMMON, *encoding], body, head=head)
