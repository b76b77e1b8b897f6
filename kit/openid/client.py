"""Our side: who we are at the provider, and the address that sends a person there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

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

    url: str
    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    max_age: int | None = None

    def kept(self) -> dict[str, Any]:
        """What `finish` needs, as JSON knows it."""
        raise NotImplementedError

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Begun":
        """The same sign-in, from what was kept."""
        raise NotImplementedError


def begin(
    provider: Provider,
    client: Client,
    *,
    prompt: str | None = None,
    login_hint: str | None = None,
    max_age: int | None = None,
) -> Begun:
    """Send a person to the provider. `max_age=0` with `prompt="login"` asks for a fresh sign-in, which is checked."""
    raise NotImplementedError
