"""Metadata: reading a provider's, making our own."""

import datetime as dt

from kit.saml.model import IdentityProvider, ServiceProvider


def read_metadata(xml: bytes, now: dt.datetime | None = None) -> IdentityProvider:
    """The provider that this metadata describes. `Refusal` names what is wrong with it and the cure."""
    raise NotImplementedError


def metadata_of(sp: ServiceProvider) -> bytes:
    """Our own metadata, for the provider's administrator: addresses, keys in use and keys announced."""
    raise NotImplementedError
