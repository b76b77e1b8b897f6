"""The loop: claim a due row, run its next step, commit under the fence, repeat.

A step runs outside any transaction, so it may be repeated, and a frozen worker may finish one long after its lease has
gone to another. Neither does harm: steps ensure; cells, stores and every commit here turn
older fences away.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from control_plane import placement, storage
from control_plane.provisioning import ledger, settling
from control_plane.provisioning.ledger import Wish
from control_plane.provisioning.noting import note
from control_plane.provisioning.order import Order, from_json
from control_plane.provisioning.outcome import OnSettled
from control_plane.provisioning.pace import Pace, Trouble, Ways
from control_plane.provisioning.registry import step_names
from control_plane.provisioning.steps import STEPS, StepSpec
from control_plane.provisioning.world import Effect, Run, World
from control_plane.storage import Keyring
from kit import logs
from kit.db import transaction
from kit.errors import Refusal, Unavailable

log = logs.get(__name__)

# What a store says that has more to remove than fits into one call.
REMOVING = "removing"

Watch = Callable[[str, str], None]
"""Told `before`, `effect` and `commit` of each step by name; a test kills and freezes here."""


@dataclass(frozen=True)
class Turn:
    """A claim with the steps that are left. `run` is None where nothing is left to be reached.

    `operation_id` is the operation whose ledger is written; None for a quiet look for drift.
    """

    wish: Wish
    steps: tuple[str, ...]
    run: Run | None
    operation_id: UUID | None
    changed: tuple[str, ...] = ()


class Loop:
    """Brings organisations to what is wanted. Any number of loops may run, in any number of processes."""

    def __init__(
        self,
        engine: Engine,
        world: World,
        on_settled: OnSettled,
        *,
        pace: Pace | None = None,
        steps: Mapping[str, StepSpec] | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.engine = engine
        self.world = world
        self.pace = pace or Pace()
        self.ways = Ways(on_settled, self.pace)
        self.steps = steps or STEPS
        self.watch: Watch = watch or _unwatched

    def run_due(self, limit: int = 100) -> int:
        """Work on rows whose time has come; says on how many."""
        with transaction(self.engine) as session:
            ids = ledger.due(session, limit)
        return sum(self._run_safely(organisation_id) for organisation_id in ids)

    def _run_safely(self, organisation_id: UUID) -> bool:
        try:
            return self.run(organisation_id)
        except Exception:
            # One organisation's trouble is not the others'; its lease ends by itself.
            log.exception("the loop stumbled", organisation_id=str(organisation_id))
            return False

    def run(self, organisation_id: UUID) -> bool:
        """Work on one organisation until it is settled, must wait, or the lease is lost. False if it was not due."""
        with self.engine.connect() as connection:
            return _Worker(self, connection).run(organisation_id)


class _Worker:
    """One run on one organisation, on one connection."""

    def __init__(self, loop: Loop, connection: Connection) -> None:
        self.connection = connection
        self.world = loop.world
        self.pace = loop.pace
        self.ways = loop.ways
        self.steps = loop.steps
        self.watch = loop.watch

    def run(self, organisation_id: UUID) -> bool:
        turn = self._claim(organisation_id)
        if turn is None:
            return False
        while turn is not None:
            turn = self._advance(turn)
        return True

    def _claim(self, organisation_id: UUID) -> Turn | None:
        with transaction(self.connection) as session:
            wish = ledger.claim(session, organisation_id, self.pace.lease)
            if wish is None:
                return None
            turn = self._turn(session, wish)
            return self._give_up(session, turn) if self._deadly(turn) else turn

    def _deadly(self, turn: Turn) -> bool:
        """Whether its workers keep dying. A removal goes on all the same: it is never given up."""
        making = turn.operation_id is not None and turn.wish.desired != "absent" and bool(turn.steps)
        return making and turn.wish.attempts >= self.pace.attempts

    def _give_up(self, session: Session, turn: Turn) -> Turn | None:
        """Workers have died at this step again and again: it counts as failed, before it kills one more."""
        lost = Trouble("worker_lost", "The worker stopped in the middle of this step, several times.", final=False)
        if not settling.trouble(session, turn.wish, turn.steps[0], lost, self.ways):
            return None
        newest = ledger.hold_on(session, turn.wish, self.pace.lease, attempts=0)
        return None if newest is None else self._turn(session, newest)

    def _turn(self, session: Session, wish: Wish) -> Turn:
        """What is to be done for a wish, with its first step marked as running.

        A wish whose operation was given up is tried quietly, as drift is.
        """
        opened = None if wish.settled else ledger.open_operation(session, wish.operation_id)
        if opened is None or wish.operation_id is None:
            names = step_names(wish.desired, first=False)  # type: ignore[arg-type]
            return Turn(wish, tuple(names), self._run(session, wish), None)
        kind, begins = opened
        if begins:
            settling.begin(session, wish, kind, self.ways)
        names = ledger.remaining(session, wish.operation_id)
        if names:
            ledger.begin_step(session, wish.operation_id, names[0])
        return Turn(wish, tuple(names), self._run(session, wish), wish.operation_id)

    def _run(self, session: Session, wish: Wish) -> Run | None:
        place = placement.where(session, wish.organisation_id)
        if place is None:
            return None
        order = from_json(wish.order)
        seals = self.world.seals_of(session, place)
        return Run(
            organisation_id=wish.organisation_id,
            order=order,
            generation=wish.generation,
            fence=wish.fence,
            place=place,
            database=self.world.databases.get(session, place.database_id),
            store=self.world.store_of(placement.cell(session, place.cell)),
            keyring=self._keyring(session, wish, order),
            seals=seals,
            identity=self.world.identity_of(session, seals, wish.organisation_id),
        )

    def _keyring(self, session: Session, wish: Wish, order: Order) -> Keyring:
        """Made here if need be: committed with the claim, before the store hears of it."""
        if wish.desired == "absent":
            return storage.leaving(session, self.world.vault, wish.organisation_id)
        return storage.keyring(session, self.world.vault, wish.organisation_id, tenant=order.own_keys)

    def _advance(self, turn: Turn) -> Turn | None:
        """Run one step and commit it; the next turn, or None when this worker is done here."""
        if turn.run is None or not turn.steps:
            with transaction(self.connection) as session:
                return self._end(session, turn, None)
        name = turn.steps[0]
        self.watch("before", name)
        began = time.perf_counter()
        try:
            effect = self.steps[name].act(turn.run, self.world)
        except Exception as error:  # noqa: BLE001 - whatever it is goes into the ledger
            return self._failed(turn, name, error)
        self.watch("effect", name)
        following = self._commit(turn, name, effect, (time.perf_counter() - began) * 1000)
        self.watch("commit", name)
        return following

    def _commit(self, turn: Turn, name: str, effect: Effect, milliseconds: float) -> Turn | None:
        with transaction(self.connection) as session:
            # A look for drift begins at the first step each time: only its end says that all went well.
            fresh = {} if turn.operation_id is None else {"attempts": 0}
            wish = ledger.hold_on(session, turn.wish, self.pace.lease, **fresh)
            if wish is None:
                log.info("the lease was lost", organisation_id=str(turn.wish.organisation_id), step=name)
                return None
            run = turn.run and note(session, turn.run, name, effect)
            newer = wish.generation != turn.wish.generation
            following = turn.steps[1] if len(turn.steps) > 1 and not newer else None
            if turn.operation_id is not None:
                ledger.finish_step(session, turn.operation_id, name, (milliseconds, effect.changed), following)
            if newer:
                return self._turn(session, wish)
            changed = (*turn.changed, name) if effect.changed else turn.changed
            after = Turn(wish, turn.steps[1:], run, turn.operation_id, changed)
            return after if following else self._end(session, after, wish)

    def _end(self, session: Session, turn: Turn, held: Wish | None) -> Turn | None:
        """All steps are done: what was wanted is true. A newer wish that came meanwhile goes on at once."""
        wish = held or ledger.hold_on(session, turn.wish, self.pace.lease)
        if wish is None:
            return None
        if wish.generation != turn.wish.generation:
            return self._turn(session, wish)
        if wish.settled:
            settling.checked(session, wish, turn.changed, self.ways)
        else:
            settling.settle(session, wish, self.ways)
        return None

    def _failed(self, turn: Turn, name: str, error: Exception) -> Turn | None:
        """Write down what went wrong; wait for another try, or give up and go the other way at once."""
        why = explain(error)
        facts = {"organisation_id": str(turn.wish.organisation_id), "step": name, "code": why.code}
        if why.code == "fenced":
            log.info("a newer lease works here", **facts)
            return None
        if why.code == REMOVING:
            return self._goes_on(turn, name, why)
        if isinstance(error, Unavailable | Refusal):
            log.warning("a step went wrong", error=why.words, **facts)
        else:
            log.error("a step went wrong", exc_info=error, **facts)
        with transaction(self.connection) as session:
            wish = ledger.hold_on(session, turn.wish, self.pace.lease, attempts=turn.wish.attempts + 1)
            if wish is None:
                return None
            if wish.generation == turn.wish.generation:
                if turn.operation_id is None:
                    settling.check_troubled(session, wish, name, why, self.ways)
                    return None
                if not settling.trouble(session, wish, name, why, self.ways):
                    return None
            newest = ledger.hold_on(session, wish, self.pace.lease, attempts=0)
            return None if newest is None else self._turn(session, newest)

    def _goes_on(self, turn: Turn, name: str, why: Trouble) -> Turn | None:
        """A bite of a long removal is done. It is no failure: the next one comes at once, after those who wait."""
        with transaction(self.connection) as session:
            wish = ledger.hold_on(session, turn.wish, self.pace.lease, attempts=0)
            if wish is None or wish.generation != turn.wish.generation:
                return None if wish is None else self._turn(session, wish)
            settling.go_on(session, wish, None if turn.operation_id is None else name, why)
            return None


def _unwatched(_point: str, _step: str) -> None:
    return None


def explain(error: Exception) -> Trouble:
    """An error as code and words for the ledger, and whether trying again is pointless."""
    if isinstance(error, Refusal):
        return Trouble(error.code, str(error)[:500], final=True)
    if isinstance(error, Unavailable):
        return Trouble(error.code, (error.detail or error.code)[:500], final=False)
    return Trouble("unexpected", f"{type(error).__name__}: {error}"[:500], final=False)
