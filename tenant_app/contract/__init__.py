"""What the control plane may import of the tenant app: the record, the ticket, the usage report, and their storage."""

from tenant_app.contract.database import CellDatabase
from tenant_app.contract.history import EVENT_DAYS, TRACE_DAYS, HistoryFilter, ScimEvent
from tenant_app.contract.identity import (
    TRIAL,
    ConnectionKind,
    Identity,
    MemberRole,
    ScimToken,
    SignInConnection,
    SignInPolicy,
    Stage,
    SupportGrant,
    identity_as_json,
    identity_from,
    seal_purpose,
)
from tenant_app.contract.people import Person, PersonRole, Trace
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
from tenant_app.contract.removals import Removal
from tenant_app.contract.rights import SSO_ADMIN, administrators_only, owners_have_it, sso_admin_key
from tenant_app.contract.supporting import SupportAct
from tenant_app.contract.tickets import KeyPair, Purpose, Ticket, check, console_key, derived_key, mint, new_key
from tenant_app.contract.watching import UnknownKey

__all__ = [
    "EVENT_DAYS",
    "SSO_ADMIN",
    "TRACE_DAYS",
    "TRIAL",
    "CellDatabase",
    "Check",
    "ConnectionKind",
    "Health",
    "HistoryFilter",
    "Identity",
    "Inspection",
    "Inventory",
    "KeyPair",
    "MemberRole",
    "Owner",
    "Person",
    "PersonRole",
    "Purpose",
    "Removal",
    "ScimEvent",
    "ScimToken",
    "SignInConnection",
    "SignInPolicy",
    "Stage",
    "State",
    "SupportAct",
    "SupportGrant",
    "TenantRecord",
    "Ticket",
    "Trace",
    "UnknownKey",
    "Upgraded",
    "Usage",
    "administrators_only",
    "check",
    "console_key",
    "derived_key",
    "identity_as_json",
    "identity_from",
    "mint",
    "new_key",
    "owners_have_it",
    "seal_purpose",
    "slot_name",
    "sso_admin_key",
]
