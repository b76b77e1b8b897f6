"""Opening an organisation's bucket and its mirror, by the cell's settings and the keys of this moment."""

import threading
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import delete
from sqlalchemy.orm import Session

from control_plane import placement
from control_plane.placement import CellView
from control_plane.storage import mirror_ledger as ledger
from control_plane.storage import opening
from control_plane.storage.gateway import Gateway
from control_plane.storage.mirror_errors import Waits
from control_plane.storage.mirror_keys import ReadingKeys, reading_keys
from control_plane.storage.mirror_ledger import Lease
from control_plane.storage.mirror_models import Mirror, MirrorGone, MirrorRun
from control_plane.storage.mirror_settings import MirrorTarget, open_mirror
from control_plane.storage.mirror_sides import Side
from control_plane.storage.mirror_window import Pair
from control_plane.storage.store import AccessKey, bucket_name
from kit.db import transaction
from kit.vault import Vault

# A gateway is opened once, for all keys: each call brings its own.
NOBODY = AccessKey("", "")
# What is not known, and what there is none of, in a mirror where nobody has looked.
UNKNOWN = (
    *("cursor", "started_at", "whole_at", "finished_at", "objects", "bytes"),
    *("oldest_unmirrored_at", "verified_at", "verified_objects", "mismatches"),
)
NOTHING = ("failed", "missing", "differing", "kept")


@dataclass(frozen=True)
class Opened:
    """Both sides, how long the mirror keeps what the store has no more, and what somebody asked for."""

    pair: Pair
    retention: timedelta
    run: MirrorRun | None


class Opening:
    """Opens mirrors for a worker, and keeps the connections. May be used by many threads."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self._gateways: dict[tuple[str, str, Path | None], Gateway] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """End all connections."""
        with self._lock:
            for gateway in self._gateways.values():
                gateway.close()
            self._gateways.clear()

    def open(self, lease: Lease) -> Opened:
        """Both sides of this mirror. Raises `Waits` where there is nothing to be mirrored, or it may not be."""
        row = lease.row
        with transaction(lease.connection) as session:
            place = placement.where(session, row.organisation_id)
            if place is None:
                raise Waits("waiting")
            cell = placement.cell(session, place.cell)
            target = open_mirror(cell.store, self.vault, cell.name)
            keys = reading_keys(session, self.vault, row.organisation_id)
            if target is None or keys is None:
                raise Waits("waiting")
            if keys.data_key is not None and not target.tenant_keys:
                raise Waits("needs_keys")
            self._aim(session, row, target)
            run = ledger.open_run(session, row.organisation_id)
        return Opened(self._pair(row, cell, target, keys), target.retention, run)

    def _aim(self, session: Session, row: Mirror, target: MirrorTarget) -> None:
        """What is known is known of this target; of another one nothing is."""
        if row.target == target.endpoint:
            return
        ledger.write(
            session, row, target=target.endpoint, state="new", **dict.fromkeys(UNKNOWN), **dict.fromkeys(NOTHING, 0)
        )
        session.execute(delete(MirrorGone).where(MirrorGone.organisation_id == row.organisation_id))
        row.target, row.cursor, row.whole_at = target.endpoint, None, None

    def _pair(self, row: Mirror, cell: CellView, target: MirrorTarget, keys: ReadingKeys) -> Pair:
        bucket = bucket_name(row.organisation_id)
        settings = cell.store
        trusted = opening.ca_file(settings)
        endpoint, region = opening.address(settings, "endpoint"), settings.get("region") or "default"
        return Pair(
            Side(
                role="store",
                gateway=self._gateway(endpoint, region, trusted),
                key=keys.access,
                bucket=bucket,
                ca_file=trusted,
                data_key=keys.data_key,
                conditional=settings.get("kind") == "ceph",
            ),
            Side(
                role="mirror",
                gateway=self._gateway(target.endpoint, target.region, target.ca_file),
                key=target.key,
                bucket=bucket,
                ca_file=target.ca_file,
                data_key=keys.data_key,
                conditional=True,
            ),
        )

    def _gateway(self, endpoint: str, region: str, ca_file: Path | None) -> Gateway:
        where = (endpoint, region, ca_file)
        with self._lock:
            if where not in self._gateways:
                self._gateways[where] = Gateway(endpoint, NOBODY, region, ca_file)
            return self._gateways[where]
