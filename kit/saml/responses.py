"""Checking a provider's response."""

import datetime as dt

from kit.checking import Check
from kit.saml.model import Assertion, IdentityProvider, ServiceProvider


def check_response(
    sp: ServiceProvider,
    idp: IdentityProvider,
    encoded: str,
    *,
    request_id: str | None,
    allow_unsolicited: bool,
    now: dt.datetime,
    trail: list[Check] | None = None,
) -> Assertion:
    """What the posted SAMLResponse says, once every check has passed; `Refusal` at the first that fails.

    `request_id` is the one of the AuthnRequest that this browser began, or None where it began none.
    """
    raise NotImplementedError
