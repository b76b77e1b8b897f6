"""The steps. Each ensures: its names derive from ids, and a second run finds the first one's work."""

from collections.abc import Callable
from dataclasses import dataclass

from control_plane import storage
from control_plane.provisioning.order import Shown
from control_plane.provisioning.world import Effect, Run, World
from control_plane.storage import BucketWish
from kit.errors import Unavailable
from tenant_app.contract import Owner, TenantRecord

MODES: dict[Shown, storage.Mode] = {
    "live": "open",
    "read_only": "read_only",
    "suspended": "suspended",
    # The export reads the files during the notice.
    "closing": "read_only",
}


@dataclass(frozen=True)
class StepSpec:
    """A step by the name it has in the ledger."""

    name: str
    act: Callable[[Run, World], Effect]


def ensure_slot(run: Run, _world: World) -> Effect:
    """The organisation has a schema and role of its own, with exactly the rights of the blueprint."""
    slot = run.database.take_slot(run.organisation_id, run.fence)
    if run.place.slot != slot:
        return Effect(changed=True, slot=slot)
    return Effect(changed=bool(run.database.repair(run.organisation_id, run.fence)), slot=slot)


def ensure_storage(run: Run, world: World) -> Effect:
    """Account, keys, bucket and quota exist as the offer grants them, open or frozen as the state asks."""
    account, bucket = storage.account_name(run.organisation_id), storage.bucket_name(run.organisation_id)
    mode = MODES[run.order.shows]
    wish = BucketWish(quota_bytes=run.order.entitlements["storage_bytes"], origins=(world.origin_of(run.order),))
    acts: list[Callable[[], bool]] = [
        lambda: run.store.ensure_bucket(bucket, account, run.keyring.all[-1], wish, run.fence),
        lambda: run.store.ensure_mode(account, mode, run.fence),
    ]
    if mode == "open":
        # A suspended account hides its bucket: so opening comes first there, and closing last.
        acts.reverse()
    changes = [run.store.ensure_account(account, run.keyring.all, run.fence), *(act() for act in acts)]
    return Effect(changed=any(changes))


def ensure_owner(run: Run, _world: World) -> Effect:
    """The first administrator is in the workspace, under the id that login tickets name."""
    owner = Owner(
        id=run.order.owner.id, email=run.order.owner.email, name=run.order.owner.name, locale=run.order.locale
    )
    return Effect(changed=run.database.ensure_owner(run.organisation_id, owner, run.fence))


def ensure_route(run: Run, world: World) -> Effect:
    """The tenant app serves the organisation at its host, as its state says. The last step: now it can be reached."""
    if run.place.slot is None:
        raise Unavailable("no_slot", "the slot is not known yet")
    record = TenantRecord(
        organisation_id=run.organisation_id,
        slot=run.place.slot,
        state=run.order.shows,
        name=run.order.name,
        address=run.order.address,
        hosts=(world.host_of(run.order),),
        site_url=world.site_url,
        offer=run.order.offer,
        locale=run.order.locale,
        entitlements=run.order.entitlements,
        store=storage.record_of_store(run.seals, run.organisation_id, run.keyring),
        trial_ends_at=run.order.trial_ends_at,
        notice=run.order.notice,
        identity=run.identity,
        generation=run.generation,
        fence=run.fence,
    )
    changed = run.database.publish(record)
    # Whoever serves this version or a later one uses the newest key: so the old one is found to be unused.
    version = run.database.changed_at(run.organisation_id) if run.keyring.rotating else None
    return Effect(changed=changed, directory_version=version)


def remove_route(run: Run, _world: World) -> Effect:
    """Its host answers like one that never was."""
    return Effect(changed=run.database.unpublish(run.organisation_id, run.fence))


def remove_storage(run: Run, world: World) -> Effect:
    """Bucket, objects, keys and account are gone, then the mirror's copy.

    It takes several bites: `Unavailable("removing")` is progress.
    """
    account, bucket = storage.account_name(run.organisation_id), storage.bucket_name(run.organisation_id)
    removed = run.store.remove(bucket, account, run.keyring.all[-1], run.fence)
    # Not before: a mirror whose store is still there would come back.
    mirrored = world.remove_mirror(run.place, run.organisation_id)
    return Effect(changed=removed or mirrored)


def remove_slot(run: Run, _world: World) -> Effect:
    """Schema and role are gone, with all that was in them."""
    return Effect(changed=run.database.drop_slot(run.organisation_id, run.fence))


STEPS: dict[str, StepSpec] = {
    spec.name: spec
    for spec in (
        StepSpec("slot", ensure_slot),
        StepSpec("storage", ensure_storage),
        StepSpec("owner", ensure_owner),
        StepSpec("route", ensure_route),
        StepSpec("remove_route", remove_route),
        StepSpec("remove_storage", remove_storage),
        StepSpec("remove_slot", remove_slot),
    )
}
