"""What each vendor calls our attributes, our own addresses that its forms ask for, and what a group becomes here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args
from uuid import UUID

from control_plane.organisations import Organisation
from kit.settings import ControlPlaneSettings
from tenant_app.contract import MemberRole

Vendor = Literal["entra", "okta", "google", "adfs", "keycloak", "generic"]
VENDORS: tuple[Vendor, ...] = get_args(Vendor)
ATTRIBUTES = ("email", "name", "given_name", "family_name", "groups")
# The highest wins.
ROLES: tuple[MemberRole, ...] = ("guest", "member", "administrator")

_CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
_ENTRA = "http://schemas.microsoft.com"

SAML: dict[Vendor, dict[str, str]] = {
    "entra": {
        "email": f"{_CLAIMS}/emailaddress",
        "name": f"{_ENTRA}/identity/claims/displayname",
        "given_name": f"{_CLAIMS}/givenname",
        "family_name": f"{_CLAIMS}/surname",
        "groups": f"{_ENTRA}/ws/2008/06/identity/claims/groups",
    },
    "okta": {
        "email": "email",
        "name": "name",
        "given_name": "firstName",
        "family_name": "lastName",
        "groups": "groups",
    },
    "google": {
        "email": "email",
        "name": "name",
        "given_name": "firstName",
        "family_name": "lastName",
        "groups": "groups",
    },
    "adfs": {
        "email": f"{_CLAIMS}/emailaddress",
        "name": f"{_CLAIMS}/name",
        "given_name": f"{_CLAIMS}/givenname",
        "family_name": f"{_CLAIMS}/surname",
        "groups": "http://schemas.xmlsoap.org/claims/Group",
    },
    "keycloak": {
        "email": "email",
        "name": "name",
        "given_name": "firstName",
        "family_name": "lastName",
        "groups": "groups",
    },
    "generic": {
        "email": "mail",
        "name": "displayName",
        "given_name": "givenName",
        "family_name": "sn",
        "groups": "groups",
    },
}
OIDC = {name: name for name in ATTRIBUTES}


def default_attributes(kind: str, vendor: Vendor) -> dict[str, str]:
    """Under which names this vendor sends our attributes, unless somebody has changed that there."""
    return dict(OIDC if kind == "oidc" else SAML[vendor])


@dataclass(frozen=True)
class ServiceAddresses:
    """What an identity provider's administrator enters there. All on the workspace's own host."""

    entity_id: str
    metadata_url: str
    acs_url: str
    slo_url: str
    begin_url: str
    redirect_uri: str
    logout_url: str
    scim_url: str


def addresses_of(settings: ControlPlaneSettings, organisation: Organisation, connection_id: UUID) -> ServiceAddresses:
    """Our addresses for a connection. Those of SAML and those of OpenID Connect; each kind uses its own."""
    base = settings.workspace_url(organisation.address)
    saml, oidc = f"{base}/saml/{connection_id}", f"{base}/oidc/{connection_id}"
    return ServiceAddresses(
        entity_id=f"{saml}/metadata",
        metadata_url=f"{saml}/metadata",
        acs_url=f"{saml}/acs",
        slo_url=f"{saml}/slo",
        begin_url=f"{base}/sso/{connection_id}",
        redirect_uri=f"{oidc}/callback",
        logout_url=f"{oidc}/logout",
        scim_url=f"{base}/scim/v2",
    )


def role_of(roles: Mapping[str, str], otherwise: str | None, groups: Iterable[str]) -> str | None:
    """What somebody in these groups becomes: the highest match, else `otherwise`; None if he is refused."""
    matched = [roles[group] for group in groups if group in roles]
    return max(matched, key=list[str](ROLES).index, default=otherwise)
