"""What an organisation uses, as its workspace last reported."""

from uuid import UUID

from sqlalchemy.orm import Session

from control_plane import placement
from kit.db import vault_of
from kit.errors import Refusal, Unavailable
from tenant_app.contract import CellDatabase, Usage


def usage(session: Session, organisation_id: UUID) -> Usage | None:
    """Its last report; None if there is none yet or the cell cannot be reached just now."""
    place = placement.where(session, organisation_id)
    if place is None:
        return None
    try:
        database = CellDatabase(placement.admin_url(session, vault_of(session), place.database_id))
        return database.usage([organisation_id]).get(organisation_id)
    except (Unavailable, Refusal):
        return None
