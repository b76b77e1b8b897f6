"""Upgrades a cell database and is killed in the midst: so many seconds after it began with so manieth a slot.

python -m tests.contract.upgrader ADMIN_URL SLOTS SECONDS
"""

import itertools
import os
import signal
import sys
import threading

from migrations.tenant import compiled
from tenant_app.contract import CellDatabase
from tenant_app.contract.connections import Connection
from tenant_app.contract.upgrading import Upgrading

_begun = itertools.count(1)


class Mortal(Upgrading):
    """Kills itself: whoever would do it from outside may come late, or before anything has begun."""

    def one(self, connection: Connection, slot: str) -> bool:
        if next(_begun) == int(sys.argv[2]):
            threading.Timer(float(sys.argv[3]), os.kill, (os.getpid(), signal.SIGKILL)).start()
        return super().one(connection, slot)


if __name__ == "__main__":
    Mortal(sys.argv[1], CellDatabase(sys.argv[1]).names, compiled()).round(None, None)
