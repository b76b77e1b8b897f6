"""The provider's own OpenID Connect as the portal meets it: its settings, our client there, what it says of itself."""

from dataclasses import dataclass

from control_plane.portal.desk import AnyRequest
from kit.errors import not_found
from kit.fetching import Fetcher
from kit.openid import Client, Keys, Provider, Providers, discover_now
from kit.settings import ControlPlaneSettings, StaffOidc

CALLBACK = "/sign-in/oidc/callback"
SIGNED_OUT = "/signed-out"


@dataclass(frozen=True)
class Company:
    """The company's sign-in."""

    portal_url: str
    oidc: StaffOidc
    providers: Providers

    def provider(self) -> tuple[Provider, Keys]:
        """What the issuer says of itself and its keys, remembered for the process."""
        return self.providers.get_now(self.oidc.issuer)

    def provider_now(self) -> Provider:
        """The same, asked this very moment: refuses while the issuer is away."""
        return discover_now(self.providers.fetcher, self.oidc.issuer)

    def client(self, provider: Provider) -> Client:
        """Who we are there."""
        basic = "client_secret_basic" in provider.auth_methods
        return Client(
            client_id=self.oidc.client_id,
            redirect_uri=f"{self.portal_url}{CALLBACK}",
            client_secret=self.oidc.client_secret,
            auth_method="client_secret_basic" if basic else "client_secret_post",
            scopes=self.oidc.scopes,
        )


def company_of(request: AnyRequest) -> Company | None:
    """None without its settings."""
    state = request.app.state
    settings: ControlPlaneSettings = state.settings
    if settings.staff_oidc is None:
        return None
    if state.get("staff_providers") is None:
        state["staff_providers"] = Providers(Fetcher(allow_private=settings.allow_private_fetch))
    return Company(settings.portal_url, settings.staff_oidc, state.staff_providers)


def the_company(request: AnyRequest) -> Company:
    """Without its settings there is no such page."""
    found = company_of(request)
    if found is None:
        raise not_found()
    return found
