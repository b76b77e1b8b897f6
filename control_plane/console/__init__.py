"""The organisation's own console: members, domains, sign-in, provisioning, plan, record. The site takes `routes()`."""

from control_plane.console.routing import routes

__all__ = ["routes"]
