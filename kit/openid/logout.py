"""The end of a session: asked of the provider, or told by it (back channel and front channel)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from authlib.common.urls import add_params_to_uri

from kit.checking import Check
from kit.fetching import run_now
from kit.openid.checks import Checks, kind_of
from kit.openid.client import Client
from kit.openid.keys import Keys
from kit.openid.provider import Provider
from kit.openid.tokens import LAST_SECOND, SKEW_SECONDS, is_name, judge_claims, read_token

EVENT = "http://schemas.openid.net/event/backchannel-logout"
KINDS = ("logout+jwt", "jwt")


@dataclass(frozen=True)
class LogoutToken:
    """Whose sessions end: of `sid` if there is one, else all of `subject`. Refuse an `id` seen before until then."""

    subject: str | None
    sid: str | None
    id: str
    expires_at: datetime


def end_session(provider: Provider, client: Client, id_token: str | None, back_to: str) -> str | None:
    """Where to send a person who signs out, so that the provider signs him out too; None if it cannot."""
    if provider.end_session_endpoint is None:
        return None
    params = [("client_id", client.client_id), ("post_logout_redirect_uri", back_to)]
    if id_token is not None:
        params.append(("id_token_hint", id_token))
    return str(add_params_to_uri(provider.end_session_endpoint, params))


async def check_logout_token(
    provider: Provider, keys: Keys, client: Client, token: str, *, now: datetime, trail: list[Check] | None = None
) -> LogoutToken:
    """Check what the provider posted to the back channel. Replay is the caller's to refuse: by `id`, until then."""
    checks = Checks(trail)
    claims = (await read_token(token, provider, keys, KINDS, checks)).claims
    judge_claims(claims, provider, client, now, checks)
    events = claims.get("events")
    meant = isinstance(events, dict) and isinstance(events.get(EVENT), dict)
    checks.need("logout_events", meant, ", ".join(events) if isinstance(events, dict) else kind_of(events), EVENT)
    checks.need("logout_nonce", "nonce" not in claims)
    checks.need("logout_id", is_name(claims.get("jti")), kind_of(claims.get("jti")))
    subject, sid = claims.get("sub"), claims.get("sid")
    named = [one for one in (subject, sid) if one is not None]
    checks.need("logout_whom", bool(named) and all(map(is_name, named)))
    expires = min(claims["exp"] + SKEW_SECONDS, LAST_SECOND)
    return LogoutToken(subject, sid, claims["jti"], datetime.fromtimestamp(expires, UTC))


def check_logout_token_now(
    provider: Provider, keys: Keys, client: Client, token: str, *, now: datetime, trail: list[Check] | None = None
) -> LogoutToken:
    """The same, for synchronous callers."""
    return run_now(check_logout_token(provider, keys, client, token, now=now, trail=trail))


def check_front_channel(provider: Provider, query: Mapping[str, str]) -> str:
    """The `sid` whose session a provider's hidden frame ends; the sid proves it, for the frame carries no cookie."""
    checks = Checks()
    checks.need("logout_issuer", query.get("iss") == provider.issuer, query.get("iss"), provider.issuer)
    checks.need("logout_session", is_name(query.get("sid")))
    return query["sid"]
