"""Accounts and buckets without an owner: since when each has been seen so, and its removal by hand.

Nothing removes them by itself: what is nobody's by our own books may be a mistake of the books.
"""

import re
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Engine, delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from control_plane import audit, placement, storage
from control_plane.audit import Actor
from control_plane.provisioning.models import OrphanSighting, Provisioning
from control_plane.provisioning.orphans import Orphan, orphans
from control_plane.provisioning.world import World
from kit.db import transaction
from kit.errors import Refusal, Unavailable

OURS = re.compile(r"org-(?P<id>[0-9a-f]{32})")
OLD_ENOUGH = timedelta(days=1)
IN_STORES = ("account", "bucket")
# Of an organisation that the loop has never heard of: nobody's lease is higher.
NOBODY = 2**53


def note_orphans(engine: Engine, world: World) -> list[Orphan]:
    """Look for what is out of place, and remember since when the stores have had what is nobody's."""
    found = orphans(engine, world)
    seen = {(one.cell, one.kind, one.name) for one in found if one.kind in IN_STORES}
    blind = {one.cell for one in found if one.kind == "unreachable"}
    with transaction(engine) as session:
        if seen:
            rows = [{"cell": cell, "kind": kind, "name": name} for cell, kind, name in sorted(seen)]
            session.execute(insert(OrphanSighting).values(rows).on_conflict_do_nothing())
        # What has an owner again, or is gone, is forgotten; a store that could not be looked into proves neither.
        stale = delete(OrphanSighting).where(OrphanSighting.cell.not_in(blind))
        if seen:
            where = tuple_(OrphanSighting.cell, OrphanSighting.kind, OrphanSighting.name)
            stale = stale.where(where.not_in(seen))
        session.execute(stale)
    return found


def sightings(session: Session) -> list[OrphanSighting]:
    """Accounts and buckets that have no owner, the longest known first."""
    query = select(OrphanSighting).order_by(OrphanSighting.first_seen_at, OrphanSighting.cell, OrphanSighting.name)
    return list(session.scalars(query))


def remove_orphan(  # noqa: PLR0917 - what, where and by whom
    engine: Engine, world: World, cell: str, name: str, actor: Actor, seconds: float = 20.0
) -> bool:
    """Remove an account and its bucket, with all that lies there, that have been nobody's for a day.

    False if they are gone already. `Unavailable("removing")` when that takes longer: call it again.
    """
    organisation_id = _named(name)
    with transaction(engine) as session:
        fence = _checked(session, cell, name, organisation_id)
        store = world.store_of(placement.cell(session, cell))
        audit.record(session, "orphan.removal_asked", actor=actor, data={"cell": cell, "name": name})
    removed = any(name in names for names in store.inventory())
    if removed:
        _empty(store, name, organisation_id, fence, time.monotonic() + seconds)
    with transaction(engine) as session:
        mine = (OrphanSighting.cell == cell, OrphanSighting.name == name)
        session.execute(delete(OrphanSighting).where(*mine))
        if removed:
            audit.record(session, "orphan.removed", actor=actor, data={"cell": cell, "name": name})
    return removed


def _named(name: str) -> UUID:
    found = OURS.fullmatch(name)
    if not found:
        message = "“{name}” is not the name of an organisation's account: it is not ours to remove."
        raise Refusal("not_ours", message, field="name", name=name)
    return UUID(found["id"])


def _checked(session: Session, cell: str, name: str, organisation_id: UUID) -> int:
    """The fence for the removal; refused where somebody owns it, or has had it until lately."""
    row = session.get(Provisioning, organisation_id, with_for_update=True)
    place = placement.where(session, organisation_id)
    if (place is not None and place.cell == cell) or (place is None and row is not None and row.desired != "absent"):
        raise Refusal("has_owner", "This belongs to an organisation.", field="name", status=409)
    query = select(OrphanSighting.first_seen_at).where(OrphanSighting.cell == cell, OrphanSighting.name == name)
    since = list(session.scalars(query))
    if not since:
        message = "This has not been found without an owner. The next look for orphans would note it."
        raise Refusal("not_an_orphan", message, field="name", status=409)
    if max(since) > datetime.now(UTC) - OLD_ENOUGH:
        message = "This has been without an owner for less than a day: wait, it may be on its way."
        raise Refusal("orphan_too_young", message, field="name", status=409)
    return NOBODY if row is None else row.fence + 1


def _empty(store: storage.ObjectStore, name: str, organisation_id: UUID, fence: int, deadline: float) -> None:
    # A key that is kept nowhere: nobody else may have one.
    key = storage.passing_access_key(organisation_id)
    while True:
        try:
            store.remove(name, name, key, fence)
            return
        except Unavailable as trouble:
            if trouble.code != "removing" or time.monotonic() > deadline:
                raise
