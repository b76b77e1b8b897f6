"""Where a cell's store is mirrored, by its settings. A wrong one is refused with its name and what was expected."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from control_plane import placement
from control_plane.storage import errors, opening
from control_plane.storage.gateway import Gateway
from control_plane.storage.inspecting import REACHABLE, encrypted
from control_plane.storage.store import AccessKey, Check
from kit.errors import Refusal, Unavailable
from kit.s3 import Failure
from kit.vault import Vault

RETENTION_DAYS = 30
MOST_DAYS = 3650


@dataclass(frozen=True)
class MirrorTarget:
    """A second gateway and one user there, who owns a bucket for each organisation.

    What the store has no more is kept for `retention`. With `tenant_keys` the gateway asks for organisations' data
    keys, as the store's does: only then is it given files that are encrypted by them.
    """

    endpoint: str
    key: AccessKey
    region: str
    ca_file: Path | None
    retention: timedelta
    tenant_keys: bool

    def gateway(self) -> Gateway:
        """The way there."""
        return Gateway(self.endpoint, self.key, self.region, self.ca_file)


def open_mirror(settings: dict[str, Any], vault: Vault, cell: str) -> MirrorTarget | None:
    """Where the cell's store is mirrored, without a word to it yet; None where it is not.

    `settings` are the cell's store's. Its `mirror` is `{"endpoint", "key_id", "secret_sealed", "region", "ca_file",
    "retention_days", "tenant_keys"}`; the secret is sealed by the vault for this cell.
    """
    mirror = settings.get("mirror")
    if not mirror:
        return None
    key_id, sealed = opening.needed(mirror, "key_id"), opening.needed(mirror, "secret_sealed")
    endpoint = opening.address(mirror, "endpoint")
    if endpoint == settings.get("endpoint"):
        message = "A mirror at the store's own gateway would be lost with it: name another one."
        raise Refusal("mirror_same", message, field="store.mirror.endpoint")
    return MirrorTarget(
        endpoint=endpoint,
        key=AccessKey(key_id, vault.open(sealed, placement.mirror_purpose(cell))),
        region=mirror.get("region") or "default",
        ca_file=opening.ca_file(mirror),
        retention=_retention(mirror.get("retention_days", RETENTION_DAYS)),
        tenant_keys=bool(mirror.get("tenant_keys")),
    )


def _retention(days: object) -> timedelta:
    if isinstance(days, int) and 1 <= days <= MOST_DAYS:
        return timedelta(days=days)
    raise Refusal(
        "mirror_retention_wrong",
        "A mirror keeps deleted files for 1 to {most} days.",
        field="store.mirror.retention_days",
        most=MOST_DAYS,
    )


def check_mirror(settings: dict[str, Any], vault: Vault, cell: str) -> list[Check]:
    """Whether the cell's mirror is well: reachable, with a key that works. Nothing where there is none."""
    target = open_mirror(settings, vault, cell)
    if target is None:
        return []
    gateway = target.gateway()
    try:
        return [encrypted(target.endpoint), *_answers(gateway, target.key)]
    finally:
        gateway.close()


def _answers(gateway: Gateway, key: AccessKey) -> list[Check]:
    works = "the key of the mirror works"
    try:
        with errors.translated():
            gateway.owner(key, "GET", "/")
    except Unavailable as gone:
        if not isinstance(gone.__cause__, Failure):
            return [Check(name=REACHABLE, ok=False, detail=gone.detail)]
        return [Check(name=REACHABLE, ok=True), Check(name=works, ok=False, detail=gone.detail)]
    return [Check(name=REACHABLE, ok=True), Check(name=works, ok=True)]
