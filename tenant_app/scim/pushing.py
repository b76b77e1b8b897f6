"""Who pushes, into which workspace: a request's directory, known by its token, and its open transaction."""

import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from kit.errors import Refusal, Unavailable
from kit.web import client_ip, host_of
from tenant_app.accounts import AnyRequest, lock_seats
from tenant_app.contract import ScimToken, SignInConnection
from tenant_app.scim.schema import BASE
from tenant_app.tenancy import Connection, TenantRecord, pool, tenant

AnyConnection = ASGIConnection[Any, Any, Any, Any]
SCOPE_KEY = "parvis.directory"

# A directory's first cycle pushes everybody as fast as it is answered; a script that runs wild is held up.
BUCKET = 2000.0
A_SECOND = 500.0
GUESSES = 30.0
GUESSES_A_SECOND = 0.5
MOST_BUCKETS = 10_000
# What this release asks of a slot that waits for its upgrade.
OLDER = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)


class Buckets:
    """Tokens of permission by name, in this process's memory: see docs/decisions/0012."""

    def __init__(self, size: float, a_second: float) -> None:
        self.size = size
        self.a_second = a_second
        self._held: dict[str, tuple[float, float]] = {}

    def take(self, name: str, amount: float = 1.0) -> float:
        """Take some; the seconds to wait if there are not enough, else 0."""
        now = time.monotonic()
        left, at = self._held.pop(name, (self.size, now))
        left = min(self.size, left + (now - at) * self.a_second)
        enough = left >= amount
        self._held[name] = (left - amount if enough else left, now)
        if len(self._held) > MOST_BUCKETS:
            del self._held[next(iter(self._held))]
        return 0.0 if enough else (amount - left) / self.a_second


requests = Buckets(BUCKET, A_SECOND)
guesses = Buckets(GUESSES, GUESSES_A_SECOND)


def too_many(seconds: float) -> Refusal:
    """Slower."""
    wait = max(1, round(seconds + 0.5))
    return Refusal("scim_too_many", "Too many requests: go on in {retry_after} seconds.", status=429, retry_after=wait)


def spend(token: ScimToken, amount: float = 1.0) -> None:
    """Count requests of this token."""
    wait = requests.take(str(token.id), amount)
    if wait:
        raise too_many(wait)


def _sent_secret(connection: AnyConnection) -> str:
    scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def token_of(record: TenantRecord, secret: str) -> ScimToken | None:
    """The living token of this workspace that the secret is. Every one is compared, each in constant time."""
    digest = hashlib.sha256(secret.encode()).hexdigest().encode()
    now, found = datetime.now(UTC), None
    for token in record.identity.scim_tokens:
        same = hmac.compare_digest(digest, token.sha256.encode())
        if same and (token.expires_at is None or token.expires_at > now):
            found = token
    return found if secret else None


async def directory(connection: AnyConnection, _handler: BaseRouteHandler) -> None:
    """Litestar guard: whoever has a SCIM token of this very workspace."""
    record = tenant(connection)
    token = token_of(record, _sent_secret(connection))
    if token is None:
        wait = guesses.take(f"{record.organisation_id} {client_ip(connection)}")
        if wait:
            raise too_many(wait)
        raise Refusal(
            "scim_token_invalid",
            "This token is unknown here, was revoked or has expired. Make a new one in the organisation's console.",
            status=401,
        )
    spend(token)
    scope: Any = connection.scope
    scope[SCOPE_KEY] = token


def token_here(request: AnyRequest) -> ScimToken:
    """The token that the guard let in."""
    scope: Any = request.scope
    token: ScimToken = scope[SCOPE_KEY]
    return token


@dataclass(frozen=True)
class Push:
    """An open transaction as this tenant's role, and the directory that pushes. It commits when all is done."""

    record: TenantRecord
    token: ScimToken
    connection: SignInConnection | None
    base: str
    conn: Connection


def base_of(request: AnyRequest) -> str:
    """The address of this workspace's SCIM."""
    return f"{request.scope['scheme']}://{host_of(request.scope) or ''}{BASE}"


@asynccontextmanager
async def pushing(request: AnyRequest, *, writes: bool) -> AsyncIterator[Push]:
    """The transaction of a request. Whoever writes does so one after the other, under the lock of the seats.

    A slot that waits for its upgrade is `Unavailable`: the directory comes again, and finds it upgraded (decision 34).
    """
    record = tenant(request)
    token = token_here(request)
    connections = (one for one in record.identity.connections if one.id == token.connection_id)
    try:
        # Taking access away goes on in a read-only workspace; giving it is refused where it happens.
        async with pool(request).transaction(record, read_only=not writes) as conn:
            if writes:
                await lock_seats(conn)
            yield Push(record, token, next(connections, None), base_of(request), conn)
    except OLDER as error:
        raise Unavailable("slot_outdated", str(error)) from error
