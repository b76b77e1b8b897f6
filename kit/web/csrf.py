"""Requests that another site made a browser send: refused by where they come from, and by a token of the session."""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litestar import Request

from kit.errors import Refusal
from kit.web.frame import host_of

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
HEADER = "x-csrf-token"
FIELD = "csrf"
NONCE = 9
SMALL_FORM = 1_000_000
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def _foreign() -> Refusal:
    return Refusal(
        "foreign_origin",
        "This request came from another site, so nothing was done. Open the page and try again.",
        status=403,
    )


def _stale() -> Refusal:
    return Refusal(
        "stale_page", "This page is too old to be sent. Reload it and try again; nothing was done.", status=403
    )


def same_origin(request: Request[Any, Any, Any]) -> bool:
    """Whether a request comes from a page of its own host, scheme and port, or from no browser at all."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in {"same-origin", "none"}:
        return False
    origin = request.headers.get("origin")
    if origin is None:
        return True
    host = host_of(request.scope)
    return host is not None and origin.lower() == f"{request.scope['scheme']}://{host}"


@dataclass(frozen=True)
class Csrf:
    """Guards every write that a session's cookie authorises; pass `check` to Litestar as `before_request`.

    `session_of` gives the session's secret, or None where nobody is signed in (then only the origin counts, since there
    is no authority to borrow). A page carries `token(request)` in a field `csrf`, scripts in X-CSRF-Token.
    Pages made under one of the `older` keys are still accepted: a key that rotates spoils nobody's form.
    """

    key: bytes
    session_of: Callable[[Request[Any, Any, Any]], str | None]
    older: tuple[bytes, ...] = ()

    def _sign(self, nonce: bytes, session: str, key: bytes) -> bytes:
        return hmac.new(key, b"csrf\0" + nonce + session.encode(), hashlib.sha256).digest()

    def token(self, request: Request[Any, Any, Any]) -> str:
        """A token bound to this session; each call gives another, so that compression tells nothing."""
        session = self.session_of(request)
        if session is None:
            return ""
        nonce = os.urandom(NONCE)
        return base64.urlsafe_b64encode(nonce + self._sign(nonce, session, self.key)).decode()

    def matches(self, token: str, session: str) -> bool:
        """Whether `token` was made for this session."""
        try:
            raw = base64.urlsafe_b64decode(token.encode())
        except (ValueError, binascii.Error):
            return False
        signatures = [self._sign(raw[:NONCE], session, key) for key in (self.key, *self.older)]
        return any(hmac.compare_digest(raw[NONCE:], one) for one in signatures)

    async def check(self, request: Request[Any, Any, Any]) -> None:
        """Refuse a write from another site, or without this session's token."""
        if request.method in SAFE:
            return
        if not same_origin(request):
            raise _foreign()
        session = self.session_of(request)
        if session is not None and not self.matches(await _given(request), session):
            raise _stale()


async def _given(request: Request[Any, Any, Any]) -> str:
    token = request.headers.get(HEADER)
    if token is not None:
        return token
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    length = request.headers.get("content-length", "")
    # A large upload brings its token in the header: it is not read into memory to look for a field.
    if kind in FORMS and length.isdigit() and int(length) <= SMALL_FORM:
        return str((await request.form()).get(FIELD, ""))
    return ""
