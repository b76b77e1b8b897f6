"""The stages of a connection: draft, tested, pilot (named people), enforced. Upwards only with proof, down at any time.

Enforced means that nobody of its domains gets in otherwise. So it wants an administrator who has just come in by it and
two break-glass accounts, and it goes back to pilot by itself if nobody who could mend things gets in within the hour.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from control_plane.audit import Actor
from control_plane.identity import changing, policies
from control_plane.identity.organisation_models import Connection
from control_plane.identity.publishing import proven_names
from kit.errors import Refusal, Refusals
from tenant_app.contract import TRIAL

GRACE = TRIAL
RECENT = timedelta(hours=24)
ORDER = ("draft", "tested", "pilot", "enforced")


def obstacles_of(session: Session, row: Connection, stage: str) -> list[Refusal]:
    """What is in the way of a stage now; nothing is in the way down."""
    if stage not in ORDER:
        return [Refusal("unknown_stage", "Choose one of {known}.", field="stage", known=", ".join(ORDER))]
    found: list[Refusal] = []
    if ORDER.index(stage) <= ORDER.index(row.stage):
        return found
    if not row.settings:
        return [incomplete()]
    if stage in {"tested", "pilot", "enforced"} and row.stage == "draft":
        found += _untested(session, row)
    if stage in {"pilot", "enforced"}:
        found += _unproven(session, row)
    if stage == "enforced":
        found += _unsafe(session, row)
    return found


def incomplete() -> Refusal:
    """A draft that knows nothing of the other side yet."""
    message = "First say what we need to know of your directory: its metadata, or its issuer."
    return Refusal("connection_incomplete", message, status=409)


def _untested(session: Session, row: Connection) -> list[Refusal]:
    database = changing.database_of(session, row.organisation_id)
    passed = database and database.last_success(row.organisation_id, row.id, row.settled_at, administrator=False)
    if passed:
        return []
    message = "Run a test first: one with these settings must have gone through."
    return [Refusal("stage_untested", message, field="stage", status=409)]


def _unproven(session: Session, row: Connection) -> list[Refusal]:
    if proven_names(session, row.organisation_id) & set(row.domains):
        return []
    message = "Choose at least one proven domain: only in such may it let people in."
    return [Refusal("stage_domains", message, field="domains", status=409)]


def _unsafe(session: Session, row: Connection) -> list[Refusal]:
    found: list[Refusal] = []
    since = datetime.now(UTC) - RECENT
    database = changing.database_of(session, row.organisation_id)
    if not (database and database.last_success(row.organisation_id, row.id, since, administrator=True)):
        message = "An administrator must have signed in by it within the last 24 hours. Let one of the pilot do so."
        found.append(Refusal("stage_administrator", message, field="stage", status=409))
    ready = len(policies.ready_break_glass(session, row.organisation_id))
    if ready < policies.LEAST_BREAK_GLASS:
        message = (
            "{least} break-glass accounts with passkeys must exist, there are {ready}: administrators who get in even"
            " if your identity provider is down. Name them in the policy."
        )
        least = policies.LEAST_BREAK_GLASS
        found.append(Refusal("stage_break_glass", message, field="stage", status=409, least=least, ready=ready))
    return found


def move(session: Session, row: Connection, stage: str, actor: Actor) -> None:
    """Take it to a stage; the organisation is locked."""
    wrong = obstacles_of(session, row, stage)
    if wrong:
        raise Refusals(wrong)
    if stage == row.stage:
        return
    now, before = datetime.now(UTC), row.stage
    row.stage = stage
    row.tested_at = None if stage == "draft" else row.tested_at or now
    row.enforced_at, row.reverts_at = (now, now + GRACE) if stage == "enforced" else (None, None)
    row.revision += 1
    row.updated_at = now
    session.flush()
    changing.note(
        session, "connection.staged", row.organisation_id, actor, connection=row.id, before=before, after=stage
    )
    changing.publish(session, row.organisation_id)


def settle_enforcement(session: Session, row: Connection, came_in: datetime | None, actor: Actor) -> str | None:
    """Whether enforcement holds: `kept` once an administrator came in, `reverted` when the hour is over; else None."""
    if row.stage != "enforced" or row.reverts_at is None:
        return None
    if came_in is not None:
        row.reverts_at = None
        verb = "connection.enforcement_kept"
    elif row.reverts_at <= datetime.now(UTC):
        row.stage, row.enforced_at, row.reverts_at = "pilot", None, None
        verb = "connection.reverted"
    else:
        return None
    row.revision += 1
    row.updated_at = datetime.now(UTC)
    session.flush()
    changing.note(session, verb, row.organisation_id, actor, connection=row.id, name=row.name)
    changing.publish(session, row.organisation_id)
    return verb.rpartition(".")[2]


def waiting(row: Connection, organisation_id: UUID) -> bool:
    """Whether its enforcement is still on trial."""
    return row.organisation_id == organisation_id and row.stage == "enforced" and row.reverts_at is not None
