"""A strict SAML 2.0 service provider: pure functions, no network, no storage.

Only bytes that a signature covers are read, and only a key of the connection may have signed them. A refusal's code is
`saml_<check>`; its words name the check, what was received and the cure. Replays are the caller's to refuse, by
`Assertion.id` until `Assertion.not_on_or_after`.
"""

from kit.saml.certificates import fingerprint, read_certificate, require_current
from kit.saml.logout import answer_logout, ask_logout, check_logout_answer, check_logout_request, is_answer
from kit.saml.metadata import metadata_of, read_metadata, usable
from kit.saml.model import (
    Assertion,
    Form,
    IdentityProvider,
    Key,
    LogoutRequest,
    Redirect,
    ServiceProvider,
)
from kit.saml.requests import ask, new_id
from kit.saml.responses import check_response

__all__ = [
    "Assertion",
    "Form",
    "IdentityProvider",
    "Key",
    "LogoutRequest",
    "Redirect",
    "ServiceProvider",
    "answer_logout",
    "ask",
    "ask_logout",
    "check_logout_answer",
    "check_logout_request",
    "check_response",
    "fingerprint",
    "is_answer",
    "metadata_of",
    "new_id",
    "read_certificate",
    "read_metadata",
    "require_current",
    "usable",
]
