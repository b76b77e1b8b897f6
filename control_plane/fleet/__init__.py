"""The cells in operation: their health, their upgrades, their stock of slots, and the file their tenant apps read."""

from control_plane.fleet.cell_file import cell_file, refresh_cell_file, write_cell_file
from control_plane.fleet.heartbeats import beat, heartbeats
from control_plane.fleet.spares import Visit, visit
from control_plane.fleet.upgrades import Upgrade, upgrade_all

__all__ = [
    "Upgrade",
    "Visit",
    "beat",
    "cell_file",
    "heartbeats",
    "refresh_cell_file",
    "upgrade_all",
    "visit",
    "write_cell_file",
]
