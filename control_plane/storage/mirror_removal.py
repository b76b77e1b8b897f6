"""The end of an organisation's mirror, when the organisation is erased."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from control_plane.storage import errors
from control_plane.storage import mirror_ledger as ledger
from control_plane.storage.emptying import BITE_SECONDS, Emptying
from control_plane.storage.gateway import Gateway
from control_plane.storage.mirror_errors import on
from control_plane.storage.mirror_settings import open_mirror
from control_plane.storage.store import AccessKey, bucket_name
from kit.errors import Unavailable
from kit.s3 import Failure
from kit.vault import Vault


def remove_mirror(
    settings: dict[str, Any], vault: Vault, cell: str, organisation_id: UUID, *, seconds: float = BITE_SECONDS
) -> bool:
    """The organisation's bucket in the mirror of its cell is gone with all that it kept; False if it was gone before.

    It works for a few seconds at a time and raises `Unavailable("removing")` while something is left, as the store's
    own removal does, and comes after that one: a mirror whose store is still read may come back.
    """
    target = open_mirror(settings, vault, cell)
    if target is None:
        return False
    gateway = target.gateway()
    try:
        with errors.translated(bucket_name(organisation_id)), on("mirror"):
            return _removed(gateway, target.key, bucket_name(organisation_id), seconds)
    finally:
        gateway.close()


def _removed(gateway: Gateway, key: AccessKey, bucket: str, seconds: float) -> bool:
    try:
        gateway.owner(key, "HEAD", f"/{bucket}")
    except Failure as failure:
        if failure.status == 404:
            return False
        raise
    try:
        Emptying(gateway, bucket, key, lambda: 0, seconds).run()
    except Unavailable as left:
        if left.code == "removing":
            # How much is left only an administrator of the mirror's gateway could count.
            raise Unavailable(left.code, "the mirror is not empty yet") from left
        raise
    return True


def forget_mirror(session: Session, organisation_id: UUID) -> None:
    """Nothing is known any more of the mirror of an organisation that is erased; who still works on it stops."""
    ledger.forget(session, organisation_id)
