"""An organisation's storage as each side sees it: what was sold, what its workspace counts, what the store counts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from control_plane import audit, fleet, placement, provisioning, storage
from control_plane.audit import Actor
from control_plane.catalogue import Encryption
from control_plane.organisations.models import Organisation
from control_plane.organisations.service import entitled, get
from control_plane.organisations.usage import usage
from control_plane.provisioning import Operation
from control_plane.storage import KeysView, MirrorView
from kit.db import vault_of
from kit.errors import Refusal, Unavailable
from tenant_app.contract import CellDatabase, Usage

SECONDS = 4.0
# Below both, what is uploaded and removed at this very moment explains a difference.
SLACK_BYTES, SLACK_SHARE = 64 * 1024**2, 0.05
KIB = 1024
EXPECTED = ("live", "read_only", "suspended", "closing")
COMPARED = ("live", "read_only")

ROTATED: dict[str, Callable[[Session, UUID, Actor], Operation]] = {
    "store": provisioning.rotate_store_key,
    "data": provisioning.rotate_data_key,
}

Finding = Literal["files_missing", "bucket_missing", "limit_differs", "figures_differ"]
Agreement = Literal["agree", "differ", "unknown"]


@dataclass(frozen=True)
class StorageView:
    """What is known of an organisation's storage now. No secret is in it.

    `workspace` is the workspace's own count with what its last comparison found; None while it has reported nothing, or
    its cell is away. `store` is what the store says at this moment; None where it does not answer (`trouble` tells why
    in a code), and where it has nothing of the organisation. It should have something where it is `expected`. Both
    are compared, file by file, while the organisation is `comparable`. `mirror` is None where there is none.
    """

    organisation_id: UUID
    cell: str | None
    sold_bytes: int
    encryption: Encryption
    workspace: Usage | None
    store: storage.Usage | None
    trouble: str | None
    expected: bool
    comparable: bool
    keys: KeysView
    mirror: MirrorView | None

    @property
    def difference(self) -> int | None:
        """How many bytes the store counts more than the workspace; negative if it counts less."""
        if self.workspace is None or self.store is None:
            return None
        return self.store.used_bytes - self.workspace.storage_bytes

    @property
    def findings(self) -> list[Finding]:
        """What is not as it must be, the gravest first."""
        seen: dict[Finding, bool] = {
            "files_missing": self.workspace is not None and self.workspace.missing > 0,
            "bucket_missing": self.expected and self.store is None and self.trouble is None,
            "limit_differs": self.store is not None and self.store.quota_bytes != -(-self.sold_bytes // KIB) * KIB,
            "figures_differ": abs(self.difference or 0) > self._slack(),
        }
        return [name for name, found in seen.items() if found]

    def _slack(self) -> float:
        larger = max(self.workspace.storage_bytes if self.workspace else 0, self.store.used_bytes if self.store else 0)
        return max(SLACK_BYTES, SLACK_SHARE * larger)

    @property
    def agreement(self) -> Agreement:
        """Whether workspace and store say the same; unknown where one of them says nothing."""
        if self.findings:
            return "differ"
        return "unknown" if self.difference is None else "agree"

    @property
    def comparing(self) -> bool:
        """Whether a comparison of both sides, file by file, is yet to come: asked for, or the first one."""
        return self.comparable and (self.workspace is None or self.workspace.reconciled_at is None)


def storage_of(session: Session, organisation_id: UUID, *, seconds: float = SECONDS) -> StorageView:
    """The organisation's storage. A store that does not answer costs `seconds` at most, and is told as trouble."""
    row = get(session, organisation_id)
    place, granted = placement.where(session, row.id), entitled(session, row)
    counted, trouble = _counted(session, row, place.cell, seconds) if place else (None, None)
    return StorageView(
        organisation_id=row.id,
        cell=place.cell if place else None,
        sold_bytes=granted.storage_bytes,
        encryption=granted.encryption,
        workspace=usage(session, row.id),
        store=counted,
        trouble=trouble,
        expected=place is not None and row.state in EXPECTED,
        comparable=place is not None and row.state in COMPARED,
        keys=provisioning.keys_of(session, row.id),
        mirror=_mirror(session, row.id) if place else None,
    )


def _counted(
    session: Session, row: Organisation, cell_name: str, seconds: float
) -> tuple[storage.Usage | None, str | None]:
    """What the store says, or the code of why it says nothing."""
    cell = placement.cell(session, cell_name)
    bucket, account = storage.bucket_name(row.id), storage.account_name(row.id)
    try:
        store = fleet.store_of(session, cell)
        return fleet.ask_store(cell, lambda: store.usage(bucket, account), seconds), None
    except (Unavailable, Refusal) as gone:
        return None, gone.code


def _mirror(session: Session, organisation_id: UUID) -> MirrorView | None:
    found = storage.mirror_status(session, organisation_id)
    return None if found.endpoint is None else found


def rotate_keys(session: Session, organisation_id: UUID, *, kind: str, actor: Actor) -> Operation:
    """Give the organisation a new access key to its store, or a new data key; the old one goes by itself."""
    if kind not in ROTATED:
        raise Refusal("unknown_key", "Choose which key is replaced.", field="kind")
    get(session, organisation_id)
    return ROTATED[kind](session, organisation_id, actor)


def compare_books(session: Session, organisation_id: UUID, *, actor: Actor) -> None:
    """Let the cell's worker compare workspace and store file by file, now; it is `comparing` until that is done."""
    row = get(session, organisation_id)
    place = placement.where(session, row.id)
    if place is None or row.state not in COMPARED:
        message = "Only a live or read-only workspace is compared with its store."
        raise Refusal("wrong_state", message, status=409, state=row.state)
    audit.record(session, "storage.comparison_asked", actor=actor, organisation_id=row.id)
    database = CellDatabase(placement.admin_url(session, vault_of(session), place.database_id))
    if not database.ask_reconciliation(row.id):
        raise Unavailable("workspace_missing", f"{row.id} is not in the directory of {place.database}")
