"""Single logout, begun by us or by the provider."""

import datetime as dt

from kit.checking import Check
from kit.saml.model import IdentityProvider, LogoutRequest, Redirect, ServiceProvider


def ask_logout(
    sp: ServiceProvider,
    idp: IdentityProvider,
    *,
    request_id: str,
    subject: str,
    subject_format: str | None,
    session_index: str | None,
    relay_state: str,
    now: dt.datetime,
) -> Redirect | None:
    """Ask the provider to end its session; None where it has no address for that."""
    raise NotImplementedError


def check_logout_request(
    sp: ServiceProvider,
    idp: IdentityProvider,
    *,
    query: str = "",
    form: dict[str, str] | None = None,
    now: dt.datetime,
    trail: list[Check] | None = None,
) -> LogoutRequest:
    """Whose sessions a provider ends. `query`: the query string of a GET as received, `form`: the fields of a POST."""
    raise NotImplementedError


def answer_logout(
    sp: ServiceProvider,
    idp: IdentityProvider,
    request: LogoutRequest,
    *,
    success: bool = True,
    now: dt.datetime,
) -> Redirect | None:
    """Tell the provider that the sessions are ended; None where it has no address for that."""
    raise NotImplementedError


def check_logout_answer(
    sp: ServiceProvider,
    idp: IdentityProvider,
    *,
    query: str = "",
    form: dict[str, str] | None = None,
    request_id: str,
    now: dt.datetime,
    trail: list[Check] | None = None,
) -> bool:
    """Whether the provider ended the session that `request_id` asked to end (False: only in part)."""
    raise NotImplementedError


def is_answer(*, query: str = "", form: dict[str, str] | None = None) -> bool:
    """Whether the message at the logout address answers us, rather than asks."""
    raise NotImplementedError
