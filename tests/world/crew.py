"""The background processes of a house: the worker and the sweep, real ones."""

import base64
import os
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

from control_plane.embedded import ports
from tests.world.house import House

LATE = 90.0


class Crew:
    """The worker and the sweep of a house, as `parvis up` starts them."""

    def __init__(self, house: House, broker: str, folder: Path) -> None:
        self.house, self.broker, self.folder = house, broker, folder
        self.health = ports.free_port()
        key = folder / "master.key"
        key.write_text(base64.b64encode(house.vault.master).decode())
        self.env = {
            **os.environ,
            "PARVIS_DATABASE_URL": house.control_url,
            "PARVIS_BROKER_URL": broker,
            "PARVIS_MASTER_KEY_FILE": str(key),
            "PARVIS_SMTP_URL": "smtp://127.0.0.1:1",
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, role: str, **env: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "control_plane.worker", role]
        with (self.folder / f"{role}.log").open("ab") as log:
            self.processes[role] = subprocess.Popen(command, env={**self.env, **env}, stdout=log, stderr=log)
        return self.processes[role]

    def stop(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            process.wait(60)

    def wait_until(self, *organisations: UUID, state: str = "live") -> float:
        """The seconds until all are in this state."""
        began = time.monotonic()
        while {self.house.state(one) for one in organisations} != {state}:
            assert time.monotonic() - began < LATE, (self.folder / "celery.log").read_text()[-3000:]
            time.sleep(0.05)
        return time.monotonic() - began

    def log(self, role: str) -> str:
        return (self.folder / f"{role}.log").read_text()
