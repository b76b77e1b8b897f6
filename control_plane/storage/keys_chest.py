"""An organisation's keys as they lie in the database: the master wraps data keys, the data key seals secrets."""

import base64
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from control_plane import audit
from control_plane.storage.keys_models import OrganisationKey, StoreKey
from control_plane.storage.store import AccessKey
from kit.vault import Vault

GONE = "gone"


@dataclass
class Chest:
    """All keys that one organisation has or had, the newest last. Opened under the lock of its row of the loop."""

    session: Session
    vault: Vault
    organisation_id: UUID
    data: list[OrganisationKey]
    store: list[StoreKey]

    @classmethod
    def open(cls, session: Session, vault: Vault, organisation_id: UUID) -> "Chest":
        """Read the organisation's keys as they stand."""
        data = select(OrganisationKey).where(OrganisationKey.organisation_id == organisation_id)
        store = select(StoreKey).where(StoreKey.organisation_id == organisation_id)
        fresh = {"populate_existing": True}
        return cls(
            session,
            vault,
            organisation_id,
            list(session.scalars(data.order_by(OrganisationKey.version).execution_options(**fresh))),
            list(session.scalars(store.order_by(StoreKey.version).execution_options(**fresh))),
        )

    @property
    def living_data(self) -> list[OrganisationKey]:
        """The data keys that are not destroyed, the current one last."""
        return [row for row in self.data if row.destroyed_at is None]

    @property
    def living_store(self) -> list[StoreKey]:
        """The access keys that the store must hold, the current one last."""
        return [row for row in self.store if row.state != GONE]

    @property
    def seals(self) -> Vault:
        """What seals the organisation's secrets: its current data key, and the older ones to open."""
        current, *older = [self.unwrapped(row) for row in reversed(self.living_data)]
        return Vault(current, tuple(older))

    def current_data_key(self) -> OrganisationKey:
        """The data key that seals now; made if there is none."""
        return self.living_data[-1] if self.living_data else self.add_data_key()

    def add_data_key(self) -> OrganisationKey:
        """A new random data key."""
        version = self.data[-1].version + 1 if self.data else 1
        text = base64.b64encode(secrets.token_bytes(32)).decode()
        row = OrganisationKey(
            organisation_id=self.organisation_id,
            version=version,
            wrapped=self.vault.seal(text, wrap_purpose(self.organisation_id, version)),
            created_at=datetime.now(UTC),
        )
        self.session.add(row)
        self.data.append(row)
        return row

    def add_store_key(self) -> StoreKey:
        """A new random access key; it becomes the current one."""
        version = self.store[-1].version + 1 if self.store else 1
        key = fresh_access_key(self.organisation_id, version)
        row = StoreKey(
            organisation_id=self.organisation_id,
            version=version,
            key_id=key.key_id,
            secret_sealed=self.seals.seal(key.secret, secret_purpose(self.organisation_id, version)),
            state="current",
            created_at=datetime.now(UTC),
        )
        self.session.add(row)
        self.store.append(row)
        return row

    def opened(self, row: StoreKey) -> AccessKey:
        """An access key itself; one from before secrets were random is sealed on the way."""
        if row.secret_sealed is None:
            self.seal(row, derived_secret(self.session, row.organisation_id, row.version))
        return AccessKey(row.key_id, self.secret(row))

    def secret(self, row: StoreKey) -> str:
        """The secret of an access key that is sealed."""
        assert row.secret_sealed is not None
        return self.seals.open(row.secret_sealed, secret_purpose(row.organisation_id, row.version))

    def seal(self, row: StoreKey, secret: str) -> None:
        """Seal a secret by the current data key."""
        row.secret_sealed = self.seals.seal(secret, secret_purpose(row.organisation_id, row.version))

    def unwrapped(self, row: OrganisationKey) -> bytes:
        """A data key itself."""
        assert row.wrapped is not None
        return base64.b64decode(self.vault.open(row.wrapped, wrap_purpose(row.organisation_id, row.version)))


def fresh_access_key(organisation_id: UUID, version: int) -> AccessKey:
    """A key whose id says whose it is and which one, and whose secret nobody has seen."""
    return AccessKey(f"PV{organisation_id.hex[-12:].upper()}{version:02d}", secrets.token_hex(20))


def fresh_admin_key() -> AccessKey:
    """A key to administer a Ceph by, whose secret nobody has seen."""
    return AccessKey(f"PVADMIN{secrets.token_hex(6).upper()}", secrets.token_hex(20))


def passing_access_key(organisation_id: UUID) -> AccessKey:
    """A key that is kept nowhere. Its id is new each time: one whose answer was lost is in nobody's way."""
    return AccessKey(f"PV{organisation_id.hex[-12:].upper()}T{secrets.token_hex(4).upper()}", secrets.token_hex(20))


def derived_secret(session: Session, organisation_id: UUID, version: int) -> str:
    """The secret of a key from before secrets were random: the first master key gives it."""
    return audit.first_master(session).derive(f"store-key:{organisation_id}:{version}").hex()[:40]


def wrap_purpose(organisation_id: UUID, version: int) -> str:
    """Binds a wrapped data key to its place."""
    return f"organisation-key:{organisation_id}:{version}"


def secret_purpose(organisation_id: UUID, version: int) -> str:
    """Binds a sealed secret to its place."""
    return f"store-key:{organisation_id}:{version}"
