"""The names of the steps, in their order: what stands in the ledger and what people read.

Towards live, the workspace becomes reachable only at the last step; towards absent, it stops being reachable first.
"""

from control_plane.provisioning.order import Desired

MAKING = ("slot", "storage", "owner", "route")
ONCE = ("owner",)
REMOVING = ("remove_route", "remove_storage", "remove_slot")


def step_names(desired: Desired, *, first: bool) -> list[str]:
    """The steps towards a desired state. The owner is made once: afterwards owners are the workspace's own affair."""
    if desired == "absent":
        return list(REMOVING)
    return [name for name in MAKING if first or name not in ONCE]
