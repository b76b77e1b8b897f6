"""The record of who did what, chained per organisation; a state change writes its event in its own transaction."""

from control_plane.audit.actor import SYSTEM, Actor, ActorKind
from control_plane.audit.keys import audit_key, first_master
from control_plane.audit.models import AuditChain, AuditEvent
from control_plane.audit.service import Filter, events, record
from control_plane.audit.verify import Finding, Report, verify

__all__ = [
    "SYSTEM",
    "Actor",
    "ActorKind",
    "AuditChain",
    "AuditEvent",
    "Filter",
    "Finding",
    "Report",
    "audit_key",
    "events",
    "first_master",
    "record",
    "verify",
]
