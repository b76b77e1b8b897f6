"""Workspaces whose people come in by a real OpenID Connect provider: where they are, how somebody proves himself."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pyotp
from playwright.sync_api import Page

from kit.vault import Vault
from tenant_app.contract import Identity, SignInConnection, TenantRecord, seal_purpose
from tests.sso.providers import DOMAIN
from tests.workspace.houses import CELL_KEY, House
from tests.world.openid import ALICE, OpenIDProvider, User

SECRET = "a-secret-of-the-provider"


@dataclass
class Place:
    """An address with a connection that the provider knows."""

    address: str
    connection_id: UUID
    origin: str

    @property
    def path(self) -> str:
        return f"/sso/{self.connection_id}"


def connection(provider: OpenIDProvider, place: Place, **fields: Any) -> SignInConnection:
    """The connection that the provider knows at this place."""
    sealed = Vault(CELL_KEY).seal(SECRET, seal_purpose(place.connection_id))
    settings = {
        "issuer": provider.issuer,
        "client_id": f"app-{place.address}",
        "client_secret_sealed": sealed,
        "auth_method": "client_secret_basic",
        "scopes": ["openid", "email", "profile", "groups"],
    }
    told: dict[str, Any] = {
        "name": "Acme ID", "stage": "enforced", "domains": (DOMAIN,), "roles": {"admins": "administrator"}
    }  # fmt: skip
    return SignInConnection(id=place.connection_id, kind="oidc", settings=settings, **told | fields)


def workspace(
    house: House, provider: OpenIDProvider, place: Place, *more: SignInConnection, **fields: Any
) -> TenantRecord:
    """A workspace with it, and perhaps more."""
    made = connection(provider, place, **fields)
    return house.workspace(place.address, identity=Identity(connections=(made, *more), domains=(DOMAIN,)))


def prove(page: Page, user: User = ALICE) -> None:
    page.get_by_label("E-mail").fill(user.login)
    page.get_by_label("Password").fill(user.password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Allow").click()


def with_codes(house: House, record: TenantRecord) -> str:
    """One-time codes for the owner: their secret."""
    secret = pyotp.random_base32()
    sealed = Vault(CELL_KEY).seal(secret, f"codes:{record.organisation_id}")
    house.rows(
        record,
        "insert into credential (id, principal_id, kind, secret) values (gen_random_uuid(), %s, 't', %s)",
        record.organisation_id,
        sealed,
    )
    return secret
