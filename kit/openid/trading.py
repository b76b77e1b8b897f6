"""The code for tokens: the one call in which our secret travels."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import quote_plus

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from kit.fetching import Fetcher
from kit.openid.checks import Checks, kind_of
from kit.openid.client import Client
from kit.openid.provider import Provider

HEADERS = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded", "user-agent": "Parvis"}
NOT_US = frozenset({"invalid_client", "unauthorized_client"})
FIELD = "connection"


@dataclass(frozen=True)
class Tokens:
    """What the code was worth."""

    access_token: str = field(repr=False)
    id_token: str = field(repr=False)


@dataclass
class _Status:
    """The status of the answer, which Authlib does not look at."""

    code: int = 0

    def note(self, response: httpx2.Response) -> httpx2.Response:
        self.code = response.status_code
        return response


def _basic(client: Any, _method: str, uri: str, headers: Any, body: Any) -> tuple[str, Any, Any]:
    # Encoded as RFC 6749 (2.3.1) wants it; Authlib sends signs such as + and % as they are.
    pair = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret or '')}"
    headers["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    return uri, headers, body


async def trade(
    fetcher: Fetcher, provider: Provider, client: Client, proof: Mapping[str, str], checks: Checks
) -> Tokens:
    """The tokens for a code; the `proof` holds it, and what shows that we began this sign-in (PKCE)."""
    status = _Status()
    try:
        given = await _ask(fetcher, provider.token_endpoint, client, proof, status)
    except OAuthError as error:
        _refuse(error, client, checks)
    except (httpx2.HTTPStatusError, ValueError, TypeError, OverflowError, RecursionError):
        checks.refuse("token_answer", f"status {status.code}", "JSON with tokens")
    checks.need("token_answer", status.code == 200, f"status {status.code}", "status 200")
    kind, access, identity = given.get("token_type"), given.get("access_token"), given.get("id_token")
    checks.need("token_type", isinstance(kind, str) and kind.lower() == "bearer", kind, "Bearer")
    if not isinstance(access, str) or not access.isascii() or not access.isprintable() or not access:
        checks.refuse("token_answer", f"access_token: {kind_of(access)}", "an access_token")
    if not isinstance(identity, str) or not identity:
        checks.refuse("id_token", kind_of(identity), "openid")
    checks.need("id_token", ok=True)
    return Tokens(access, identity)


async def _ask(fetcher: Fetcher, url: str, client: Client, proof: Mapping[str, str], status: _Status) -> dict[str, Any]:
    async with (
        fetcher.bounded(url, FIELD),
        AsyncOAuth2Client(
            client.client_id,
            client.client_secret,
            token_endpoint_auth_method=client.auth_method,
            redirect_uri=client.redirect_uri,
            transport=fetcher.transport(FIELD),
            timeout=fetcher.seconds,
            trust_env=False,
        ) as asking,
    ):
        asking.register_client_auth_method(("client_secret_basic", _basic))
        asking.register_compliance_hook("access_token_response", status.note)
        given = await asking.fetch_token(url, grant_type="authorization_code", headers=dict(HEADERS), **proof)
    return dict(given)


def _refuse(error: OAuthError, client: Client, checks: Checks) -> NoReturn:
    # Not every provider says what kind of error it is in a word.
    kind, said = str(error.error), f"{error.error}: {error.description or ''}".rstrip(": ")
    if kind in NOT_US:
        checks.refuse("client", said)
    if kind == "invalid_grant":
        checks.refuse("code_refused", said, client.redirect_uri)
    checks.refuse("token_refused", said)
