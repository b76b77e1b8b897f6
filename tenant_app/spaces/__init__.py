"""Where people work together: spaces, and who may do what in them."""

from tenant_app.spaces.api import Spaces, identifier
from tenant_app.spaces.models import access, space
from tenant_app.spaces.service import SpaceName, admit, managed_by

__all__ = ["SpaceName", "Spaces", "access", "admit", "identifier", "managed_by", "space"]
