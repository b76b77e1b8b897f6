"""The cells in operation: databases and stores, health, upgrades, the stock of slots, the file of their tenant apps."""

from control_plane.fleet.asking import ask_store, store_of
from control_plane.fleet.cell_file import cell_file, refresh_cell_file, write_cell_file
from control_plane.fleet.fitting import add_cell, must_fit, set_mirror
from control_plane.fleet.heartbeats import beat, heartbeats
from control_plane.fleet.spares import Visit, visit
from control_plane.fleet.stores import StoreMirror, StoreView, stores
from control_plane.fleet.upgrades import Upgrade, upgrade_all

__all__ = [
    "StoreMirror",
    "StoreView",
    "Upgrade",
    "Visit",
    "add_cell",
    "ask_store",
    "beat",
    "cell_file",
    "heartbeats",
    "must_fit",
    "refresh_cell_file",
    "set_mirror",
    "store_of",
    "stores",
    "upgrade_all",
    "visit",
    "write_cell_file",
]
