"""The public site: what Parvis is, signing up by oneself, following one's workspace being made, and the way in."""

from control_plane.signup.entering import Doors, entry_url, retire_ticket_keys, ticket_key
from control_plane.signup.letters import postman
from control_plane.signup.pages import csrf_of, site_routes
from control_plane.signup.service import Wish, confirm, expire, request

__all__ = [
    "Doors",
    "Wish",
    "confirm",
    "csrf_of",
    "entry_url",
    "expire",
    "postman",
    "request",
    "retire_ticket_keys",
    "site_routes",
    "ticket_key",
]
