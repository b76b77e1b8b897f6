"""The key of the chains: random and kept sealed in the database, so that it outlives every master key."""

import base64
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from control_plane.audit.models import AuditKey
from kit.db import transaction, vault_of
from kit.vault import Vault

PURPOSE = "audit-key"

# The key never changes, so each process reads it once.
_known: WeakKeyDictionary[Engine, bytes] = WeakKeyDictionary()


def audit_key(session: Session) -> bytes:
    """The key of the chains of this session's database; made at its first use, for good."""
    bind = session.get_bind()
    engine = bind.engine if isinstance(bind, Connection) else bind
    if engine not in _known:
        vault = vault_of(session)
        # In a transaction of its own: who rolls back must not take the key along.
        with transaction(engine) as own:
            _known[engine] = _kept(own, vault)
    return _known[engine]


def _kept(session: Session, vault: Vault) -> bytes:
    fresh = insert(AuditKey).values(one=True, key_sealed=_seal(vault, Vault.fresh().master))
    session.execute(fresh.on_conflict_do_nothing())
    # A statement of its own: two at once both read what the first one wrote.
    sealed = session.scalar(select(AuditKey.key_sealed))
    if sealed is not None:
        return base64.b64decode(vault.open(sealed, PURPOSE))
    derived = vault.oldest.derive("audit")
    unsealed = update(AuditKey).where(AuditKey.key_sealed.is_(None))
    session.execute(unsealed.values(key_sealed=_seal(vault, derived), created_at=func.now()))
    return derived


def _seal(vault: Vault, key: bytes) -> str:
    return vault.seal(base64.b64encode(key).decode(), PURPOSE)
