"""Upgrades a cell database in a process of its own, to be killed: `python -m tests.contract.upgrader ADMIN_URL`."""

import sys

from tenant_app.contract import CellDatabase


def main(admin_url: str) -> None:
    database = CellDatabase(admin_url)
    database.health()
    print("ready", flush=True)
    sys.stdin.readline()
    database.upgrade()


if __name__ == "__main__":
    main(*sys.argv[1:])
