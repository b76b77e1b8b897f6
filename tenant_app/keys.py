"""The process that gives gateways the data keys of organisations, in the words of Vault's key/value engine, version 2.

A gateway asks here for each object that it encrypts or decrypts for an organisation with a key of its own. It stands
beside the tenant app, so it works while the control plane is stopped; it never listens where browsers come. What the
control plane has destroyed is in no tenant record, and so is not found here: the files stay unreadable.
"""

import functools
import hmac
import re
from typing import Any
from uuid import UUID

import msgspec
from litestar.types import ASGIApp, Receive, Send

from kit import logs
from kit.errors import Unavailable
from kit.settings import KeysSettings
from tenant_app.contract import TenantRecord
from tenant_app.tenancy import Directory

PATH = re.compile(r"/v1/secret/data/(pv-([0-9a-f]{32})-[1-9][0-9]{0,8})")
TOKEN = b"x-vault-token"
HEALTH = frozenset({"/healthz", "/readyz"})
NOTHING: dict[str, Any] = {"errors": []}

log = logs.get("tenant_app.keys")


def data_key(directory: Directory, record: TenantRecord, name: str) -> str | None:
    """The key of this name in base64, as the record holds it for its cell; None where there is none."""
    sealed = record.store.get("data_keys_sealed", {}).get(name)
    return None if sealed is None else directory.cell.seals.open(sealed, f"data-key:{name}")


class Keys:
    """The whole process as an ASGI application."""

    def __init__(self, directory: Directory, tokens: frozenset[str]) -> None:
        self.directory = directory
        self.tokens = [token.encode() for token in tokens]

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            status, body = await self._answer(scope)
            content = msgspec.json.encode(body)
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(content)).encode()),
                (b"cache-control", b"no-store"),
            ]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": content, "more_body": False})

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        await self.directory.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.directory.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Any) -> tuple[int, dict[str, Any]]:
        if scope["path"] in HEALTH:
            return await self._health(scope["path"])
        # Ceph 16.2 says it twice.
        shown = {bytes(value) for name, value in scope["headers"] if name.lower() == TOKEN}
        # Each is compared, so that the time tells nothing.
        if len(shown) != 1 or not any([hmac.compare_digest(min(shown), token) for token in self.tokens]):  # noqa: C419
            log.warning("a stranger asked for a data key", path=scope["path"])
            return 403, {"errors": ["permission denied"]}
        found = PATH.fullmatch(scope["path"]) if scope["method"] == "GET" else None
        return self._key(found[1], UUID(found[2])) if found else (404, NOTHING)

    def _key(self, name: str, organisation_id: UUID) -> tuple[int, dict[str, Any]]:
        record = self.directory.record(organisation_id)
        try:
            key = None if record is None else data_key(self.directory, record, name)
        except Unavailable as error:
            log.error("a data key cannot be opened", name=name, error=str(error))  # noqa: TRY400 - no bug here
            return 503, NOTHING
        if key is None:
            log.warning("a data key is not there", name=name)
            return 404, NOTHING
        return 200, {"data": {"data": {"key": key}, "metadata": {"version": 1, "destroyed": False}}}

    async def _health(self, path: str) -> tuple[int, dict[str, Any]]:
        if path == "/readyz":
            try:
                await self.directory.check()
            except Unavailable as error:
                return 503, {"status": "away", "away": [error.code]}
        return 200, {"status": "ok"}


@functools.cache
def _app() -> ASGIApp:
    settings = KeysSettings.from_env()
    logs.configure(settings.cell.log_level, process="keys")
    return Keys(Directory(settings.cell.cell_file, kind="keys"), settings.tokens)


def __getattr__(name: str) -> Any:
    # The server asks for `tenant_app.keys:app`; only then are settings read, so that importing has no effect.
    if name == "app":
        return _app()
    raise AttributeError(name)
