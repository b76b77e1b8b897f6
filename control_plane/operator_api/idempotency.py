"""A request with an Idempotency-Key is done once: its answer is kept in the transaction of its effect."""

import contextlib
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response
from sqlalchemy import CursorResult, delete, func, select
from sqlalchemy.orm import Session

from control_plane.operator_api.models import IdempotencyKey
from kit.errors import Refusal
from kit.vault import Vault

KEPT = timedelta(hours=48)
KEY = re.compile(r"[\x21-\x7e]{1,200}")
PURPOSE = "idempotency"
STORED_HEADERS = ("location", "etag")


@dataclass(frozen=True)
class Once:
    """Does what a request asks for once per key and token; without a key, each time it comes."""

    session: Session
    vault: Vault
    token_id: UUID
    key: str | None
    fingerprint: bytes

    def answer(self, make: Callable[[], Response[Any]]) -> Response[Any]:
        """The answer of `make`, or the one that the same request got before, marked as replayed.

        Refusals are not kept: they changed nothing, so that asking again with the same key asks anew.
        """
        if self.key is None:
            return make()
        self._hold()
        stored = self.session.get(IdempotencyKey, (self.token_id, self.key))
        if stored is not None:
            return self._replay(stored)
        response = make()
        self._store(response)
        return response

    def _hold(self) -> None:
        # A lock of the transaction: a crash frees it together with the effect it guarded.
        name = func.hashtextextended(f"{PURPOSE}/{self.token_id}/{self.key}", 0)
        if not self.session.scalar(select(func.pg_try_advisory_xact_lock(name))):
            raise Refusal(
                "idempotency_key_in_use",
                "A request with this Idempotency-Key is being answered; ask again in a moment.",
                status=409,
            )

    def _replay(self, stored: IdempotencyKey) -> Response[Any]:
        if stored.fingerprint != self.fingerprint:
            raise Refusal(
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request; choose a new key.",
                status=422,
            )
        body = self.vault.open((stored.body or b"").decode(), PURPOSE)
        return Response(
            content=body.encode(),
            media_type="application/json",
            status_code=stored.status,
            headers={**(stored.headers or {}), "Idempotency-Replayed": "true"},
        )

    def _store(self, response: Response[Any]) -> None:
        # Sealed: an answer may hold a token's secret or an administrator's address.
        body = self.vault.seal(msgspec.json.encode(response.content).decode(), PURPOSE)
        headers = {name: value for name, value in response.headers.items() if name.lower() in STORED_HEADERS}
        self.session.add(
            IdempotencyKey(
                token_id=self.token_id,
                key=self.key or "",
                fingerprint=self.fingerprint,
                status=response.status_code,
                headers=headers,
                body=body.encode(),
            )
        )


def checked_key(given: str | None) -> str | None:
    """The key as sent: 1 to 200 visible ASCII characters."""
    if given is not None and not KEY.fullmatch(given):
        raise Refusal(
            "idempotency_key_malformed",
            "An Idempotency-Key is 1 to 200 visible ASCII characters, such as a UUID.",
            status=400,
            field="Idempotency-Key",
        )
    return given


def fingerprint(method: str, path: str, query: str, body: bytes) -> bytes:
    """What makes two requests the same: the order of a body's fields does not count."""
    # A malformed body will be refused; until then it is what it is.
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        body = msgspec.json.encode(msgspec.json.decode(body), order="sorted")
    return hashlib.sha256(b"\0".join((method.encode(), path.encode(), query.encode(), body))).digest()


def purge_answers(session: Session) -> int:
    """Forget answers older than 48 hours; says how many. For the sweep."""
    result = session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < func.now() - KEPT))
    return result.rowcount if isinstance(result, CursorResult) else 0
