"""Asking a cell's object store while somebody waits: opened once in a process, and never waited for long."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from control_plane import storage
from control_plane.placement import CellView
from control_plane.storage import ObjectStore
from kit.db import vault_of
from kit.errors import Unavailable

Answer = TypeVar("Answer")

# A store that did not answer in time is not asked again for so long: a page of it costs nobody a wait twice.
SILENCE = 5.0

_opened: dict[UUID, tuple[dict[str, Any], ObjectStore]] = {}
_silent_until: dict[tuple[UUID, str], float] = {}
_lock = threading.Lock()


def store_of(session: Session, cell: CellView) -> ObjectStore:
    """The object store of a cell, which the process shares; opened anew when its settings have changed."""
    with _lock:
        known = _opened.get(cell.id)
        if known is None or known[0] != cell.store:
            known = _opened[cell.id] = cell.store, storage.open_store(cell.store, vault_of(session), cell.name)
            for what in ("store", "mirror"):
                _silent_until.pop((cell.id, what), None)
        return known[1]


def ask_store(cell: CellView, work: Callable[[], Answer], seconds: float) -> Answer:
    """What `work` learns of the cell's store, or `Unavailable("store_silent")` when that takes too long.

    What was begun goes on by itself and is forgotten: the store's own calls are bounded, but not for a person's wait.
    """
    return _ask(cell, "store", work, seconds)


def ask_mirror(cell: CellView, work: Callable[[], Answer], seconds: float) -> Answer:
    """The same, of the mirror of the cell's store."""
    return _ask(cell, "mirror", work, seconds)


def _ask(cell: CellView, what: str, work: Callable[[], Answer], seconds: float) -> Answer:
    if _silent_until.get((cell.id, what), 0.0) > monotonic():
        raise Unavailable("store_silent", f"the {what} of {cell.name} did not answer a moment ago")
    try:
        return _begun(work).result(seconds)
    except TimeoutError as error:
        _silent_until[cell.id, what] = monotonic() + SILENCE
        raise Unavailable("store_silent", f"the {what} of {cell.name} did not answer in {seconds:g} s") from error


def _begun(work: Callable[[], Answer]) -> "Future[Answer]":
    """Begin it in a thread that no end of the process waits for."""
    future: Future[Answer] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
