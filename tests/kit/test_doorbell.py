"""Ringing never keeps the one who orders waiting, and never fails him."""

import time

import pytest

from control_plane.embedded.ports import free_port
from kit import celery
from kit.ids import new_id

KOMBUS_OWN_PAUSES = 6.0


def seconds_to_ring() -> float:
    began = time.monotonic()
    celery.ring(new_id())
    return time.monotonic() - began


def test_a_broker_that_is_away_is_forgiven_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARVIS_BROKER_URL", f"redis://127.0.0.1:{free_port()}/0")
    assert seconds_to_ring() < KOMBUS_OWN_PAUSES / 2


def test_with_kombus_own_patience_the_same_ring_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken control."""
    patient = {name: value for name, value in celery.TRANSPORT.items() if name not in celery.IMPATIENT}
    monkeypatch.setitem(celery.CONFIGURATION, "broker_transport_options", patient)
    monkeypatch.setenv("PARVIS_BROKER_URL", f"redis://127.0.0.1:{free_port()}/0")
    assert seconds_to_ring() >= KOMBUS_OWN_PAUSES / 2


def test_no_broker_at_all_is_forgiven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARVIS_BROKER_URL", raising=False)
    assert seconds_to_ring() < KOMBUS_OWN_PAUSES / 2
