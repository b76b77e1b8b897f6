"""The end of a session: asked of the provider, or told by it (back channel and front channel)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from kit.checking import Check
from kit.openid.client import Client
from kit.openid.keys import Keys
from kit.openid.provider import Provider


@dataclass(frozen=True)
class LogoutToken:
    """Whose sessions end: of `sid` if there is one, else all of `subject`. Refuse an `id` seen before until then."""

    subject: str | None
    sid: str | None
    id: str
    expires_at: datetime


def end_session(provider: Provider, client: Client, id_token: str | None, back_to: str) -> str | None:
    """Where to send a person who signs out, so that the provider signs him out too; None if it cannot."""
    raise NotImplementedError


async def check_logout_token(
    provider: Provider, keys: Keys, client: Client, token: str, *, now: datetime, trail: list[Check] | None = None
) -> LogoutToken:
    """Check what the provider posted to the back channel. Replay is the caller's to refuse: by `id`, until then."""
    raise NotImplementedError


def check_logout_token_now(
    provider: Provider, keys: Keys, client: Client, token: str, *, now: datetime, trail: list[Check] | None = None
) -> LogoutToken:
    """The same, for synchronous callers."""
    raise NotImplementedError


def check_front_channel(provider: Provider, query: Mapping[str, str]) -> str:
    """The `sid` whose session a provider's hidden frame ends; the sid proves it, for the frame carries no cookie."""
    raise NotImplementedError
