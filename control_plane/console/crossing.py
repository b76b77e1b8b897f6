"""Tickets from a workspace into its console: read as the cell's own, each good for one session."""

from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from sqlalchemy.orm import Session

from control_plane import placement
from kit.db import vault_of
from kit.errors import Refusal
from kit.settings import ControlPlaneSettings
from tenant_app.contract import Ticket, check, console_key

LONGEST = 2000


def invalid() -> Refusal:
    """Whatever is wrong with a ticket, it opens nothing."""
    return Refusal("ticket_invalid", "This link does not work here. Ask for a new one.", status=403)


def audience(settings: ControlPlaneSettings) -> str:
    """The host that a console ticket must be for."""
    return urlsplit(settings.site_url).hostname or ""


def read_ticket(session: Session, host: str, text: str, *, now: datetime | None = None) -> Ticket:
    """What the ticket says, if the cell where its organisation lives signed it for this host; refused otherwise.

    Another cell's signature is worth nothing: the key is that of the cell in which we placed the organisation.
    """
    organisation_id = _claimed(text)
    place = placement.where(session, organisation_id)
    if place is None:
        raise invalid()
    key = console_key(placement.cell_vault(session, vault_of(session), place.cell))
    ticket = check(text, {key.kid: key.public}, host, organisation_id, now=now)
    if ticket.purpose != "console":
        raise invalid()
    return ticket


def _claimed(text: str) -> UUID:
    """The organisation that a ticket names, not yet believed: it only tells whose key to try."""
    if len(text) > LONGEST:
        raise invalid()
    try:
        claims = msgspec.json.decode(jws.extract_compact(text.encode("ascii")).payload, type=dict[str, object])
        return UUID(str(claims["org"]))
    except (JoseError, KeyError, ValueError, msgspec.MsgspecError) as error:
        raise invalid() from error
