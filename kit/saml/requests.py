"""Asking an identity provider who somebody is."""

import datetime as dt
import secrets

from kit.saml.model import Form, IdentityProvider, Redirect, ServiceProvider


def new_id() -> str:
    """An id for a message: unguessable, and a valid XML id."""
    return "_" + secrets.token_hex(20)


def ask(
    sp: ServiceProvider,
    idp: IdentityProvider,
    *,
    request_id: str,
    relay_state: str,
    force: bool = False,
    sign: bool = True,
    now: dt.datetime,
) -> Redirect | Form:
    """Send the browser to the provider with an AuthnRequest; `force` asks to prove oneself anew."""
    raise NotImplementedError
