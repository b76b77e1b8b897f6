"""The key of the chains: random and kept sealed in the database, so that it outlives every master key."""

import base64
import hmac
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from control_plane.audit.chain import START, event_digest
from control_plane.audit.models import AuditEvent, AuditKey
from kit.db import transaction, vault_of
from kit.errors import Unavailable
from kit.vault import Vault

PURPOSE = "audit-key"
# The key of chains from before it was random derives from a master key for this purpose.
DERIVED = "audit"
CHAINS = 20

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
    derived = _begun_with(session, vault)
    unsealed = update(AuditKey).where(AuditKey.key_sealed.is_(None))
    session.execute(unsealed.values(key_sealed=_seal(vault, derived), created_at=func.now()))
    return derived


def _begun_with(session: Session, vault: Vault) -> bytes:
    """What derives from one of the master keys and a chain begins with: it is kept for good, so it must be right."""
    query = select(AuditEvent).where(AuditEvent.seq == 1).order_by(AuditEvent.at).limit(CHAINS)
    events = list(session.scalars(query))
    for key in vault.derivations(DERIVED):
        if any(hmac.compare_digest(event.digest, event_digest(key, event, START)) for event in events):
            return key
    raise Unavailable("vault_refused", "none of the master keys here is the one that the record was begun with")


def first_master(session: Session) -> Vault:
    """The one master key from which keys derived before they were random; the key of the chains tells which.

    It must still be among the vault's keys: `Unavailable("vault_refused")` otherwise.
    """
    vault, known = vault_of(session), audit_key(session)
    for master, derived in zip(vault.keys, vault.derivations(DERIVED), strict=True):
        if hmac.compare_digest(derived, known):
            return Vault(master)
    raise Unavailable("vault_refused", "the master key that this installation began with is not among those given here")


def _seal(vault: Vault, key: bytes) -> str:
    return vault.seal(base64.b64encode(key).decode(), PURPOSE)
