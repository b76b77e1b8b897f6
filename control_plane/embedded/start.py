"""The way into the embedded mode: one call, words for people on standard output, the log in var/log."""

import os
from pathlib import Path

from control_plane.embedded.errors import EmbeddedError
from control_plane.embedded.house import House, ceph_from_env, port_from_env
from kit import logs
from kit.settings import SettingError, log_level


def _say(words: str) -> None:
    print(words, flush=True)  # noqa: T201 - this is a command


def up(port: int | None = None, folder: Path | None = None, *, ceph: bool = False) -> int:
    """Run the whole product in `folder` (its data in `folder/var`) until Ctrl C; the exit code.

    `port` is PARVIS_PORT unless given. With `ceph` (or PARVIS_CEPH=1) a new installation keeps its files in a Ceph.
    What keeps it from starting is told in plain words, with exit code 1.
    """
    # Nobody else on this machine reads what is kept here.
    os.umask(0o077)
    try:
        house = House((folder or Path.cwd()).resolve(), port or port_from_env())
        level, wants_ceph = log_level(), ceph or ceph_from_env()
        lock = house.open()
    except (SettingError, EmbeddedError, OSError) as error:
        _say(f"parvis up: {error}")
        return 1
    with lock:
        house.turn_logs()
        with house.log("supervisor").open("a") as stream:
            logs.configure(level, process="supervisor", stream=stream)
            return _serve(house, wants_ceph=wants_ceph)


def _serve(house: House, *, wants_ceph: bool) -> int:
    import uvloop

    from control_plane.embedded import stores
    from control_plane.embedded.supervisor import serve

    try:
        stores.settle(house, wants_ceph=wants_ceph)
        uvloop.run(serve(house, _say))
    except EmbeddedError as error:
        logs.get("supervisor").exception("the start failed")
        _say(f"parvis up: {error}")
        return 1
    except Exception as error:  # noqa: BLE001 - whatever it is, the person at the terminal hears of it
        logs.get("supervisor").exception("the supervisor failed")
        _say(f"parvis up: {error} (details in {house.log('supervisor')})")
        return 1
    _say("Stopped.")
    return 0


def main(arguments: list[str]) -> int:
    """`python -m control_plane.embedded [--folder DIR]`."""
    folder = Path(arguments[1]) if len(arguments) == 2 and arguments[0] == "--folder" else None
    if arguments and folder is None:
        _say("usage: python -m control_plane.embedded [--folder DIR]")
        return 2
    return up(folder=folder)
