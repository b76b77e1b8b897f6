"""How an organisation's people sign in, as views."""

from control_plane import identity
from control_plane.operator_api import identity_schemas as schemas
from control_plane.operator_api.presenting import fields
from control_plane.organisations import Organisation
from kit.interface import Translator
from kit.settings import ControlPlaneSettings
from tenant_app.contract import ScimEvent, Trace


def domain_view(seen: identity.DomainView) -> schemas.DomainView:
    """A domain."""
    answers = [
        schemas.DomainAnswerView(seen=list(one.seen), **fields(one, schemas.DomainAnswerView, {"seen"}))
        for one in seen.answers
    ]
    return schemas.DomainView(answers=answers, **fields(seen, schemas.DomainView, {"answers"}))


def _certificate(seen: identity.CertificateView) -> schemas.CertificateView:
    return schemas.CertificateView(**fields(seen, schemas.CertificateView))


def _key(seen: identity.KeyView) -> schemas.ConnectionKeyView:
    return schemas.ConnectionKeyView(
        certificate=_certificate(seen.certificate), **fields(seen, schemas.ConnectionKeyView, {"certificate"})
    )


def connection_view(
    seen: identity.ConnectionView, organisation: Organisation, settings: ControlPlaneSettings
) -> schemas.ConnectionView:
    """A connection, with our own addresses for it."""
    service = identity.addresses(settings, organisation, seen)
    made = {
        "domains": list(seen.domains),
        "proven_domains": list(seen.proven_domains),
        "pilot": list(seen.pilot),
        "certificates": [_certificate(one) for one in seen.certificates],
        "keys": [_key(one) for one in seen.keys],
        "service": schemas.ServiceView(**fields(service, schemas.ServiceView)),
    }
    return schemas.ConnectionView(**made, **fields(seen, schemas.ConnectionView, made.keys()))  # type: ignore[arg-type]


def trace_view(seen: Trace, words: Translator) -> schemas.TraceView:
    """A trace, with what failed in the caller's language."""
    return schemas.TraceView(failure=_failure(seen, words), **fields(seen, schemas.TraceView, {"failure"}))


def _failure(seen: Trace, words: Translator) -> schemas.FailureView | None:
    refusal = identity.failure_of(seen)
    return None if refusal is None else schemas.FailureView(code=refusal.code, detail=words.words(refusal))


def sign_in_view(seen: Trace, words: Translator) -> schemas.SignInView:
    """A sign-in of any connection."""
    verb = f"{seen.purpose}.{'ok' if seen.outcome == 'ok' else 'refused'}"
    made = {"verb", "failure"}
    return schemas.SignInView(verb=verb, failure=_failure(seen, words), **fields(seen, schemas.SignInView, made))


def scim_event_view(seen: ScimEvent) -> schemas.ScimEventView:
    """What a directory did."""
    return schemas.ScimEventView(**fields(seen, schemas.ScimEventView))


def policy_view(seen: identity.PolicyView) -> schemas.PolicyView:
    """A policy."""
    made = {"networks", "break_glass"}
    lists = {"networks": list(seen.networks), "break_glass": list(seen.break_glass)}
    return schemas.PolicyView(**lists, **fields(seen, schemas.PolicyView, made))  # type: ignore[arg-type]


def scim_token_view(seen: identity.ScimTokenView) -> schemas.ScimTokenView:
    """A directory's token."""
    return schemas.ScimTokenView(**fields(seen, schemas.ScimTokenView))


def set_up_link_view(seen: identity.SetUpLinkView) -> schemas.SetUpLinkView:
    """A set-up link."""
    return schemas.SetUpLinkView(**fields(seen, schemas.SetUpLinkView))
