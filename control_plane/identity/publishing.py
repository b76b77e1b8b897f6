"""What of an organisation's identity set-up its cell is told, with every secret sealed for that cell.

Only what is proven counts there: a connection may create or link people in its chosen domains that are proven now.
"""

from collections import defaultdict
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from control_plane.identity.organisation_models import (
    PROVEN,
    Connection,
    ConnectionKey,
    Domain,
    ScimToken,
    SignInRules,
    SupportAccess,
)
from kit.db import vault_of
from kit.vault import Vault
from tenant_app.contract import Identity, SignInConnection, SignInPolicy, SupportGrant, seal_purpose
from tenant_app.contract import ScimToken as PublishedToken


def secret_purpose(connection_id: UUID) -> str:
    """Binds a client secret to its connection."""
    return f"connection-secret:{connection_id}"


def key_purpose(key_id: UUID) -> str:
    """Binds one of our private keys to its row."""
    return f"connection-key:{key_id}"


def published(session: Session, seals: Vault, organisation_id: UUID) -> Identity:
    """How the organisation's people sign in. Sealing the same again gives the same, so that drift can be seen."""
    rules = session.get(SignInRules, organisation_id, populate_existing=True)
    if rules is None:
        return Identity()
    proven = proven_names(session, organisation_id)
    keys = _keys(session, organisation_id)
    return Identity(
        connections=tuple(_connection(session, seals, row, proven, keys[row.id]) for row in _rows(session, rules)),
        domains=tuple(sorted(proven)),
        policy=_policy(rules),
        scim_tokens=_tokens(session, organisation_id),
        brake_percent=rules.brake_percent,
        support=_support(session, organisation_id),
    )


def proven_names(session: Session, organisation_id: UUID) -> frozenset[str]:
    """The domains that the organisation has proven, those whose proof fails just now included."""
    query = select(Domain.name).where(Domain.organisation_id == organisation_id, Domain.state.in_(PROVEN))
    return frozenset(session.scalars(query))


def _rows(session: Session, rules: SignInRules) -> list[Connection]:
    query = select(Connection).where(Connection.organisation_id == rules.organisation_id).order_by(Connection.id)
    # A draft that knows nothing of the other side yet is nobody's way in.
    return [row for row in session.scalars(query.execution_options(populate_existing=True)) if row.settings]


def _keys(session: Session, organisation_id: UUID) -> dict[UUID, list[ConnectionKey]]:
    query = (
        select(ConnectionKey)
        .join(Connection, Connection.id == ConnectionKey.connection_id)
        .where(Connection.organisation_id == organisation_id)
        .execution_options(populate_existing=True)
    )
    found: dict[UUID, list[ConnectionKey]] = defaultdict(list)
    order = {"current": 0, "next": 1, "past": 2}
    for key in sorted(session.scalars(query), key=lambda one: (order[one.state], one.id)):
        found[key.connection_id].append(key)
    return found


def _connection(
    session: Session, seals: Vault, row: Connection, proven: frozenset[str], keys: list[ConnectionKey]
) -> SignInConnection:
    return SignInConnection(
        id=row.id,
        kind=row.kind,  # type: ignore[arg-type]
        name=row.name,
        stage=row.stage,  # type: ignore[arg-type]
        domains=tuple(name for name in row.domains if name in proven),
        pilot=tuple(row.pilot),
        attributes=dict(row.attributes),
        roles=dict(row.roles),
        otherwise=row.otherwise,
        just_in_time=row.just_in_time,
        settings=_settings(session, seals, row, keys),
        reverts_at=row.reverts_at,
    )


def _settings(session: Session, seals: Vault, row: Connection, keys: list[ConnectionKey]) -> dict[str, Any]:
    vault, purpose = vault_of(session), seal_purpose(row.id)
    settings = dict(row.settings)
    if row.kind == "oidc":
        secret = vault.open(row.secret_sealed, secret_purpose(row.id)) if row.secret_sealed else None
        settings["client_secret_sealed"] = seals.seal_alike(secret, purpose) if secret else None
    else:
        settings["keys"] = [
            {
                "certificate": key.certificate,
                "key_sealed": seals.seal_alike(vault.open(key.key_sealed, key_purpose(key.id)), purpose),
            }
            for key in keys
        ]
    if row.test_sha256 and row.test_until:
        settings |= {"test_sha256": row.test_sha256, "test_until": row.test_until.isoformat()}
    return settings


def _policy(rules: SignInRules) -> SignInPolicy:
    return SignInPolicy(
        session_seconds=rules.session_seconds,
        idle_seconds=rules.idle_seconds,
        second_factor=rules.second_factor,
        networks=tuple(rules.networks),
        break_glass=tuple(UUID(one) for one in rules.break_glass),
    )


def _tokens(session: Session, organisation_id: UUID) -> tuple[PublishedToken, ...]:
    query = (
        select(ScimToken)
        .where(ScimToken.organisation_id == organisation_id, ScimToken.revoked_at.is_(None))
        .order_by(ScimToken.id)
        .execution_options(populate_existing=True)
    )
    return tuple(
        PublishedToken(id=one.id, sha256=one.sha256, connection_id=one.connection_id, expires_at=one.expires_at)
        for one in session.scalars(query)
    )


def _support(session: Session, organisation_id: UUID) -> tuple[SupportGrant, ...]:
    query = (
        select(SupportAccess)
        .where(SupportAccess.organisation_id == organisation_id, SupportAccess.ended_at.is_(None))
        .order_by(SupportAccess.id)
        .execution_options(populate_existing=True)
    )
    # One whose time has passed stays until a chore ends it: what is published depends on rows, not on the hour.
    return tuple(
        SupportGrant(
            id=one.id,
            staff_id=one.staff_id,
            staff_name=one.staff_name,
            administrator_id=one.administrator_id,
            until=one.until,
            read_only=one.read_only,
        )
        for one in session.scalars(query)
        if one.until is not None and one.administrator_id is not None
    )
