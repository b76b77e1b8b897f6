"""Making what is wanted true: desired state, the ledger of steps, the loop, the outbox."""

from control_plane.provisioning.cell_stores import change_store, end_admin_keys, require_ceph, rotate_admin_key
from control_plane.provisioning.ledger import due, seconds_to_next
from control_plane.provisioning.leftovers import note_orphans, remove_orphan, sightings
from control_plane.provisioning.loop import Loop
from control_plane.provisioning.models import Operation, OrphanSighting, Outbox, Provisioning, Step
from control_plane.provisioning.order import Desired, Kind, Order, OwnerOrder, Shown
from control_plane.provisioning.orphans import Orphan, orphans
from control_plane.provisioning.outbox import (
    Deliver,
    Mail,
    deliver_due,
    enqueue_mail,
    forget_mails,
    parked_mails,
    resend,
)
from control_plane.provisioning.outcome import OnSettled, Outcome
from control_plane.provisioning.pace import Pace
from control_plane.provisioning.rotation import (
    Grace,
    end_overlaps,
    keep_keys,
    rotate_aged,
    rotate_data_key,
    rotate_store_key,
)
from control_plane.provisioning.service import (
    UNFINISHED,
    Progress,
    cancel,
    current_operation,
    lock,
    operation,
    operations,
    progress,
    recheck,
    republish,
    retry,
    roll_back,
    steps,
    want,
)
from control_plane.provisioning.steps import STEPS, StepSpec
from control_plane.provisioning.world import IdentityOf, World
from control_plane.storage import KeysView, keys_of
from kit.pages import Page

__all__ = [
    "STEPS",
    "UNFINISHED",
    "Deliver",
    "Desired",
    "Grace",
    "IdentityOf",
    "KeysView",
    "Kind",
    "Loop",
    "Mail",
    "OnSettled",
    "Operation",
    "Order",
    "Orphan",
    "OrphanSighting",
    "Outbox",
    "Outcome",
    "OwnerOrder",
    "Pace",
    "Page",
    "Progress",
    "Provisioning",
    "Shown",
    "Step",
    "StepSpec",
    "World",
    "cancel",
    "change_store",
    "current_operation",
    "deliver_due",
    "due",
    "end_admin_keys",
    "end_overlaps",
    "enqueue_mail",
    "forget_mails",
    "keep_keys",
    "keys_of",
    "lock",
    "note_orphans",
    "operation",
    "operations",
    "orphans",
    "parked_mails",
    "progress",
    "recheck",
    "remove_orphan",
    "republish",
    "require_ceph",
    "resend",
    "retry",
    "roll_back",
    "rotate_admin_key",
    "rotate_aged",
    "rotate_data_key",
    "rotate_store_key",
    "seconds_to_next",
    "sightings",
    "steps",
    "want",
]
