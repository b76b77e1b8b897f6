"""Another address or another administrator's key for the Ceph of a cell that serves.

Whatever is changed is tried at that very Ceph first. The processes of the control plane open the store anew with the
first run that sees the new settings; the tenant app reads addresses from the cell's file.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from control_plane import fleet, placement, storage
from control_plane.audit import SYSTEM, Actor
from control_plane.placement import CellView
from control_plane.provisioning.models import Provisioning
from control_plane.storage import CephObjectStore
from kit import logs
from kit.db import transaction
from kit.errors import Refusal, Refusals, Unavailable

# Longer than any call or run that began with the key before.
OVERLAP = timedelta(minutes=10)
ADDRESSES = ("endpoint", "public_endpoint")
SINCE, RETIRING = "admin_key_since", "admin_keys_retiring"

log = logs.get(__name__)


def change_store(session: Session, name: str, changes: dict[str, Any], actor: Actor) -> CellView:
    """Change some of `endpoint`, `public_endpoint`, `admin_key_id`, `admin_secret` and `ca_file` of a cell's Ceph.

    None takes a setting away. Refused by field unless a gateway answers there, knows the key with its rights, and has
    every organisation of this cell; a refusal leaves nothing in this transaction that may be kept.
    """
    before = _ceph(session, name)
    wanted = {key: value for key, value in {**before, **_plain(changes)}.items() if value is not None}
    if wanted.get("admin_key_id") != before.get("admin_key_id") and not changes.get("admin_secret"):
        raise Refusal("store_secret_missing", "Give the secret of this key.", field="admin_secret")
    if changes.keys() & {"admin_key_id", "admin_secret"}:
        wanted[SINCE] = _now()
        wanted[RETIRING] = [one for one in before.get(RETIRING, []) if one["key_id"] != wanted["admin_key_id"]]
    with _bare_fields():
        changed = placement.set_store(session, name, wanted, actor)
        fleet.must_fit(session, changed)
    if wanted["endpoint"] != before.get("endpoint"):
        _must_be_the_same(session, changed)
    return changed


def _ceph(session: Session, name: str) -> dict[str, Any]:
    store = placement.store_to_change(session, name)
    require_ceph(store)
    return store


def require_ceph(store: dict[str, Any]) -> None:
    """Refuse what is done to a Ceph only."""
    if store.get("kind") != "ceph":
        message = "Only a Ceph has an administrator's key, and addresses that can change."
        raise Refusal("store_not_ceph", message, status=409)


def _plain(changes: dict[str, Any]) -> dict[str, Any]:
    """Addresses without a slash at their end."""
    return {name: value.rstrip("/") if value and name in ADDRESSES else value for name, value in changes.items()}


def _must_be_the_same(session: Session, cell: CellView) -> None:
    """Whoever is settled in the cell has account and bucket there, or it is another Ceph; never that of the mirror."""
    if cell.store["endpoint"] == (cell.store.get("mirror") or {}).get("endpoint"):
        message = "This is the gateway of the store's mirror, which would be lost with it: name another one."
        raise Refusal("mirror_same", message, field="endpoint")
    settled = select(Provisioning.organisation_id).where(
        Provisioning.settled_generation == Provisioning.generation,
        Provisioning.desired != "absent",
        Provisioning.organisation_id.in_(placement.residents(cell.name)),
    )
    accounts, buckets = fleet.store_of(session, cell).inventory()
    wanted = {(storage.account_name(one), storage.bucket_name(one)) for one in session.scalars(settled)}
    missing = [account for account, bucket in wanted if account not in accounts or bucket not in buckets]
    if missing:
        message = (
            "This is another store: {missing} of the cell's {all} organisations have no account or bucket there."
            " Name a gateway of the Ceph that keeps their files."
        )
        raise Refusal("store_other", message, field="endpoint", missing=len(missing), all=len(wanted))


def rotate_admin_key(session: Session, name: str, actor: Actor) -> CellView:
    """Draw a new administrator's key at the cell's Ceph and use it from now on; the one before goes a while later.

    Were this transaction lost at its very end, a key would stay there whose secret nobody knows.
    """
    before = _ceph(session, name)
    store, fresh = _store(session, name), storage.fresh_admin_key()
    administrator = store.add_admin_key(fresh)
    try:
        old = {"key_id": before["admin_key_id"], "administrator": administrator, "since": _now()}
        wanted = {
            **before,
            "admin_key_id": fresh.key_id,
            "admin_secret": fresh.secret,
            SINCE: _now(),
            RETIRING: [*before.get(RETIRING, []), old],
        }
        changed = placement.set_store(session, name, wanted, actor, "cell.store_key_rotated")
        with _bare_fields():
            fleet.must_fit(session, changed)
    except BaseException:
        with suppress(Unavailable):
            store.remove_admin_key(administrator, fresh.key_id)
        raise
    return changed


def end_admin_keys(engine: Engine, overlap: timedelta = OVERLAP) -> int:
    """Take away at each Ceph the administrator's keys that were replaced so long ago; says how many. For the sweep."""
    with transaction(engine) as session:
        waiting = [cell.name for cell in placement.cells(session) if _ended(cell.store, overlap)]
    done = 0
    for name in waiting:
        try:
            with transaction(engine) as session:
                done += _end(session, name, overlap)
        except (Refusal, Unavailable) as error:
            # It comes round again.
            log.warning("an administrator's key waits", cell=name, code=error.code)
    return done


def _ended(store: dict[str, Any], overlap: timedelta) -> list[dict[str, str]]:
    now = datetime.now(UTC)
    return [one for one in store.get(RETIRING, []) if datetime.fromisoformat(one["since"]) + overlap <= now]


def _end(session: Session, name: str, overlap: timedelta) -> int:
    before = _ceph(session, name)
    ended, store = _ended(before, overlap), _store(session, name)
    for one in ended:
        store.remove_admin_key(one["administrator"], one["key_id"])
    left = [one for one in before[RETIRING] if one not in ended]
    placement.set_store(session, name, {**before, RETIRING: left}, SYSTEM, "cell.store_key_removed")
    return len(ended)


def _store(session: Session, name: str) -> CephObjectStore:
    store = fleet.store_of(session, placement.cell(session, name))
    assert isinstance(store, CephObjectStore)
    return store


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def _bare_fields() -> Iterator[None]:
    """Settings are given here without the name of the store around them."""
    try:
        yield
    except Refusal as wrong:
        raise _bare(wrong) from wrong
    except Refusals as wrong:
        raise Refusals([_bare(one) for one in wrong.refusals]) from wrong


def _bare(wrong: Refusal) -> Refusal:
    field = wrong.field.removeprefix("store.") if wrong.field else None
    return Refusal(wrong.code, wrong.message, field=field, status=wrong.status, **wrong.params)
