"""One OpenID Connect connection in our own terms: who we are to it, and what its ID tokens say of a person."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kit.openid import Claims, Client
from kit.vault import Vault
from tenant_app.accounts.sso_said import Said, bounded
from tenant_app.accounts.sso_traces import Trail
from tenant_app.contract import SignInConnection, seal_purpose

USUAL = {
    "email": "email",
    "name": "name",
    "given_name": "given_name",
    "family_name": "family_name",
    "groups": "groups",
}
# The year 9999 and what is not a number are no time at all.
LAST_SECOND = 253_000_000_000
SCOPES = ("openid", "email", "profile")


def client(connection: SignInConnection, origin: str, seals: Vault) -> Client:
    """Ourselves for this connection, at this workspace's address."""
    told = connection.settings
    sealed = told.get("client_secret_sealed")
    return Client(
        client_id=told["client_id"],
        redirect_uri=f"{origin}/oidc/{connection.id}/callback",
        client_secret=seals.open(sealed, seal_purpose(connection.id)) if sealed else None,
        auth_method=told.get("auth_method", "client_secret_basic" if sealed else "none"),
        scopes=tuple(told.get("scopes") or SCOPES),
    )


def wanted(connection: SignInConnection) -> tuple[str, ...]:
    """The claims for which userinfo is asked where the ID token lacks them: some tell groups only there."""
    names = USUAL | connection.attributes
    return (names["email"], names["groups"]) if connection.roles else (names["email"],)


def said(connection: SignInConnection, claims: Claims, trail: Trail, seals: Vault) -> Said:
    """What an ID token says of a person. The token itself is kept sealed: ending the session there takes it."""
    names = USUAL | connection.attributes
    trail.claimed(claims.subject, claims.values, tuple(names.values()))
    values = claims.values
    full = f"{_text(values, names['given_name'])} {_text(values, names['family_name'])}".strip()
    verified, groups = values.get("email_verified"), _texts(values.get(names["groups"]))
    return Said(
        subject=claims.subject,
        email=_text(values, names["email"]),
        name=_text(values, names["name"]) or full,
        groups=bounded(connection, groups),
        groups_left_out=not groups and _told_elsewhere(values, names["groups"]),
        # Some send it as text; none at all says nothing.
        email_verified=None if verified is None else str(verified).lower() == "true",
        session=claims.sid[:255] if claims.sid else None,
        proved_at=_moment(values.get("auth_time")),
        data={"id_token_sealed": seals.seal(claims.id_token, seal_purpose(connection.id))},
    )


def _told_elsewhere(values: Mapping[str, Any], name: str) -> bool:
    """Whether a claim is distributed (OpenID Connect Core 5.6.2): Entra does so with more than 200 groups."""
    elsewhere = values.get("_claim_names")
    return (isinstance(elsewhere, dict) and name in elsewhere) or values.get("hasgroups") is True


def _text(values: Mapping[str, Any], name: str) -> str:
    found = values.get(name)
    return found if isinstance(found, str) else ""


def _moment(found: Any) -> datetime | None:
    known = isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found < LAST_SECOND
    return datetime.fromtimestamp(found, UTC) if known else None


def _texts(found: Any) -> tuple[str, ...]:
    if isinstance(found, str):
        return (found,)
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()
