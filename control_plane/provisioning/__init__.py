"""Making what is wanted true: desired state, the ledger of steps, the loop, the outbox."""

from control_plane.provisioning.models import Operation, Outbox, Provisioning, Step
from control_plane.provisioning.order import Desired, Kind, Order, OwnerOrder, Shown
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
from control_plane.provisioning.service import (
    UNFINISHED,
    Progress,
    cancel,
    current_operation,
    operation,
    operations,
    progress,
    recheck,
    retry,
    roll_back,
    steps,
    want,
)
from kit.pages import Page

__all__ = [
    "UNFINISHED",
    "Deliver",
    "Desired",
    "Kind",
    "Mail",
    "OnSettled",
    "Operation",
    "Order",
    "Outbox",
    "Outcome",
    "OwnerOrder",
    "Page",
    "Progress",
    "Provisioning",
    "Shown",
    "Step",
    "cancel",
    "current_operation",
    "deliver_due",
    "enqueue_mail",
    "forget_mails",
    "operation",
    "operations",
    "parked_mails",
    "progress",
    "recheck",
    "resend",
    "retry",
    "roll_back",
    "steps",
    "want",
]
