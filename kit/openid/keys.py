"""A provider's public keys (JWKS), fetched when first needed, again after an hour or when a token names a new one."""

from kit.fetching import Fetcher


class Keys:
    """The keys at one address, shared by all sign-ins of this process."""

    def __init__(self, fetcher: Fetcher, uri: str) -> None:
        self.fetcher = fetcher
        self.uri = uri
