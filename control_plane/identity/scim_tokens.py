"""Tokens by which an organisation's directory pushes its people: shown once, two alive at most, so that they rotate."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from control_plane.audit import Actor
from control_plane.identity import changing
from control_plane.identity.organisation_models import Connection, ScimToken
from kit.errors import Refusal, not_found
from kit.ids import new_id

PREFIX = "pvs"
MOST = 2
LONGEST_DAYS = 1095


@dataclass(frozen=True)
class ScimTokenView:
    """A token without its secret."""

    id: UUID
    organisation_id: UUID
    name: str
    prefix: str
    connection_id: UUID | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    @property
    def alive(self) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > datetime.now(UTC))


def _view(row: ScimToken) -> ScimTokenView:
    names = (field for field in ScimTokenView.__dataclass_fields__)
    return ScimTokenView(**{name: getattr(row, name) for name in names})


def scim_tokens(session: Session, organisation_id: UUID) -> list[ScimTokenView]:
    """All tokens of the organisation, the latest first, ended ones included."""
    query = select(ScimToken).where(ScimToken.organisation_id == organisation_id).order_by(ScimToken.id.desc())
    return [_view(row) for row in session.scalars(query.execution_options(populate_existing=True))]


def issue_scim_token(
    session: Session,
    organisation_id: UUID,
    name: str,
    *,
    actor: Actor,
    connection_id: UUID | None = None,
    days: int | None = 365,
) -> tuple[ScimTokenView, str]:
    """A new token and its plaintext, which is never seen again. `connection_id`: by which its people sign in."""
    changing.begin(session, organisation_id)
    tidy = name.strip()
    if not 1 <= len(tidy) <= 80 or "\x00" in tidy:
        raise Refusal("name_length", "A token's name has 1 to 80 characters.", field="name")
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise Refusal(
            "out_of_bounds", "Choose something from {least} to {most}.", field="days", least=1, most=LONGEST_DAYS
        )
    if connection_id is not None:
        known = session.get(Connection, connection_id)
        if known is None or known.organisation_id != organisation_id:
            raise Refusal("unknown_connection", "There is no such connection here.", field="connection_id")
    if sum(one.alive for one in scim_tokens(session, organisation_id)) >= MOST:
        message = "Two tokens work at a time, so that one can take over from the other. Revoke one first."
        raise Refusal("scim_tokens_many", message, status=409)
    now = datetime.now(UTC)
    prefix = f"{PREFIX}_{secrets.token_hex(5)}"
    plaintext = f"{prefix}_{secrets.token_urlsafe(32)}"
    row = ScimToken(
        id=new_id(),
        organisation_id=organisation_id,
        connection_id=connection_id,
        name=tidy,
        prefix=prefix,
        sha256=hashlib.sha256(plaintext.encode()).hexdigest(),
        created_by=actor.name[:200],
        created_at=now,
        expires_at=None if days is None else now + timedelta(days=days),
    )
    session.add(row)
    session.flush()
    changing.note(session, "scim_token.issued", organisation_id, actor, **_facts(row))
    changing.publish(session, organisation_id)
    return _view(row), plaintext


def _facts(row: ScimToken) -> dict[str, object]:
    return {"token_id": row.id, "name": row.name, "prefix": row.prefix, "expires_at": row.expires_at}


def revoke_scim_token(session: Session, organisation_id: UUID, token_id: UUID, *, actor: Actor) -> ScimTokenView:
    """The token ends now. Doing it twice changes nothing."""
    changing.begin(session, organisation_id)
    row = session.get(ScimToken, token_id, populate_existing=True)
    if row is None or row.organisation_id != organisation_id:
        raise not_found("token")
    if row.revoked_at is None:
        row.revoked_at = datetime.now(UTC)
        session.flush()
        changing.note(session, "scim_token.revoked", organisation_id, actor, **_facts(row))
        changing.publish(session, organisation_id)
    return _view(row)
