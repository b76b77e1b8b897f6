"""The keys of one organisation: what its account in the store holds, what its tenant record says, what encrypts for it.

All are random and committed before anybody is told, so that a lost answer finds them again. Every change is made under
the lock of the organisation's row of the loop.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from control_plane.storage.keys_chest import Chest, passing_access_key
from control_plane.storage.store import AccessKey, bucket_name
from kit.vault import Vault

FILES = "files"


@dataclass(frozen=True)
class Keyring:
    """An organisation's keys for one run of the loop.

    `current` is the one that the tenant record names: the newest that the store is known to hold. `all` is exactly what
    the store must hold, the newest last. `data_key` names the key that encrypts new files, None where the store's own
    encryption is enough; `data_keys` are all that may still be needed to read files.
    """

    current: AccessKey
    all: tuple[AccessKey, ...]
    data_key: str | None = None
    data_keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def rotating(self) -> bool:
        """Whether an older key waits for its end."""
        return len(self.all) > 1

    def stored(self) -> "Keyring":
        """The keyring once the store holds all of it: the record may name the newest key."""
        return replace(self, current=self.all[-1])


def keyring(session: Session, vault: Vault, organisation_id: UUID, *, tenant: bool = False) -> Keyring:
    """The organisation's keys; what is missing is made. With `tenant`, its own data key encrypts its new files."""
    chest = Chest.open(session, vault, organisation_id)
    current = chest.current_data_key()
    if tenant and current.files_since is None:
        current.files_since = datetime.now(UTC)
    if not chest.living_store:
        chest.add_store_key()
    ring = _ring(chest, data_key_name(organisation_id, current.version) if tenant else None)
    session.flush()
    return ring


def _ring(chest: Chest, data_key: str | None) -> Keyring:
    held = tuple(chest.opened(row) for row in chest.living_store)
    stored = [key for key, row in zip(held, chest.living_store, strict=True) if row.stored_at is not None]
    return Keyring(
        current=stored[-1] if stored else held[-1],
        all=held,
        data_key=data_key,
        data_keys={
            data_key_name(chest.organisation_id, row.version): file_key(chest.unwrapped(row))
            for row in chest.living_data
            if row.files_since is not None
        },
    )


def leaving(session: Session, vault: Vault, organisation_id: UUID) -> Keyring:
    """The keys of an organisation that is being removed: no new ones are kept for it.

    Without any (it never came to storage, or they are destroyed) one that nobody keeps serves to clear up.
    """
    chest = Chest.open(session, vault, organisation_id)
    if not chest.living_store:
        passing = passing_access_key(organisation_id)
        return Keyring(passing, (passing,))
    return keyring(session, vault, organisation_id)


def file_key(data_key: bytes) -> bytes:
    """What encrypts files and is given to the cell: derived, so that the cell never has what seals the secrets."""
    return Vault(data_key).derive(FILES)


def data_key_name(organisation_id: UUID, version: int) -> str:
    """The name under which a gateway asks for the key of files."""
    return f"pv-{organisation_id.hex}-{version}"


def record_of_store(seals: Vault, organisation_id: UUID, ring: Keyring) -> dict[str, Any]:
    """What the tenant record carries: enough to open the bucket and its files, sealed by `seals` for the cell."""
    bucket = bucket_name(organisation_id)
    return {
        "bucket": bucket,
        "key_id": ring.current.key_id,
        "secret_sealed": seals.seal_alike(ring.current.secret, f"store:{bucket}"),
        "data_key": ring.data_key,
        "data_keys_sealed": {
            name: seals.seal_alike(base64.b64encode(key).decode(), f"data-key:{name}")
            for name, key in ring.data_keys.items()
        },
    }
