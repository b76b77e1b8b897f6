"""The provider's own door: staff find, order, watch and change organisations. `controllers` goes into its app."""

from control_plane.portal.routing import controllers

__all__ = ["controllers"]
