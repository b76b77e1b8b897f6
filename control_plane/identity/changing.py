"""How every change of an organisation's identity set-up goes: under its lock, told to the record, then published."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from control_plane import audit, organisations, placement, provisioning
from control_plane.audit import Actor
from control_plane.identity.organisation_models import SignInRules
from control_plane.organisations import Organisation
from kit.db import vault_of
from kit.errors import Refusal
from tenant_app.contract import CellDatabase

OPEN = ("live", "read_only", "suspended")


def begin(session: Session, organisation_id: UUID) -> Organisation:
    """The organisation, locked for a change; refused where there is no workspace to sign in to."""
    provisioning.lock(session, organisation_id)
    found = organisations.get(session, organisation_id)
    if found.state not in OPEN or found.closing_at is not None:
        message = "Sign-in is set up once the workspace is live, and not while the organisation is closing."
        raise Refusal("wrong_state", message, status=409, state=found.state)
    return found


def rules_of(session: Session, organisation_id: UUID) -> SignInRules:
    """The organisation's rules, made where it has none yet."""
    fresh = {"organisation_id": organisation_id, "networks": [], "break_glass": [], "second_factor": False}
    row = insert(SignInRules).values(**fresh, brake_percent=20, revision=1)
    session.execute(row.on_conflict_do_nothing(index_elements=["organisation_id"]))
    return session.get_one(SignInRules, organisation_id, populate_existing=True)


def publish(session: Session, organisation_id: UUID) -> None:
    """The workspace's processes know of it within about a second after the commit."""
    rules_of(session, organisation_id)
    session.flush()
    provisioning.republish(session, organisation_id)


def note(session: Session, verb: str, organisation_id: UUID, actor: Actor, **data: Any) -> None:
    """Write down what was changed; never a secret."""
    audit.record(session, verb, actor=actor, organisation_id=organisation_id, data=data)


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What a change changed, as `before` and `after` of the fields that differ."""
    changed = [name for name in after if before.get(name) != after[name]]
    return {"before": {name: before.get(name) for name in changed}, "after": {name: after[name] for name in changed}}


def check_revision(seen: int | None, current: int) -> None:
    """Refuse a change by who saw an older version."""
    if seen is not None and seen != current:
        message = "Somebody has changed this meanwhile: look at it again, then repeat your change."
        raise Refusal("stale", message, status=412, current=current)


def database_of(session: Session, organisation_id: UUID) -> CellDatabase | None:
    """The cell database where the organisation lives; None if it lives nowhere."""
    place = placement.where(session, organisation_id)
    if place is None:
        return None
    return CellDatabase(placement.admin_url(session, vault_of(session), place.database_id))
