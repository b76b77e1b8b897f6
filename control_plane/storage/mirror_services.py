"""What one may ask of a mirror: a pass at once, a verification, a restoration. A worker does it; all is recorded."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from control_plane import audit, placement
from control_plane.audit import Actor
from control_plane.placement import CellView
from control_plane.storage import mirror_ledger as ledger
from control_plane.storage.ceph import CephObjectStore
from control_plane.storage.mirror_keys import reading_keys
from control_plane.storage.mirror_models import Mirror, MirrorRun
from control_plane.storage.mirror_restoring import closed
from control_plane.storage.mirror_settings import open_mirror
from control_plane.storage.mirror_views import MirrorRunView, MirrorView, mirror_run, mirror_status
from control_plane.storage.opening import open_store
from control_plane.storage.store import account_name, bucket_name
from kit.db import vault_of
from kit.errors import Refusal, not_found
from kit.ids import new_id

MOST_KEYS = 1000


def mirror_now(session: Session, organisation_id: UUID, actor: Actor) -> MirrorView:
    """The organisation's next pass is due at once, before everybody's who has waited."""
    _cell(session, organisation_id)
    _due(session, organisation_id)
    audit.record(session, "mirror.asked", actor=actor, organisation_id=organisation_id)
    return mirror_status(session, organisation_id)


def verify_mirror(session: Session, organisation_id: UUID, actor: Actor, *, deep: bool = False) -> MirrorRunView:
    """Compare the mirror with the store: sizes and entity tags, and the contents of a few; `deep` of all."""
    _cell(session, organisation_id)
    return _ask(session, organisation_id, "verify", {"deep": deep}, actor)


def restore_mirror(
    session: Session,
    organisation_id: UUID,
    actor: Actor,
    *,
    keys: Sequence[UUID] | None = None,
    as_of: datetime | None = None,
) -> MirrorRunView:
    """Put back what the store lacks and the mirror has; only these `keys`, or else what there was at `as_of`.

    Nothing that is there is overwritten. Refused unless the account is open, for it is written to.
    """
    cell = _cell(session, organisation_id)
    asked: dict[str, Any] = {}
    if keys is not None:
        asked["keys"] = [str(key) for key in _few(keys)]
    elif as_of is not None:
        asked["as_of"] = as_of.astimezone(UTC).isoformat()
    _require_open(session, cell, organisation_id)
    return _ask(session, organisation_id, "restore", asked, actor)


def _few(keys: Sequence[UUID]) -> list[UUID]:
    if 0 < len(keys) <= MOST_KEYS:
        return sorted(set(keys))
    message = "Name 1 to {most} objects, or none to restore all that is missing."
    raise Refusal("mirror_keys_many", message, field="keys", most=MOST_KEYS)


def _cell(session: Session, organisation_id: UUID) -> CellView:
    """The cell of an organisation that is mirrored."""
    place = placement.where(session, organisation_id)
    if place is None:
        raise not_found("mirror")
    cell = placement.cell(session, place.cell)
    if open_mirror(cell.store, vault_of(session), cell.name) is None:
        message = "The store of the cell {cell} has no backup mirror."
        raise Refusal("mirror_off", message, status=409, cell=cell.name)
    if reading_keys(session, vault_of(session), organisation_id) is None:
        message = "This organisation has no files in a store: there is nothing to mirror, and nowhere to restore to."
        raise Refusal("mirror_nothing", message, status=409)
    return cell


def _require_open(session: Session, cell: CellView, organisation_id: UUID) -> None:
    store = open_store(cell.store, vault_of(session), cell.name)
    try:
        usage = store.usage(bucket_name(organisation_id), account_name(organisation_id))
    finally:
        if isinstance(store, CephObjectStore):
            store.close()
    if usage is None or usage.mode != "open":
        raise closed()


def _due(session: Session, organisation_id: UUID) -> None:
    at_once = {"due_at": func.now(), "asked_at": func.now(), "turn_at": None}
    row = insert(Mirror).values(organisation_id=organisation_id, **at_once)
    session.execute(row.on_conflict_do_update(index_elements=["organisation_id"], set_=at_once))


def _ask(session: Session, organisation_id: UUID, kind: str, asked: dict[str, Any], actor: Actor) -> MirrorRunView:
    # Whoever asks at the same moment waits here, and then finds this one.
    _due(session, organisation_id)
    if ledger.open_run(session, organisation_id) is not None:
        message = "A verification or restoration of this organisation is under way already; wait until it has ended."
        raise Refusal("mirror_busy", message, status=409)
    expected = session.scalar(select(Mirror.objects).where(Mirror.organisation_id == organisation_id))
    run = MirrorRun(
        id=new_id(),
        organisation_id=organisation_id,
        kind=kind,
        asked=asked,
        requested_by=actor.as_json(),
        expected=len(asked["keys"]) if "keys" in asked else expected,
    )
    session.add(run)
    session.flush()
    facts = {"run": str(run.id), **asked}
    verb = {"verify": "mirror.verification_asked", "restore": "mirror.restoration_asked"}[kind]
    audit.record(session, verb, actor=actor, organisation_id=organisation_id, data=facts)
    return mirror_run(session, run.id)
