"""What the tenant app is told of an organisation's identity set-up: connections, domains, policy, tokens, support.

It is part of the tenant record: everybody signs in while the control plane is away. Secrets in it are sealed for the
cell; the key of a test run and SCIM tokens are hashes.
"""

from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec

from tenant_app.contract.values import Value

ConnectionKind = Literal["saml", "oidc"]
Stage = Literal["draft", "tested", "pilot", "enforced"]
MemberRole = Literal["guest", "member", "administrator"]

# Enforcement reverts so long after it began, unless an administrator has come in by it.
TRIAL = timedelta(hours=1)


class SignInConnection(Value, frozen=True, kw_only=True):
    """One identity provider of the organisation.

    `domains` are proven, and the only ones in which it may create or link people. `pilot` are normalised e-mails.
    `attributes` say under which name of the provider's our own (`email`, `name`, `given_name`, `family_name`, `groups`)
    come. The highest match of `roles` (a group to a role) wins; who has none gets `otherwise`, or is refused if that is
    None. Enforced, it counts as pilot after `reverts_at`.
    """

    id: UUID
    kind: ConnectionKind
    name: str
    stage: Stage
    domains: tuple[str, ...] = ()
    pilot: tuple[str, ...] = ()
    attributes: dict[str, str] = msgspec.field(default_factory=dict)
    roles: dict[str, str] = msgspec.field(default_factory=dict)
    otherwise: str | None = "member"
    just_in_time: bool = True
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    reverts_at: datetime | None = None


class SignInPolicy(Value, frozen=True, kw_only=True):
    """How people sign in to this organisation, whatever way they come.

    None: the product's own defaults. `second_factor`: a password alone is not enough. `networks` are CIDR, none:
    everywhere. `break_glass` are principals who come in by passkey or password in spite of enforcement and networks.
    """

    session_seconds: int | None = None
    idle_seconds: int | None = None
    second_factor: bool = False
    networks: tuple[str, ...] = ()
    break_glass: tuple[UUID, ...] = ()


class ScimToken(Value, frozen=True, kw_only=True):
    """A token of a directory that provisions people: the SHA-256 of it in hexadecimal, never itself."""

    id: UUID
    sha256: str
    connection_id: UUID | None = None
    expires_at: datetime | None = None


class SupportGrant(Value, frozen=True, kw_only=True):
    """An administrator lets one of the provider's staff in, to see what he himself sees, until this moment."""

    id: UUID
    staff_id: UUID
    staff_name: str
    administrator_id: UUID
    until: datetime
    read_only: bool = True


class Identity(Value, frozen=True, kw_only=True):
    """All of it. `domains` are proven. A push that would remove more than `brake_percent` of members waits."""

    connections: tuple[SignInConnection, ...] = ()
    domains: tuple[str, ...] = ()
    policy: SignInPolicy = SignInPolicy()
    scim_tokens: tuple[ScimToken, ...] = ()
    brake_percent: int = 20
    support: tuple[SupportGrant, ...] = ()


def identity_from(kept: Any) -> Identity:
    """An identity set-up out of the directory's column; an empty one where it says nothing."""
    return msgspec.convert(kept or {}, Identity)


def identity_as_json(identity: Identity) -> dict[str, Any]:
    """An identity set-up as the directory's column keeps it."""
    kept: dict[str, Any] = msgspec.to_builtins(identity)
    return kept


def seal_purpose(connection_id: UUID) -> str:
    """Binds a secret of a connection to it: what its sealed texts in the record are sealed for."""
    return f"identity {connection_id}"
