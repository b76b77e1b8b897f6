"""Mails about support access: to those who may decide about it, as the workspace knows them at that moment."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from control_plane import organisations, provisioning
from control_plane.identity import changing
from control_plane.identity.organisation_models import SupportAccess
from kit import logs
from kit.errors import Refusal, Unavailable

log = logs.get(__name__)


@dataclass(frozen=True)
class Reader:
    """Who gets a mail."""

    email: str
    name: str
    locale: str


def readers(session: Session, organisation_id: UUID) -> list[Reader]:
    """The organisation's administrators; its contact where the cell cannot tell them. Ask before taking its lock."""
    try:
        database = changing.database_of(session, organisation_id)
        people = database.administrators(organisation_id) if database else []
    except (Refusal, Unavailable) as error:
        log.warning("the administrators could not be asked for", of=str(organisation_id), error=str(error))
        people = []
    if people:
        return [Reader(one.email, one.name, one.locale) for one in people if one.email]
    whose = organisations.get(session, organisation_id)
    return [Reader(whose.admin_email, whose.admin_name, whose.locale)] if whose.admin_email else []


def tell(session: Session, kind: str, row: SupportAccess, told: list[Reader]) -> None:
    """Write to each, once for this access and kind."""
    whose = organisations.get(session, row.organisation_id)
    for one in told:
        payload = {
            "to": one.email,
            "name": one.name,
            "locale": one.locale,
            "organisation": whose.name,
            "address": whose.address,
            "staff": row.staff_name,
            "reason": row.reason,
            "read_only": row.read_only,
            "hours": row.hours,
        }
        provisioning.enqueue_mail(session, f"{kind}:{row.id}:{one.email}", row.organisation_id, kind, payload)
