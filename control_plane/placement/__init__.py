"""Cells, their databases, and where each organisation lives."""

from control_plane.placement.databases import (
    Databases,
    add_cell,
    add_database,
    admin_url,
    note_seen,
    note_trouble,
    open_cell,
    set_spares,
    tenant_app_url,
    verify,
)
from control_plane.placement.service import (
    cell,
    cells,
    choose,
    fits,
    note_slot,
    place,
    placements,
    release,
    residents,
    where,
)
from control_plane.placement.views import CellView, Check, DatabaseView, Place

__all__ = [
    "CellView",
    "Check",
    "DatabaseView",
    "Databases",
    "Place",
    "add_cell",
    "add_database",
    "admin_url",
    "cell",
    "cells",
    "choose",
    "fits",
    "note_seen",
    "note_slot",
    "note_trouble",
    "open_cell",
    "place",
    "placements",
    "release",
    "residents",
    "set_spares",
    "tenant_app_url",
    "verify",
    "where",
]
