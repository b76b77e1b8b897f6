"""`parvis up`: the whole product on one machine, on servers that come as wheels."""

from control_plane.embedded.errors import EmbeddedError
from control_plane.embedded.prepared import control_url
from control_plane.embedded.start import up

__all__ = ["EmbeddedError", "control_url", "up"]
