"""The same with real processes: kill -9, and a worker stopped past its lease that goes on afterwards."""

import signal
import subprocess
import sys
from uuid import UUID

import pytest

from tests.faults.crashes import CrashPoint
from tests.world.house import House
from tests.world.waiting import eventually, stands

SAMPLE = [
    CrashPoint("slot", "effect"),
    CrashPoint("storage", "before"),
    CrashPoint("storage", "effect"),
    CrashPoint("owner", "commit"),
    CrashPoint("route", "effect"),
]


def victim(house: House, organisation: UUID, crash: CrashPoint, sent: signal.Signals) -> "subprocess.Popen[bytes]":
    arguments = (
        house.control_url,
        house.vault.master.hex(),
        str(organisation),
        crash.step,
        crash.point,
        str(int(sent)),
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.victim", *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"here\n"
    return process


@pytest.mark.parametrize("crash", SAMPLE, ids=str)
def test_a_killed_process_leaves_exactly_one_of_everything(house: House, crash: CrashPoint) -> None:
    organisation = house.order()
    with victim(house, organisation, crash, signal.SIGKILL) as process:
        assert process.wait(60) == -signal.SIGKILL
    house.settle(organisation)
    assert house.state(organisation) == "live"
    assert house.complaints(organisation) == []


@pytest.mark.parametrize("crash", [CrashPoint("slot", "before"), CrashPoint("storage", "before")], ids=str)
def test_a_stopped_process_cannot_bring_back_what_was_removed_meanwhile(house: House, crash: CrashPoint) -> None:
    organisation = house.order()
    with victim(house, organisation, crash, signal.SIGSTOP) as process:
        house.close_and_erase(organisation)
        house.settle_for_good(organisation)
        eventually(lambda: stands(process.pid))
        process.send_signal(signal.SIGCONT)
        assert process.wait(60) == 0
    assert house.state(organisation) == "erased"
    assert house.complaints(organisation) == []
