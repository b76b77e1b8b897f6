"""What lies sealed in the control plane's database, and how it follows the master key when that rotates."""

from control_plane.sealing.columns import SEALED, Sealed
from control_plane.sealing.service import Line, Progress, Status, reseal, status

__all__ = ["SEALED", "Line", "Progress", "Sealed", "Status", "reseal", "status"]
