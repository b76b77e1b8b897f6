"""What people see of a connection, and what they may ask of one. No secret is in a view."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

import msgspec
from cryptography import x509
from msgspec import UNSET, UnsetType

from control_plane.identity.organisation_models import Connection, ConnectionKey
from control_plane.identity.vendors import Vendor
from kit.saml import fingerprint
from tenant_app.contract import ConnectionKind, Stage

STAGES: tuple[Stage, ...] = ("draft", "tested", "pilot", "enforced")
HIDDEN = ("certificates",)


class NewConnection(msgspec.Struct, kw_only=True):
    """A connection to be made.

    SAML: `metadata_url` or `metadata_xml`, or in `settings` what they would say: `entity_id`, `sso_url`, `sso_binding`,
    `slo_url`, `certificates` (PEM or base64); beside it `sign_requests`, `allow_idp_initiated`. OpenID Connect, in
    `settings`: `issuer`, `client_id`, `client_secret`, `auth_method`, `scopes`.
    """

    kind: ConnectionKind
    name: str
    vendor: Vendor = "generic"
    domains: list[str] = []
    pilot: list[str] = []
    attributes: dict[str, str] | None = None
    roles: dict[str, str] = {}
    otherwise: str | None = "member"
    just_in_time: bool = True
    metadata_url: str | None = None
    metadata_xml: str | None = None
    settings: dict[str, Any] = {}


class ConnectionChange(msgspec.Struct, kw_only=True):
    """What is to be different; what is left out stays, in `settings` too. A secret that is left out stays as it was."""

    name: str | UnsetType = UNSET
    domains: list[str] | UnsetType = UNSET
    pilot: list[str] | UnsetType = UNSET
    attributes: dict[str, str] | UnsetType = UNSET
    roles: dict[str, str] | UnsetType = UNSET
    otherwise: str | UnsetType | None = UNSET
    just_in_time: bool | UnsetType = UNSET
    metadata_url: str | UnsetType | None = UNSET
    metadata_xml: str | UnsetType = UNSET
    settings: dict[str, Any] | UnsetType = UNSET


@dataclass(frozen=True)
class CertificateView:
    """A certificate as people compare it."""

    fingerprint: str
    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return self.not_after <= datetime.now(UTC)


@dataclass(frozen=True)
class KeyView:
    """A key of ours. The current one signs; the next one is only announced; past ones still open what is under way."""

    id: UUID
    state: Literal["current", "next", "past"]
    certificate: CertificateView
    pem: str
    created_at: datetime


@dataclass(frozen=True)
class ConnectionView:
    """A connection as it stands. Of the chosen `domains` only the `proven_domains` count.

    An enforced one goes back to pilot at `reverts_at` by itself, unless an administrator comes in by it before.
    """

    id: UUID
    organisation_id: UUID
    kind: ConnectionKind
    vendor: Vendor
    name: str
    stage: Stage
    domains: tuple[str, ...]
    proven_domains: tuple[str, ...]
    pilot: tuple[str, ...]
    attributes: dict[str, str]
    roles: dict[str, str]
    otherwise: str | None
    just_in_time: bool
    settings: dict[str, Any]
    has_secret: bool
    certificates: tuple[CertificateView, ...]
    keys: tuple[KeyView, ...]
    metadata_url: str | None
    metadata_at: datetime | None
    metadata_trouble: str | None
    tested_at: datetime | None
    enforced_at: datetime | None
    reverts_at: datetime | None
    revision: int
    created_at: datetime
    updated_at: datetime

    @property
    def certificates_until(self) -> datetime | None:
        """When the last of the provider's certificates ends: from then on nobody gets in."""
        return max((one.not_after for one in self.certificates), default=None)


@lru_cache(maxsize=2048)
def certificate_view(encoded: str) -> CertificateView:
    """The view of a certificate (DER in base64)."""
    der = base64.b64decode(encoded)
    certificate = x509.load_der_x509_certificate(der)
    return CertificateView(
        fingerprint=fingerprint(der),
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def _pem(encoded: str) -> str:
    lines = [encoded[at : at + 64] for at in range(0, len(encoded), 64)]
    return "\n".join(("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""))


def _key_view(row: ConnectionKey) -> KeyView:
    state: Any = row.state
    return KeyView(row.id, state, certificate_view(row.certificate), _pem(row.certificate), row.created_at)


def connection_view(row: Connection, proven: frozenset[str], keys: list[ConnectionKey]) -> ConnectionView:
    """The view of a connection's rows."""
    order = {"current": 0, "next": 1, "past": 2}
    made: dict[str, Any] = {
        "domains": tuple(row.domains),
        "proven_domains": tuple(name for name in row.domains if name in proven),
        "pilot": tuple(row.pilot),
        "settings": {name: value for name, value in row.settings.items() if name not in HIDDEN},
        "has_secret": row.secret_sealed is not None,
        "certificates": tuple(certificate_view(one) for one in row.settings.get("certificates", [])),
        "keys": tuple(_key_view(key) for key in sorted(keys, key=lambda one: (order[one.state], one.id))),
    }
    plain = {name: getattr(row, name) for name in ConnectionView.__dataclass_fields__ if name not in made}
    return ConnectionView(**plain, **made)
