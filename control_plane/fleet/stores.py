"""The cells' object stores: what they are, whether they are well, and taking one on only once it has proved fit."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from control_plane import placement
from control_plane.audit import Actor
from control_plane.fleet.asking import ask_store, store_of
from control_plane.placement import CellView
from control_plane.storage import REACHABLE, RIGHTS, Check
from kit.errors import Refusal, Refusals, Unavailable

SECONDS = 5.0
AT_ONCE = 16


@dataclass(frozen=True)
class StoreView:
    """A cell's store without its secrets, and what was seen of it just now.

    `endpoint` is where Parvis reaches it, `public_endpoint` where browsers do. With `own_keys` it can encrypt files by
    a key of each organisation's own.
    """

    cell: str
    kind: str
    endpoint: str | None
    public_endpoint: str | None
    region: str
    own_keys: bool
    checks: list[Check]

    @property
    def well(self) -> bool:
        """Whether nothing is wrong with it; a warning is not."""
        return all(one.ok for one in self.checks)


def stores(session: Session, cells: Iterable[CellView], *, seconds: float = SECONDS) -> list[StoreView]:
    """The stores of these cells, looked at side by side: one that hangs delays none, and the answer by `seconds`."""
    asked = [(cell, _checks(session, cell, seconds)) for cell in cells]
    with ThreadPoolExecutor(AT_ONCE) as side_by_side:
        found = list(side_by_side.map(lambda one: one[1](), asked))
    return [_view(cell, checks) for (cell, _), checks in zip(asked, found, strict=True)]


def _checks(session: Session, cell: CellView, seconds: float) -> Callable[[], list[Check]]:
    """What looks at a store; it needs the session no more."""
    try:
        store = store_of(session, cell)
    except (Refusal, Unavailable) as wrong:
        failed = [Check(name="the settings can be used", ok=False, detail=str(wrong))]
        return lambda: failed

    def look() -> list[Check]:
        try:
            return ask_store(cell, store.check, seconds)
        except Unavailable as gone:
            return [Check(name=REACHABLE, ok=False, detail=gone.detail or gone.code)]

    return look


def _view(cell: CellView, checks: list[Check]) -> StoreView:
    endpoint = cell.store.get("endpoint")
    return StoreView(
        cell=cell.name,
        kind=str(cell.store.get("kind")),
        endpoint=endpoint,
        public_endpoint=cell.store.get("public_endpoint") or endpoint,
        region=cell.store.get("region") or "default",
        own_keys=placement.keeps_own_keys(cell),
        checks=checks,
    )


def add_cell(  # noqa: PLR0917 - as a form has them
    session: Session, name: str, region: str, qualities: list[str], store: dict[str, Any], actor: Actor
) -> CellView:
    """A new cell whose store has proved fit: it answers, and its administrator's key has the rights that are needed.

    `store` has its secret in plain; it lies sealed. What is refused names its field, and leaves nothing in this
    transaction that may be kept.
    """
    cell = placement.add_cell(session, name, region, qualities, store, actor)
    failed = [one for one in store_of(session, cell).check() if not one.ok]
    if failed:
        raise Refusals([_fault(one) for one in failed])
    return cell


def _fault(check: Check) -> Refusal:
    """What a failed check says of the settings."""
    detail = check.detail or check.name
    if check.name == REACHABLE:
        message = "No Ceph gateway answers there: {detail}"
        return Refusal("store_unreachable", message, field="store.endpoint", detail=detail)
    if check.name == RIGHTS:
        message = "The administrator's key was refused, or lacks rights: {detail}"
        return Refusal("store_rights", message, field="store.admin_key_id", detail=detail)
    message = "This store cannot be used. {check}: {detail}"
    return Refusal("store_unfit", message, field="store", check=check.name, detail=detail)
