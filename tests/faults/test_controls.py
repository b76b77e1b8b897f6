"""The broken controls: take one protection away, and the same oracle must complain, or it proves nothing."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError

from control_plane.provisioning import STEPS, StepSpec, ledger
from control_plane.provisioning.world import Effect, Run, World
from kit.vault import Vault
from tests.faults.crashes import MAKING_POINTS, CrashPoint, Freezer
from tests.faults.naive import NaiveWorker
from tests.world.house import House, Killed, open_house


@pytest.fixture
def house(postgres: str, _template: str, vault: Vault) -> Iterator[House]:
    """Of one's own: what is broken here stays broken."""
    with open_house(postgres, _template, vault) as opened:
        yield opened


@pytest.mark.parametrize(
    "crash", [p for p in MAKING_POINTS if p.step != "slot" and str(p) != "before-storage"], ids=str
)
def test_the_oracle_catches_a_naive_worker_that_was_killed(house: House, crash: CrashPoint) -> None:
    organisation = house.order()
    with pytest.raises(Killed):
        NaiveWorker(house, crash).run(organisation)
    NaiveWorker(house).run(organisation)
    assert any("account" in complaint for complaint in house.complaints(organisation))


def test_the_oracle_catches_the_second_mail_of_a_naive_worker(house: House) -> None:
    organisation = house.order()
    with pytest.raises(Killed):
        NaiveWorker(house, CrashPoint("route", "effect")).run(organisation)
    NaiveWorker(house).run(organisation)
    assert f"sent twice: ready:{organisation}" in house.complaints(organisation)


def without_fences() -> dict[str, StepSpec]:
    """The steps, showing cells and stores always the same fence: nobody is ever turned away."""

    def unfenced(spec: StepSpec) -> StepSpec:
        def act(run: Run, world: World) -> Effect:
            return spec.act(replace(run, fence=1), world)

        return replace(spec, act=act)

    return {name: unfenced(spec) for name, spec in STEPS.items()}


def thaw_after_removal(house: House, crash: CrashPoint) -> UUID:
    organisation = house.order()
    freezer = Freezer(crash)

    def run_to_the_end() -> None:
        # Even so the database refuses to lead an erased organisation back to live; what stands outside it stays.
        with contextlib.suppress(DBAPIError):
            house.loop(freezer).run(organisation)

    worker = threading.Thread(target=run_to_the_end)
    worker.start()
    assert freezer.frozen.wait(60)
    house.close_and_erase(organisation)
    house.settle_for_good(organisation)
    assert house.complaints(organisation) == []
    freezer.thawed.set()
    worker.join(60)
    return organisation


@pytest.mark.parametrize("step", ["slot", "storage"])
def test_without_fences_a_frozen_worker_brings_back_what_was_removed(house: House, step: str) -> None:
    house.steps = without_fences()
    organisation = thaw_after_removal(house, CrashPoint(step, "before"))
    assert any(step in complaint or "account" in complaint for complaint in house.complaints(organisation))


def test_without_any_fence_a_frozen_worker_makes_the_whole_of_it_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.steps = without_fences()
    real = ledger.hold_on

    def whoever(session, wish, lease, **values):  # type: ignore[no-untyped-def]
        newest = real(session, wish, lease, **values)
        return newest or wish

    monkeypatch.setattr(ledger, "hold_on", whoever)
    organisation = thaw_after_removal(house, CrashPoint("slot", "before"))
    complaints = " ".join(house.complaints(organisation))
    assert "kind='slot'" in complaints
    assert "kind='account'" in complaints


def test_the_second_look_clears_away_what_a_frozen_worker_left_where_there_are_no_fences(house: House) -> None:
    house.steps = without_fences()
    organisation = house.order()
    freezer = Freezer(CrashPoint("storage", "before"))
    worker = threading.Thread(target=house.loop(freezer).run, args=(organisation,))
    worker.start()
    assert freezer.frozen.wait(60)
    house.close_and_erase(organisation)
    house.settle(organisation)
    freezer.thawed.set()
    worker.join(60)
    assert any("accounts=1" in complaint for complaint in house.complaints(organisation))
    house.settle_for_good(organisation)
    assert house.complaints(organisation) == []
