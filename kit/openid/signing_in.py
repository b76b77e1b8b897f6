"""The way back from the provider: each check by name, each failure a refusal with what was received and its cure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kit.checking import Check
from kit.fetching import Fetcher
from kit.openid.client import Begun, Client
from kit.openid.keys import Keys
from kit.openid.provider import Provider


@dataclass(frozen=True)
class Claims:
    """Who signed in. `values` holds all claims; keep `id_token` for the end of the session, and `sid` to end it."""

    subject: str
    issuer: str
    values: Mapping[str, Any]
    id_token: str = field(repr=False)
    sid: str | None = None


async def finish(
    fetcher: Fetcher,
    provider: Provider,
    keys: Keys,
    client: Client,
    begun: Begun,
    *,
    query: Mapping[str, str],
    now: datetime,
    trail: list[Check] | None = None,
    wanted: Collection[str] = ("email",),
) -> Claims:
    """Check the answer, trade its code for an ID token, check that.

    Userinfo is asked only when the token lacks one of the `wanted` claims. `trail` receives each check made.
    """
    raise NotImplementedError


def finish_now(
    fetcher: Fetcher,
    provider: Provider,
    keys: Keys,
    client: Client,
    begun: Begun,
    *,
    query: Mapping[str, str],
    now: datetime,
    trail: list[Check] | None = None,
    wanted: Collection[str] = ("email",),
) -> Claims:
    """The same, for synchronous callers."""
    raise NotImplementedError
