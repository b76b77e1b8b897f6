"""Our side: who we are at the provider, and the address that sends a person there."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from authlib.oauth2.client import OAuth2Client

from kit.openid.checks import Checks
from kit.openid.provider import Provider

AuthMethod = Literal["client_secret_basic", "client_secret_post", "none"]


@dataclass(frozen=True)
class Client:
    """Who we are at the provider."""

    client_id: str
    redirect_uri: str
    client_secret: str | None = field(default=None, repr=False)
    auth_method: AuthMethod = "client_secret_basic"
    scopes: tuple[str, ...] = ("openid", "email", "profile")


@dataclass(frozen=True)
class Begun:
    """A sign-in under way. Keep `kept()` with the browser's flow, once; `state` is what the answer is found by."""

    url: str = field(repr=False)
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    max_age: int | None = None
    asked_at: int = 0

    def kept(self) -> dict[str, Any]:
        """What `finish` needs, as JSON knows it."""
        return {
            "state": self.state,
            "nonce": self.nonce,
            "verifier": self.verifier,
            "max_age": self.max_age,
            "asked_at": self.asked_at,
        }

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Begun":
        """The same sign-in, from what was kept."""
        return cls(
            url="",
            state=kept["state"],
            nonce=kept["nonce"],
            verifier=kept["verifier"],
            max_age=kept.get("max_age"),
            asked_at=kept.get("asked_at", 0),
        )


def begin(
    provider: Provider,
    client: Client,
    *,
    prompt: str | None = None,
    login_hint: str | None = None,
    max_age: int | None = None,
) -> Begun:
    """Send a person to the provider. `max_age=0` with `prompt="login"` asks for a fresh sign-in, which is checked."""
    known = client.auth_method == "none" or client.auth_method in provider.auth_methods
    Checks(field="auth_method").need("auth_method", known, ", ".join(provider.auth_methods), client.auth_method)
    nonce, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    asking = OAuth2Client(
        session=None,
        client_id=client.client_id,
        redirect_uri=client.redirect_uri,
        scope=" ".join(dict.fromkeys(("openid", *client.scopes))),
        code_challenge_method="S256",
    )
    url, state = asking.create_authorization_url(
        provider.authorization_endpoint,
        state=secrets.token_urlsafe(32),
        code_verifier=verifier,
        nonce=nonce,
        prompt=prompt,
        login_hint=login_hint,
        max_age=None if max_age is None else str(max_age),
    )
    return Begun(url, state, nonce, verifier, max_age, int(time.time()))
