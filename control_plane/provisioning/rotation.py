"""Rotating an organisation's keys: on demand, by age, and the end of an old key once nobody can be using it.

An access key is followed like this: a new one is committed; the loop puts it beside the old one into the store, then
publishes it. The old one goes once every process of the cell's tenant app has confirmed a directory that names the new
one, and what was signed until then has run out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from control_plane import audit, placement, storage
from control_plane.audit import SYSTEM, Actor
from control_plane.provisioning.models import Operation, Provisioning
from control_plane.provisioning.order import Desired, Kind, from_json
from control_plane.provisioning.service import UNFINISHED, locked, operation, want
from control_plane.provisioning.world import World
from control_plane.storage import Overlap
from kit import logs
from kit.db import transaction, vault_of
from kit.errors import Refusal, Unavailable

MOST_AT_ONCE = 50

log = logs.get(__name__)


@dataclass(frozen=True)
class Grace:
    """How long to wait before an old key counts as unused.

    A process that was `silent` for so long counts as gone; a `signed` address lives no longer than that; the `margin`
    is for requests under way and for clocks.
    """

    silent: timedelta = timedelta(seconds=120)
    signed: timedelta = timedelta(seconds=60)
    margin: timedelta = timedelta(seconds=30)


def rotate_store_key(session: Session, organisation_id: UUID, actor: Actor, why: str = "asked") -> Operation:
    """Give the organisation a new access key to its store; the old one goes by itself once it is unused."""
    row = _at_rest(session, organisation_id)
    made = storage.next_store_key(session, vault_of(session), organisation_id)
    facts = {"version": made.version, "key_id": made.key_id, "why": why}
    audit.record(session, "store_key.rotated", actor=actor, organisation_id=organisation_id, data=facts)
    return _go(session, row, "rotate", actor)


def rotate_data_key(session: Session, organisation_id: UUID, actor: Actor, why: str = "asked") -> Operation:
    """Give the organisation a new data key: it seals its secrets and encrypts its new files.

    The one before is destroyed at once, unless it encrypts files: then it stays until these are gone.
    """
    row = _at_rest(session, organisation_id)
    made = storage.next_data_key(session, vault_of(session), organisation_id)
    facts = {"version": made.version, "why": why}
    audit.record(session, "data_key.rotated", actor=actor, organisation_id=organisation_id, data=facts)
    return _go(session, row, "rotate", actor)


def _at_rest(session: Session, organisation_id: UUID) -> Provisioning:
    """The organisation's row, locked; refused while something is under way or nothing is to be there."""
    row = locked(session, organisation_id)
    if row.desired == "absent":
        raise Refusal("wrong_state", "There are no keys to rotate in this state.", status=409)
    if _under_way(session, row):
        message = "Something is under way already; rotate the keys when it has ended."
        raise Refusal("operation_running", message, status=409)
    return row


def _under_way(session: Session, row: Provisioning) -> bool:
    return row.operation_id is not None and operation(session, row.operation_id).state in UNFINISHED


def _go(session: Session, row: Provisioning, kind: Kind, actor: Actor) -> Operation:
    desired: Desired = row.desired  # type: ignore[assignment]
    return want(session, row.organisation_id, desired, from_json(row.order), kind, actor)


def keep_keys(engine: Engine, world: World, days: int, grace: Grace | None = None) -> int:
    """End the overlaps that may end, then rotate the access keys that are older than so many days (0: none are).

    Says how many steps it made; for the sweep.
    """
    ended = end_overlaps(engine, world, grace or Grace())
    return ended + (rotate_aged(engine, days) if days else 0)


def rotate_aged(engine: Engine, days: int) -> int:
    """Rotate the oldest access keys, some at a time so that gateways and cells are not flooded."""
    with transaction(engine) as session:
        old = storage.aged(session, days)
    rotated = 0
    for organisation_id in old:
        if rotated == MOST_AT_ONCE:
            break
        with _one(organisation_id), transaction(engine) as session:
            rotate_store_key(session, organisation_id, SYSTEM, "schedule")
            rotated += 1
    return rotated


@contextmanager
def _one(organisation_id: UUID) -> Iterator[None]:
    """One organisation's trouble is not the others'; what is under way there is waited for."""
    try:
        yield
    except (Refusal, Unavailable) as error:
        log.debug("a key waits", organisation_id=str(organisation_id), code=error.code)


def end_overlaps(engine: Engine, world: World, grace: Grace) -> int:
    """Look which old keys are unused, and let the store forget those that have been for long enough."""
    with transaction(engine) as session:
        waiting = storage.overlaps(session)
    served = _Served(engine, world, grace)
    done = 0
    for overlap in waiting:
        with _one(overlap.organisation_id):
            done += _look(engine, served, overlap, grace)
    return done


class _Served:
    """The oldest directory that each cell database's processes serve; asked once in a round."""

    def __init__(self, engine: Engine, world: World, grace: Grace) -> None:
        self._engine, self._world, self._grace = engine, world, grace
        self._known: dict[UUID, int | None] = {}

    def has(self, overlap: Overlap) -> bool:
        """Whether every living process serves what published the newer key."""
        with transaction(self._engine) as session:
            place = placement.where(session, overlap.organisation_id)
            if place is None or overlap.directory_version is None:
                return False
            database = self._world.databases.get(session, place.database_id)
        if place.database_id not in self._known:
            self._known[place.database_id] = database.served(self._grace.silent)
        oldest = self._known[place.database_id]
        return oldest is None or oldest >= overlap.directory_version


def _look(engine: Engine, served: _Served, overlap: Overlap, grace: Grace) -> bool:
    if overlap.confirmed_at is None:
        if not served.has(overlap):
            return False
        with transaction(engine) as session:
            storage.note_confirmed(session, overlap)
    with transaction(engine) as session:
        return _end(session, overlap, grace)


def _end(session: Session, overlap: Overlap, grace: Grace) -> bool:
    row = locked(session, overlap.organisation_id)
    if row.desired == "absent" or _under_way(session, row):
        return False
    ended = storage.end_use(session, overlap, grace.signed + grace.margin)
    if ended is None:
        return False
    facts = {"version": overlap.version, "key_id": ended.key_id, "last_use_ended_at": ended.at.isoformat()}
    audit.record(session, "store_key.ended", actor=SYSTEM, organisation_id=overlap.organisation_id, data=facts)
    _go(session, row, "retire", SYSTEM)
    return True
