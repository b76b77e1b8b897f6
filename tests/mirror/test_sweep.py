"""The sweep itself, as a process: it mirrors what is due without being asked, and ends when it is told to."""

import base64
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from kit.db import transaction, vault_of
from tests.mirror.town import BACKUP_SECRET, Org, Town
from tests.world.waiting import eventually

ROOT = Path(__file__).parents[2]


def started(town: Town, folder: Path, broker_url: str) -> "subprocess.Popen[bytes]":
    with transaction(town.engine) as session:
        master = base64.b64encode(vault_of(session).master).decode()
    key = folder / "master.key"
    key.write_text(master)
    key.chmod(0o600)
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PARVIS_")},
        "PARVIS_DATABASE_URL": town.engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
        "PARVIS_BROKER_URL": broker_url,
        "PARVIS_MASTER_KEY_FILE": str(key),
        "PARVIS_SITE_URL": "http://parvis.localhost:8080",
        "PARVIS_WORKSPACE_SUFFIX": ".parvis.localhost",
        "PARVIS_SMTP_URL": "smtp://127.0.0.1:9",
    }
    with (folder / "sweep.log").open("wb") as log:
        command = [sys.executable, "-m", "control_plane.worker", "sweep"]
        return subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=ROOT)


def seconds_to_serve(town: Town, org: Org) -> float:
    """How long it takes from a wish to its mirror, asked right after a round."""
    org.put(b"later")
    asked = time.monotonic()
    town.ask(org)
    eventually(lambda: not org.lacking, pause=0.2)
    return time.monotonic() - asked


def test_the_sweep_mirrors_what_is_due_and_ends_when_it_is_told(town: Town, tmp_path: Path, broker_url: str) -> None:
    org = town.organisation()
    org.small(20)
    process = started(town, tmp_path, broker_url)
    log = tmp_path / "sweep.log"
    try:
        eventually(lambda: town.seen(org).state == "whole" or process.poll() is not None, pause=0.2)
        assert process.poll() is None, log.read_text()
        assert org.same()
        # Whoever asks is served within seconds, not with the next round of a minute; for a machine that is too busy to
        # tell, he asks again.
        assert any(seconds_to_serve(town, org) < 45 for _ in range(3)), log.read_text()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait(60)
    assert BACKUP_SECRET not in log.read_text()
    assert org.key.secret not in log.read_text()
