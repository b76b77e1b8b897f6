"""How keys follow each other: a new one overlaps with the old one, which goes once nobody can be using it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, text, update
from sqlalchemy.orm import Session, aliased

from control_plane.storage.keys import Keyring
from control_plane.storage.keys_chest import Chest
from control_plane.storage.keys_models import OrganisationKey, StoreKey
from kit.vault import Vault


def next_store_key(session: Session, vault: Vault, organisation_id: UUID) -> StoreKey:
    """A new access key is the current one; the one before retires, and still opens the store."""
    chest = Chest.open(session, vault, organisation_id)
    chest.current_data_key()
    for row in chest.living_store:
        if row.state == "current":
            # One from before secrets were random is sealed now: its master key may be gone before it is.
            chest.opened(row)
            row.state, row.retired_at = "retiring", datetime.now(UTC)
    session.flush()
    made = chest.add_store_key()
    session.flush()
    return made


def next_data_key(session: Session, vault: Vault, organisation_id: UUID) -> OrganisationKey:
    """A new data key seals the secrets from now on; the one before is destroyed, unless files hang on it."""
    chest = Chest.open(session, vault, organisation_id)
    chest.current_data_key()
    secrets = [(row, chest.opened(row).secret) for row in chest.living_store]
    before = [row for row in chest.living_data if row.retired_at is None]
    for row in before:
        row.retired_at = datetime.now(UTC)
    session.flush()
    made = chest.add_data_key()
    for key, secret in secrets:
        chest.seal(key, secret)
    for row in before:
        if row.files_since is None:
            row.wrapped, row.destroyed_at = None, datetime.now(UTC)
    session.flush()
    return made


STORED = text("""
update store_key set
  stored_at = case when state = 'gone' then stored_at else now() end,
  removed_at = case when state = 'gone' then now() end
where organisation_id = :id
  and case when state = 'gone' then removed_at is null and not key_id = any(:held)
           else stored_at is null and key_id = any(:held) end
""")


def note_stored(session: Session, organisation_id: UUID, ring: Keyring) -> None:
    """The store holds exactly this keyring."""
    session.execute(STORED, {"id": organisation_id, "held": [key.key_id for key in ring.all]})


def note_published(session: Session, organisation_id: UUID, ring: Keyring, directory_version: int | None) -> None:
    """The tenant record names the keyring's current key, since this version of the cell's directory."""
    unknown: ColumnElement[bool] = StoreKey.published_at.is_(None)
    if directory_version is not None:
        unknown = or_(unknown, StoreKey.directory_version.is_(None))
    session.execute(
        update(StoreKey)
        .where(StoreKey.organisation_id == organisation_id, StoreKey.key_id == ring.current.key_id, unknown)
        .values(published_at=func.coalesce(StoreKey.published_at, func.now()), directory_version=directory_version)
    )


@dataclass(frozen=True)
class Overlap:
    """An old access key beside a newer one that is published, since `directory_version` of its cell's directory.

    `confirmed_at`: since then every process of the tenant app is known to serve a newer one.
    """

    organisation_id: UUID
    version: int
    directory_version: int | None
    confirmed_at: datetime | None


def overlaps(session: Session, organisation_id: UUID | None = None) -> list[Overlap]:
    """Every old key that may be found unused, the longest waiting first."""
    newest = aliased(StoreKey)
    joined = and_(newest.organisation_id == StoreKey.organisation_id, newest.state == "current")
    query = (
        select(StoreKey.organisation_id, StoreKey.version, newest.directory_version, StoreKey.confirmed_at)
        .join(newest, joined)
        .where(StoreKey.state == "retiring")
        .where(or_(newest.directory_version.is_not(None), StoreKey.confirmed_at.is_not(None)))
        .order_by(StoreKey.retired_at)
    )
    if organisation_id is not None:
        query = query.where(StoreKey.organisation_id == organisation_id)
    return [Overlap(**row._asdict()) for row in session.execute(query)]


def note_confirmed(session: Session, overlap: Overlap) -> None:
    """From now on nobody signs with the old key any more; what he signed may still be used for a while."""
    _set(session, overlap, StoreKey.confirmed_at.is_(None), confirmed_at=func.now())


@dataclass(frozen=True)
class Ended:
    """An access key that nobody can have used any more since then."""

    key_id: str
    at: datetime


def end_use(session: Session, overlap: Overlap, grace: timedelta) -> Ended | None:
    """What was signed with the old key has run out: the store may forget it. None if that is not so yet."""
    ended = StoreKey.confirmed_at + grace
    values = {"state": "gone", "last_use_ended_at": ended, "secret_sealed": None}
    found = _set(session, overlap, ended <= func.now(), **values)
    return None if found is None else Ended(*found)


def _set(session: Session, overlap: Overlap, condition: Any, **values: Any) -> tuple[str, datetime] | None:
    written = (
        update(StoreKey)
        .where(StoreKey.organisation_id == overlap.organisation_id, StoreKey.version == overlap.version)
        .where(StoreKey.state == "retiring", condition)
        .values(**values)
        .returning(StoreKey.key_id, StoreKey.last_use_ended_at)
    )
    found = session.execute(written).first()
    return None if found is None else (found.key_id, found.last_use_ended_at)


def aged(session: Session, days: int, limit: int = 500) -> list[UUID]:
    """Organisations whose current access key is older than that and in use, the oldest key first."""
    old = func.now() - timedelta(days=days)
    query = (
        select(StoreKey.organisation_id)
        .where(StoreKey.state == "current", StoreKey.created_at < old, StoreKey.stored_at.is_not(None))
        .order_by(StoreKey.created_at)
    )
    return list(session.scalars(query.limit(limit)))


def destroy(session: Session, organisation_id: UUID) -> list[int]:
    """Destroy the data keys of an organisation that is gone: what they sealed or encrypted, anywhere, is unreadable.

    The rows stay, without a key. Answers the versions that were destroyed just now.
    """
    mine = StoreKey.organisation_id == organisation_id
    now = func.now()
    session.execute(
        update(StoreKey)
        .where(mine, or_(StoreKey.state != "gone", StoreKey.secret_sealed.is_not(None)))
        .values(
            state="gone",
            secret_sealed=None,
            retired_at=func.coalesce(StoreKey.retired_at, now),
            last_use_ended_at=func.coalesce(StoreKey.last_use_ended_at, now),
            removed_at=func.coalesce(StoreKey.removed_at, now),
        )
    )
    destroyed = (
        update(OrganisationKey)
        .where(OrganisationKey.organisation_id == organisation_id, OrganisationKey.destroyed_at.is_(None))
        .values(wrapped=None, destroyed_at=now, retired_at=func.coalesce(OrganisationKey.retired_at, now))
        .returning(OrganisationKey.version)
    )
    return sorted(session.scalars(destroyed))


def unadopted(session: Session) -> list[UUID]:
    """Organisations whose access key still only derives from the first master key."""
    query = select(StoreKey.organisation_id).where(StoreKey.state != "gone", StoreKey.secret_sealed.is_(None))
    return list(session.scalars(query.distinct().order_by(StoreKey.organisation_id)))


def adopt(session: Session, vault: Vault, organisation_id: UUID) -> None:
    """Seal the secret of an access key that only derives from the first master key."""
    chest = Chest.open(session, vault, organisation_id)
    chest.current_data_key()
    for row in chest.living_store:
        chest.opened(row)
    session.flush()
