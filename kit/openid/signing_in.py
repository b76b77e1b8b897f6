"""The way back from the provider: each check by name, each failure a refusal with what was received and its cure."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kit.checking import Check
from kit.errors import Refusal
from kit.fetching import Fetcher, run_now
from kit.openid.checks import Checks, kind_of
from kit.openid.client import Begun, Client
from kit.openid.keys import Keys
from kit.openid.provider import Provider
from kit.openid.tokens import (
    LONGEST_NAME,
    SKEW_SECONDS,
    Token,
    half_hash,
    is_name,
    is_time,
    judge_claims,
    read_token,
    same,
    text_of_time,
)
from kit.openid.trading import Tokens, trade

LONGEST_CODE = 4096
KINDS = ("jwt",)


@dataclass(frozen=True)
class Claims:
    """Who signed in. `values` holds all claims; keep `id_token` for the end of the session, and `sid` to end it."""

    subject: str
    issuer: str
    values: Mapping[str, Any] = field(repr=False)
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
    checks = Checks(trail)
    code = _code_of(provider, begun, query, checks)
    proof = {"code": code, "code_verifier": begun.verifier}
    try:
        tokens = await trade(fetcher, provider, client, proof, checks)
    except Refusal as refused:
        checks.failed(refused)
        raise
    token = await read_token(tokens.id_token, provider, keys, KINDS, checks)
    judge_claims(token.claims, provider, client, now, checks)
    _judge_sign_in(token, tokens, begun, code, checks)
    values = token.claims
    if provider.userinfo_endpoint and any(values.get(name) is None for name in wanted):
        values = {**await _userinfo(fetcher, provider.userinfo_endpoint, tokens, values["sub"], checks), **values}
    sid = values.get("sid")
    return Claims(values["sub"], provider.issuer, values, tokens.id_token, sid if is_name(sid) else None)


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
    work = finish(fetcher, provider, keys, client, begun, query=query, now=now, trail=trail, wanted=wanted)
    return run_now(work)


def _code_of(provider: Provider, begun: Begun, query: Mapping[str, str], checks: Checks) -> str:
    """The code that the browser brought. Before the state is known to be ours, nothing else of it is believed."""
    checks.need("state", same(query.get("state"), begun.state))
    issuer = query.get("iss")
    if issuer is not None:
        checks.need("response_issuer", issuer == provider.issuer, issuer, provider.issuer)
    else:
        checks.need("response_issuer_missing", not provider.names_itself, "", "iss")
    error = query.get("error")
    if error is not None:
        said = f"{error}: {query.get('error_description', '')}".rstrip(": ")
        checks.refuse("denied" if error == "access_denied" else "answer_error", said)
    code = query.get("code", "")
    checks.need("code", 0 < len(code) <= LONGEST_CODE and code.isprintable(), f"{len(code)} letters")
    return code


def _judge_sign_in(token: Token, tokens: Tokens, begun: Begun, code: str, checks: Checks) -> None:
    """What only an ID token has."""
    claims, algorithm = token.claims, token.header["alg"]
    checks.need("subject", is_name(claims.get("sub")), kind_of(claims.get("sub")), LONGEST_NAME)
    nonce = claims.get("nonce")
    checks.need("nonce", same(nonce, begun.nonce), "it is missing" if nonce is None else "another one came")
    for name, value in (("at_hash", tokens.access_token), ("c_hash", code)):
        if claims.get(name) is not None:
            checks.need(name, same(claims[name], half_hash(value, algorithm)))
    _judge_last_sign_in(claims.get("auth_time"), begun, checks)


def _judge_last_sign_in(at: Any, begun: Begun, checks: Checks) -> None:
    if begun.max_age is None:
        return
    earliest = begun.asked_at - begun.max_age - SKEW_SECONDS
    seen = text_of_time(at) if is_time(at) else kind_of(at)
    checks.need("auth_time", is_time(at) and at >= earliest, seen, text_of_time(earliest))


async def _userinfo(fetcher: Fetcher, url: str, tokens: Tokens, subject: str, checks: Checks) -> dict[str, Any]:
    try:
        fetched = await fetcher.get_as(url, tokens.access_token, field="issuer")
    except Refusal as refused:
        checks.failed(refused)
        raise
    try:
        values = json.loads(fetched.body)
    except (ValueError, RecursionError):
        checks.refuse("userinfo", "no JSON", "JSON")
    if not isinstance(values, dict):
        checks.refuse("userinfo", kind_of(values), "an object")
    checks.need("userinfo_subject", same(values.get("sub"), subject), values.get("sub"), subject)
    return values
