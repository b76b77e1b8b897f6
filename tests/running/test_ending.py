"""How the tenant app's worker ends in the middle of a round."""

import asyncio
from typing import cast

import pytest

from tenant_app import worker
from tenant_app.worker import Worker, _come_round


class Rounds:
    """A worker each of whose rounds ends when it is let go."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.let_go = asyncio.Event()
        self.ended: list[str] = []

    async def round(self) -> int:
        self.begun.set()
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.ended.append("broken off")
            raise
        self.ended.append("done")
        return 0


async def told_to_stop(rounds: Rounds) -> "asyncio.Task[None]":
    """It comes round and is told to stop in the middle of its first round."""
    stop = asyncio.Event()
    running = asyncio.create_task(_come_round(cast("Worker", rounds), stop))
    await rounds.begun.wait()
    stop.set()
    return running


@pytest.mark.anyio
async def test_what_is_under_way_is_done_before_it_ends() -> None:
    rounds = Rounds()
    running = await told_to_stop(rounds)
    await asyncio.sleep(0.1)
    assert not running.done()
    rounds.let_go.set()
    await asyncio.wait_for(running, 60)
    assert rounds.ended == ["done"]


@pytest.mark.anyio
async def test_what_takes_too_long_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "GRACE", 0.1)
    rounds = Rounds()
    running = await told_to_stop(rounds)
    await asyncio.wait_for(running, 60)
    assert rounds.ended == ["broken off"]
