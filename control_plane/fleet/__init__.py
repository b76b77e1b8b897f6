"""The cells in operation: their health, their stock of ready slots, and the file that their tenant apps read."""

from control_plane.fleet.cell_file import cell_file, refresh_cell_file, write_cell_file
from control_plane.fleet.heartbeats import beat, heartbeats
from control_plane.fleet.spares import Visit, visit

__all__ = ["Visit", "beat", "cell_file", "heartbeats", "refresh_cell_file", "visit", "write_cell_file"]
