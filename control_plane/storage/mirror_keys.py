"""The keys by which a mirror reads an organisation's bucket. They are only looked at: nothing is made or sealed."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from control_plane.storage.keys import data_key_name
from control_plane.storage.keys_chest import Chest, derived_secret
from control_plane.storage.store import AccessKey
from kit.vault import Vault


@dataclass(frozen=True)
class ReadingKeys:
    """`access` opens the bucket. `data_key` names the newest key that may encrypt any of the files, if there is one.

    Whoever was encrypted once stays so in the mirror: an older file may still be.
    """

    access: AccessKey
    data_key: str | None


def reading_keys(session: Session, vault: Vault, organisation_id: UUID) -> ReadingKeys | None:
    """The newest key that the store is known to hold; None where it holds none.

    Whoever holds no lock of the loop's row must not write here: a secret that he sealed by a data key that is rotated
    at this moment would be lost.
    """
    chest = Chest.open(session, vault, organisation_id)
    stored = [row for row in chest.living_store if row.stored_at is not None]
    if not stored or not chest.living_data:
        return None
    row = stored[-1]
    secret = derived_secret(session, organisation_id, row.version) if row.secret_sealed is None else chest.secret(row)
    files = [data_key_name(organisation_id, key.version) for key in chest.living_data if key.files_since is not None]
    return ReadingKeys(AccessKey(row.key_id, secret), files[-1] if files else None)
