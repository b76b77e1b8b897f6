"""The makers of directories: what our values are called in their consoles, and where to find theirs."""

from dataclasses import dataclass, field

from kit.interface import N_

OURS = ("email", "name", "given_name", "family_name", "groups")


@dataclass(frozen=True)
class Vendor:
    """One maker: the way to the right page of their console by kind, their words for our values, their sources."""

    name: str
    way: dict[str, str]
    entity_id: str = "Entity ID"
    acs_url: str = N_("Assertion consumer URL (ACS)")
    redirect_uri: str = N_("Redirect URI")
    sources: dict[str, str] = field(default_factory=dict)
    metadata_hint: str = N_("An address that ends in .xml or names metadata; it is read again every day.")
    issuer_hint: str = N_("The address before /.well-known/openid-configuration.")
    groups_hint: str = ""


VENDORS: dict[str, Vendor] = {
    "entra": Vendor(
        "Microsoft Entra ID",
        {
            "saml": N_("Enterprise applications, then New application, Create your own, then Single sign-on, SAML."),
            "oidc": N_("App registrations, then New registration; the secret under Certificates & secrets."),
        },
        entity_id=N_("Identifier (Entity ID)"),
        acs_url=N_("Reply URL (Assertion Consumer Service URL)"),
        redirect_uri=N_("Redirect URI (type Web)"),
        sources={
            "email": "user.mail",
            "name": "user.displayname",
            "given_name": "user.givenname",
            "family_name": "user.surname",
            "groups": "user.groups",
        },
        metadata_hint=N_("In Entra ID: “App Federation Metadata Url”, under SAML Certificates."),
        issuer_hint=N_("https://login.microsoftonline.com/ followed by your tenant's number and /v2.0"),
        groups_hint=N_(
            "In Entra ID, have the groups claim send the groups assigned to the application: of people in more than 150"
            " it sends none, and they are refused here."
        ),
    ),
    "okta": Vendor(
        "Okta",
        {
            "saml": N_("Applications, then Create App Integration, then SAML 2.0."),
            "oidc": N_("Applications, then Create App Integration, then OIDC, Web Application."),
        },
        entity_id=N_("Audience URI (SP Entity ID)"),
        acs_url=N_("Single sign-on URL"),
        redirect_uri=N_("Sign-in redirect URIs"),
        sources={
            "email": "user.email",
            "name": "user.displayName",
            "given_name": "user.firstName",
            "family_name": "user.lastName",
            "groups": "Matches regex .*",
        },
        metadata_hint=N_("In Okta: “Metadata URL”, on the tab Sign On."),
        issuer_hint="https://your-company.okta.com",
    ),
    "google": Vendor(
        "Google Workspace",
        {
            "saml": N_("Apps, then Web and mobile apps, then Add app, Add custom SAML app."),
            "oidc": N_("Google Cloud console, then APIs & Services, Credentials, OAuth client ID, Web application."),
        },
        entity_id="Entity ID",
        acs_url="ACS URL",
        redirect_uri=N_("Authorised redirect URIs"),
        sources={
            "email": "Primary email",
            "given_name": "First name",
            "family_name": "Last name",
            "groups": "Group membership",
        },
        metadata_hint=N_("Google gives its metadata as a file only: download it and paste it below."),
        issuer_hint="https://accounts.google.com",
    ),
    "adfs": Vendor(
        "AD FS",
        {
            "saml": N_("AD FS Management, then Relying Party Trusts, then Add Relying Party Trust."),
            "oidc": N_("AD FS Management, then Application Groups, then Server application."),
        },
        entity_id=N_("Relying party trust identifier"),
        acs_url=N_("SAML assertion consumer endpoint (POST)"),
        sources={
            "email": "E-Mail-Addresses",
            "name": "Display-Name",
            "given_name": "Given-Name",
            "family_name": "Surname",
            "groups": "Token-Groups - Unqualified Names",
        },
        metadata_hint="https://your-server/FederationMetadata/2007-06/FederationMetadata.xml",
        issuer_hint="https://your-server/adfs",
    ),
    "keycloak": Vendor(
        "Keycloak",
        {
            "saml": N_("Clients, then Create client, type SAML."),
            "oidc": N_("Clients, then Create client, type OpenID Connect, with Client authentication."),
        },
        entity_id=N_("Client ID"),
        acs_url=N_("Valid redirect URIs"),
        redirect_uri=N_("Valid redirect URIs"),
        sources={
            "email": "email",
            "name": "name",
            "given_name": "firstName",
            "family_name": "lastName",
            "groups": "Group list",
        },
        metadata_hint="https://your-server/realms/your-realm/protocol/saml/descriptor",
        issuer_hint="https://your-server/realms/your-realm",
    ),
    "generic": Vendor(
        N_("Another one"),
        {
            "saml": N_("Register a SAML 2.0 service provider with these values."),
            "oidc": N_("Register a confidential OpenID Connect client with these values."),
        },
    ),
}

USES: dict[str, str] = {
    "email": N_("Recognise the person"),
    "name": N_("Name that is shown"),
    "given_name": N_("First name, where there is no whole name"),
    "family_name": N_("Last name, where there is no whole name"),
    "groups": N_("Give roles"),
}
