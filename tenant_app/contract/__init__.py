"""What the control plane may import of the tenant app: the record, the ticket, the usage report, and their storage."""

from tenant_app.contract.database import CellDatabase
from tenant_app.contract.records import (
    Check,
    Health,
    Inspection,
    Inventory,
    Owner,
    State,
    TenantRecord,
    Upgraded,
    Usage,
    slot_name,
)
from tenant_app.contract.tickets import KeyPair, Purpose, Ticket, check, mint, new_key

__all__ = [
    "CellDatabase",
    "Check",
    "Health",
    "Inspection",
    "Inventory",
    "KeyPair",
    "Owner",
    "Purpose",
    "State",
    "TenantRecord",
    "Ticket",
    "Upgraded",
    "Usage",
    "check",
    "mint",
    "new_key",
    "slot_name",
]
