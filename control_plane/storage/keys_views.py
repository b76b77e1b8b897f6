"""What people may see of an organisation's keys: which there are and how they stand, never a secret."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from control_plane.storage.keys import data_key_name
from control_plane.storage.keys_models import OrganisationKey, StoreKey


@dataclass(frozen=True)
class StoreKeyView:
    """An access key: `state` is current, retiring or gone. `last_use_ended_at`: since then nobody can have used it."""

    version: int
    key_id: str
    state: str
    created_at: datetime
    published_at: datetime | None
    retired_at: datetime | None
    confirmed_at: datetime | None
    last_use_ended_at: datetime | None
    removed_at: datetime | None


@dataclass(frozen=True)
class DataKeyView:
    """A data key: `state` is current, older (files still hang on it) or destroyed."""

    version: int
    name: str
    state: str
    created_at: datetime
    files_since: datetime | None
    retired_at: datetime | None
    destroyed_at: datetime | None


@dataclass(frozen=True)
class KeysView:
    """All keys that an organisation has or had, the newest first."""

    store: list[StoreKeyView]
    data: list[DataKeyView]


def keys_of(session: Session, organisation_id: UUID) -> KeysView:
    """The keys of an organisation; none if it never had any."""
    store = select(StoreKey).where(StoreKey.organisation_id == organisation_id).order_by(StoreKey.version.desc())
    data = select(OrganisationKey).where(OrganisationKey.organisation_id == organisation_id)
    fresh = {"populate_existing": True}
    return KeysView(
        [_store_key(row) for row in session.scalars(store.execution_options(**fresh))],
        [
            _data_key(row)
            for row in session.scalars(data.order_by(OrganisationKey.version.desc()).execution_options(**fresh))
        ],
    )


def _store_key(row: StoreKey) -> StoreKeyView:
    return StoreKeyView(
        version=row.version,
        key_id=row.key_id,
        state=row.state,
        created_at=row.created_at,
        published_at=row.published_at,
        retired_at=row.retired_at,
        confirmed_at=row.confirmed_at,
        last_use_ended_at=row.last_use_ended_at,
        removed_at=row.removed_at,
    )


def _data_key(row: OrganisationKey) -> DataKeyView:
    state = "destroyed" if row.destroyed_at else "older" if row.retired_at else "current"
    return DataKeyView(
        version=row.version,
        name=data_key_name(row.organisation_id, row.version),
        state=state,
        created_at=row.created_at,
        files_since=row.files_since,
        retired_at=row.retired_at,
        destroyed_at=row.destroyed_at,
    )
