"""Ringing never keeps the one who orders waiting, and never fails him."""

import pytest

from control_plane.embedded.ports import free_port
from kit import celery
from kit.ids import new_id


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Where Kombu would pause between two attempts: the seconds it would take."""
    taken: list[float] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", taken.append)
    return taken


def test_a_broker_that_is_away_is_forgiven_at_once(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    monkeypatch.setenv("PARVIS_BROKER_URL", f"redis://127.0.0.1:{free_port()}/0")
    celery.ring(new_id())
    assert sum(pauses) < 1


def test_with_kombus_own_patience_the_same_ring_waits(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    """The broken control."""
    patient = {name: value for name, value in celery.TRANSPORT.items() if name not in celery.IMPATIENT}
    monkeypatch.setitem(celery.CONFIGURATION, "broker_transport_options", patient)
    monkeypatch.setenv("PARVIS_BROKER_URL", f"redis://127.0.0.1:{free_port()}/0")
    celery.ring(new_id())
    assert sum(pauses) >= 3


def test_no_broker_at_all_is_forgiven(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    monkeypatch.delenv("PARVIS_BROKER_URL", raising=False)
    celery.ring(new_id())
    assert pauses == []
