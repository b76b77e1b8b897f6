"""Who belongs to a workspace."""

from tenant_app.members.api import Joining, Members
from tenant_app.members.invitations import Waiting
from tenant_app.members.models import invitation

__all__ = ["Joining", "Members", "Waiting", "invitation"]
