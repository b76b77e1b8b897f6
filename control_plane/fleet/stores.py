"""The cells' object stores and their mirrors: what they are, and whether they are well."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from sqlalchemy.orm import Session

from control_plane import placement, storage
from control_plane.fleet.asking import ask_mirror, ask_store, store_of
from control_plane.placement import CellView
from control_plane.storage import REACHABLE, Check, MirrorSummary
from kit.db import vault_of
from kit.errors import Refusal, Unavailable

SECONDS = 5.0
AT_ONCE = 16

Look = Callable[[], list[Check]]


@dataclass(frozen=True)
class StoreMirror:
    """The second store that a cell's store is copied to: what was seen of it just now, and how far the copies are."""

    checks: list[Check]
    summary: MirrorSummary

    @property
    def well(self) -> bool:
        """Whether the second store answers and every copy is as it should be."""
        troubled = self.summary.states.get("failing", 0) + self.summary.differing + self.summary.mismatches
        return all(one.ok for one in self.checks) and not troubled


@dataclass(frozen=True)
class StoreView:
    """A cell's store without its secrets, and what was seen of it just now.

    `endpoint` is where Parvis reaches it, `public_endpoint` where browsers do. With `own_keys` it can encrypt files by
    a key of each organisation's own. `mirror` is None where it is not mirrored.
    """

    cell: str
    kind: str
    endpoint: str | None
    public_endpoint: str | None
    region: str
    own_keys: bool
    checks: list[Check]
    mirror: StoreMirror | None

    @property
    def well(self) -> bool:
        """Whether nothing is wrong with it; a warning is not. Its mirror speaks for itself."""
        return all(one.ok for one in self.checks)


def stores(session: Session, cells: Iterable[CellView], *, seconds: float = SECONDS) -> list[StoreView]:
    """The stores of these cells, looked at side by side: one that hangs delays none, and the answer by `seconds`."""
    wanted = list(cells)
    looks: list[Look] = [
        look for cell in wanted for look in (_at_store(session, cell, seconds), _at_mirror(session, cell, seconds))
    ]
    with ThreadPoolExecutor(AT_ONCE) as side_by_side:
        found = iter(list(side_by_side.map(lambda look: look(), looks)))
    return [_view(session, cell, next(found), next(found)) for cell in wanted]


def _at_store(session: Session, cell: CellView, seconds: float) -> Look:
    """What looks at a store; it needs the session no more."""
    try:
        store = store_of(session, cell)
    except (Refusal, Unavailable) as wrong:
        return partial(list, [Check(name="the settings can be used", ok=False, detail=str(wrong))])
    return partial(_told, partial(ask_store, cell, store.check, seconds))


def _at_mirror(session: Session, cell: CellView, seconds: float) -> Look:
    look = partial(storage.check_mirror, cell.store, vault_of(session), cell.name)
    return partial(_told, partial(ask_mirror, cell, look, seconds))


def _told(look: Look) -> list[Check]:
    try:
        return look()
    except Unavailable as gone:
        return [Check(name=REACHABLE, ok=False, detail=gone.detail or gone.code)]
    except Refusal as wrong:
        return [Check(name="the settings can be used", ok=False, detail=str(wrong))]


def _view(session: Session, cell: CellView, checks: list[Check], mirror: list[Check]) -> StoreView:
    endpoint = cell.store.get("endpoint")
    return StoreView(
        cell=cell.name,
        kind=str(cell.store.get("kind")),
        endpoint=endpoint,
        public_endpoint=cell.store.get("public_endpoint") or endpoint,
        region=cell.store.get("region") or "default",
        own_keys=placement.keeps_own_keys(cell),
        checks=checks,
        mirror=StoreMirror(mirror, storage.mirror_summary(session, cell.name)) if cell.store.get("mirror") else None,
    )
