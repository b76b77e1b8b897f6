"""The workspace's own face: its shell around each page, who looks at it, and its words."""

from tenant_app.interface.answers import Bytes, answer_failure, spoken
from tenant_app.interface.letters import letter
from tenant_app.interface.shell import door, show
from tenant_app.interface.viewer import Role, Viewer

__all__ = ["Bytes", "Role", "Viewer", "answer_failure", "door", "letter", "show", "spoken"]
