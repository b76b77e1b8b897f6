"""Provisioning by SCIM: a directory says who belongs to a workspace."""

from tenant_app.scim.answers import wrong_method
from tenant_app.scim.api import Provisioning
from tenant_app.scim.chores import follow_up
from tenant_app.scim.models import scim_event, scim_group, scim_group_member, scim_removal, scim_user

__all__ = [
    "Provisioning",
    "follow_up",
    "scim_event",
    "scim_group",
    "scim_group_member",
    "scim_removal",
    "scim_user",
    "wrong_method",
]
