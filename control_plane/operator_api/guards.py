"""Who asks, and may they: a bearer token is checked before the body is read, then each handler's one scope."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from anyio import to_thread
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from sqlalchemy import Engine

from control_plane import identity
from control_plane.identity import ApiToken, Scope
from control_plane.operator_api.limits import Buckets, too_many
from kit.db import transaction
from kit.errors import Refusal
from kit.web import client_ip

Connection = ASGIConnection[Any, Any, Any, Any]


@dataclass(frozen=True)
class TokenWanted:
    """Lets in whoever has a token that is known, alive, and used from where it may be."""

    buckets: Buckets

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Litestar's guard: puts the token into `request.auth`."""
        if handler.opt.get("public"):
            return
        kind, _, plaintext = connection.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not plaintext.strip():
            raise Refusal(
                "token_missing", "Send a token: Authorization: Bearer pv_….", status=401, field="Authorization"
            )
        engine: Engine = connection.app.state.engine
        authenticate = partial(_authenticate, engine, plaintext.strip(), client_ip(connection))
        token = await to_thread.run_sync(authenticate)
        connection.scope["auth"] = token
        allowance = self.buckets.take(token.id)
        connection.scope["state"]["allowance"] = allowance
        if allowance.wait:
            raise too_many(allowance)


def _authenticate(engine: Engine, plaintext: str, ip: str) -> ApiToken:
    with transaction(engine) as session:
        found = identity.authenticate_token(session, plaintext, ip)
        identity.require_answered(session, found)
        return found


@dataclass(frozen=True)
class Requires:
    """Lets in a token that has this scope; says which one lacks otherwise."""

    scope: Scope

    async def __call__(self, connection: Connection, _handler: BaseRouteHandler) -> None:
        """Litestar's guard."""
        if self.scope not in connection.auth.scopes:
            raise Refusal(
                "scope_missing",
                "This token lacks the scope {scope}; make one that has it.",
                status=403,
                scope=self.scope.value,
            )


def requires(scope: Scope) -> Requires:
    """The one scope of a handler."""
    return Requires(scope)
