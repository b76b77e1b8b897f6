"""Our own SAML keys, a set for each connection: announced before they are used, kept while something may need them."""

import base64
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from control_plane.identity.organisation_models import Connection, ConnectionKey
from control_plane.identity.publishing import key_purpose
from kit.db import vault_of
from kit.ids import new_id
from kit.saml import Key


def keys_of(session: Session, connection_id: UUID) -> list[ConnectionKey]:
    """Every key of a connection."""
    query = select(ConnectionKey).where(ConnectionKey.connection_id == connection_id)
    return list(session.scalars(query.execution_options(populate_existing=True)))


def fresh_key(session: Session, row: Connection, state: str) -> ConnectionKey:
    """A new key of this state: RSA 3072, its private half sealed (PKCS#8 in base64)."""
    key, key_id = Key.new(f"Parvis {row.id}"), new_id()
    made = ConnectionKey(
        id=key_id,
        connection_id=row.id,
        state=state,
        certificate=base64.b64encode(key.certificate).decode(),
        key_sealed=vault_of(session).seal(base64.b64encode(key.private_der).decode(), key_purpose(key_id)),
        created_at=datetime.now(UTC),
    )
    session.add(made)
    session.flush()
    return made
