"""A worker in a process of its own, which kills or stops itself at a crash point.

python -m tests.faults.victim CONTROL_URL MASTER_KEY_HEX ORGANISATION STEP POINT SIGNAL
"""

import os
import signal
import sys
from datetime import timedelta
from uuid import UUID

from control_plane import identity, organisations
from control_plane.placement import Databases
from control_plane.provisioning import Loop, Pace, World
from kit.db import open_engine
from kit.vault import Vault


def main(control_url: str, key: str, organisation: str, *where: str) -> None:
    step, point, number = where
    vault = Vault(bytes.fromhex(key))

    def watch(there: str, name: str) -> None:
        if (name, there) == (step, point):
            print("here", flush=True)
            os.kill(os.getpid(), signal.Signals(int(number)))

    world = World(vault, Databases(vault), ".parvis.localhost", "http://parvis.localhost:8080", identity.published)
    engine = open_engine(control_url, vault=vault)
    Loop(engine, world, organisations.settled, pace=Pace(lease=timedelta(seconds=0.25)), watch=watch).run(
        UUID(organisation)
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
