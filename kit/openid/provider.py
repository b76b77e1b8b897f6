"""What a provider says of itself at `/.well-known/openid-configuration`, checked and remembered for a while."""

from dataclasses import dataclass

from kit.fetching import Fetcher
from kit.openid.keys import Keys


@dataclass(frozen=True)
class Provider:
    """A provider's own description, as far as it is needed."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    algorithms: tuple[str, ...] = ("RS256",)
    auth_methods: tuple[str, ...] = ("client_secret_basic",)
    # It promised to name itself in each answer (RFC 9207).
    names_itself: bool = False


async def discover(fetcher: Fetcher, issuer: str) -> Provider:
    """Fetch and check the provider's description; its issuer must be exactly this one."""
    raise NotImplementedError


def discover_now(fetcher: Fetcher, issuer: str) -> Provider:
    """The same, for synchronous callers."""
    raise NotImplementedError


class Providers:
    """Providers and their keys, remembered by issuer: discovered anew after an hour, kept for a day if that fails."""

    def __init__(self, fetcher: Fetcher) -> None:
        self.fetcher = fetcher

    async def get(self, issuer: str) -> tuple[Provider, Keys]:
        """The provider of this issuer and its keys."""
        raise NotImplementedError

    def get_now(self, issuer: str) -> tuple[Provider, Keys]:
        """The same, for synchronous callers."""
        raise NotImplementedError
