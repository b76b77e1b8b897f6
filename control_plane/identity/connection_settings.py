"""What a connection needs to know of its identity provider: taken from metadata, discovery or a form, and checked.

Nothing is kept that cannot work: a SAML provider has a certificate valid today, an OpenID provider has answered.
"""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kit.errors import Refusal
from kit.fetching import Fetcher
from kit.openid import discover_now
from kit.saml import IdentityProvider, read_certificate, read_metadata, require_current, usable
from kit.settings import ControlPlaneSettings

AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")
SAML_FIELDS = ("entity_id", "sso_url", "sso_binding", "slo_url", "slo_binding", "certificates")
SAML_CHOICES = ("sign_requests", "allow_idp_initiated")
OIDC_FIELDS = ("issuer", "client_id", "auth_method", "scopes")
LONGEST = 2000
MOST_CERTIFICATES = 8
ACCEPT = "application/samlmetadata+xml, application/xml, text/xml"


@dataclass(frozen=True)
class Checked:
    """Settings that will do; `secret` is the client's, None where none was given."""

    settings: dict[str, Any]
    secret: str | None = field(default=None, repr=False)


def fetcher_of(settings: ControlPlaneSettings) -> Fetcher:
    """What fetches for us, as this installation allows."""
    return Fetcher(allow_private=settings.allow_private_fetch)


@contextmanager
def told_of(field: str) -> Iterator[None]:
    """What is wrong in here is wrong with this field."""
    try:
        yield
    except Refusal as refusal:
        refusal.field = refusal.field or field
        raise


def fetched_metadata(settings: ControlPlaneSettings, url: str) -> IdentityProvider:
    """The provider whose metadata stands at this address."""
    with told_of("metadata_url"):
        return read_metadata(fetcher_of(settings).get_now(url, ACCEPT, field="metadata_url").body)


def pasted_metadata(text: str) -> IdentityProvider:
    """The provider of this metadata."""
    with told_of("metadata_xml"):
        return read_metadata(text.encode())


def from_metadata(provider: IdentityProvider) -> dict[str, Any]:
    """A provider as settings keep it."""
    return {
        "entity_id": provider.entity_id,
        "sso_url": provider.sso_url,
        "sso_binding": provider.sso_binding,
        "slo_url": provider.slo_url,
        "slo_binding": provider.slo_binding,
        "certificates": [base64.b64encode(der).decode() for der in provider.certificates],
    }


def saml_settings(given: Mapping[str, Any], before: Mapping[str, Any]) -> Checked:
    """SAML settings out of a form or metadata; what is left out stays as `before`."""
    _only(given, (*SAML_FIELDS, *SAML_CHOICES))
    defaults = {"sso_binding": "redirect", "slo_url": None, "slo_binding": "redirect"}
    choices = {"sign_requests": True, "allow_idp_initiated": False}
    wanted = {**defaults, **choices, **before, **given}
    entity_id = _text(wanted, "entity_id", 1024, "Give the entity id (issuer) of your identity provider.")
    _address(
        _text(wanted, "sso_url", LONGEST, "Give the address of single sign-on at your identity provider."), "sso_url"
    )
    if wanted["slo_url"]:
        _address(_text(wanted, "slo_url", LONGEST, ""), "slo_url")
    for name in ("sso_binding", "slo_binding"):
        _one_of(wanted, name, ("redirect", "post"))
    for name in SAML_CHOICES:
        wanted[name] = bool(wanted[name])
    wanted |= {"entity_id": entity_id, "slo_url": wanted["slo_url"] or None, "certificates": _certificates(wanted)}
    return Checked(wanted)


def _certificates(wanted: Mapping[str, Any]) -> list[str]:
    given = wanted.get("certificates") or []
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given) or len(given) > MOST_CERTIFICATES:
        message = "Give one to {most} certificates, each as text."
        raise Refusal("certificates_shape", message, field="settings.certificates", most=MOST_CERTIFICATES)
    with told_of("settings.certificates"):
        ders = list(dict.fromkeys(read_certificate(one) for one in given))
        require_current(ders, datetime.now(UTC))
    return [base64.b64encode(der).decode() for der in ders]


def oidc_settings(settings: ControlPlaneSettings, given: Mapping[str, Any], before: Mapping[str, Any]) -> Checked:
    """OpenID Connect settings out of a form; the provider is asked whether it is one, and can do what we need."""
    _only(given, (*OIDC_FIELDS, "client_secret"))
    secret = given.get("client_secret") or None
    defaults = {"scopes": ["openid", "email", "profile"], "auth_method": "client_secret_basic"}
    wanted = {**defaults, **before, **{name: value for name, value in given.items() if name != "client_secret"}}
    issuer = _text(wanted, "issuer", LONGEST, "Give the issuer: the address of your identity provider.")
    client_id = _text(
        wanted, "client_id", 500, "Give the client id that your identity provider made for this application."
    )
    _one_of(wanted, "auth_method", AUTH_METHODS)
    if secret is not None and (not isinstance(secret, str) or len(secret) > LONGEST or not secret.isprintable()):
        raise Refusal("secret_shape", "A client secret is one line of text.", field="settings.client_secret")
    provider = discover_now(fetcher_of(settings), issuer)
    _can_authenticate(wanted["auth_method"], provider.auth_methods)
    kept = {"issuer": issuer, "client_id": client_id, "auth_method": wanted["auth_method"], "scopes": _scopes(wanted)}
    return Checked(kept, secret)


def _can_authenticate(method: str, offered: tuple[str, ...]) -> None:
    if method != "none" and method not in offered:
        message = "The provider accepts {offered}, not {method}. Choose another way for the client to prove itself."
        told = ", ".join(offered)[:200]
        raise Refusal("auth_method_unsupported", message, field="settings.auth_method", offered=told, method=method)


def _scopes(wanted: Mapping[str, Any]) -> list[str]:
    given = wanted["scopes"]
    words = given.split() if isinstance(given, str) else given
    sound = isinstance(words, list) and len(words) <= 20
    if not sound or not all(isinstance(one, str) and 0 < len(one) <= 200 and one.isprintable() for one in words):
        raise Refusal("scopes_shape", "Scopes are words such as openid email profile.", field="settings.scopes")
    return list(dict.fromkeys(["openid", *words]))


def _only(given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        message = "There is no setting called {name} for this kind of connection; there are {known}."
        raise Refusal(
            "unknown_setting",
            message,
            field=f"settings.{unknown[0][:60]}",
            name=unknown[0][:60],
            known=", ".join(known),
        )


def _text(wanted: Mapping[str, Any], name: str, longest: int, message: str) -> str:
    value = wanted.get(name)
    tidy = value.strip() if isinstance(value, str) else ""
    if not tidy or len(tidy) > longest or not tidy.isprintable():
        raise Refusal("setting_missing", message or "This is not one line of text.", field=f"settings.{name}")
    return tidy


def _address(url: str, name: str) -> None:
    if not usable(url):
        message = "{url} is not an address that begins with https://."
        raise Refusal("address_unusable", message, field=f"settings.{name}", url=url[:200])


def _one_of(wanted: Mapping[str, Any], name: str, known: tuple[str, ...]) -> None:
    if wanted.get(name) not in known:
        message = "Choose one of {known}."
        raise Refusal("unknown_choice", message, field=f"settings.{name}", known=", ".join(known))
