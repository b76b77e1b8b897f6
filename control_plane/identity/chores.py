"""What comes with time: proofs looked at again, enforcement that holds or reverts, fresh metadata, notices, forgetting.

Nothing here waits for the network inside a transaction: what is due is read, asked about, then written under the lock.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Engine, and_, delete, exists, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from control_plane import placement, provisioning
from control_plane.audit import SYSTEM
from control_plane.identity import changing, stages
from control_plane.identity.connection_acts import note_trouble, take_over
from control_plane.identity.connection_settings import fetched_metadata
from control_plane.identity.connection_views import certificate_view
from control_plane.identity.domains import DAILY, apply
from control_plane.identity.models import Staff
from control_plane.identity.organisation_models import (
    Connection,
    Domain,
    ScimToken,
    SetUpLink,
    SignInRules,
    SupportAccess,
)
from control_plane.identity.proving import Answer, ask_all
from control_plane.identity.roles import Permission, Role, allows
from control_plane.identity.support import WAITS, end_support
from control_plane.organisations import Organisation
from control_plane.placement import Databases
from kit import logs
from kit.db import transaction
from kit.errors import Refusal, Refusals, Unavailable
from kit.saml import IdentityProvider
from kit.settings import ControlPlaneSettings
from tenant_app.contract import CellDatabase, UnknownKey

AT_ONCE = 50
FETCHERS = 8
HELD = timedelta(minutes=10)
LIMITED = timedelta(minutes=10)
LOOKED_AT = 500
# Before all others that are due.
FIRST = datetime(1970, 1, 1, tzinfo=UTC)
NOTICE_DAYS = (60, 30, 14, 3)
TABLES = (Connection, Domain, ScimToken, SetUpLink, SignInRules, SupportAccess)

Row = TypeVar("Row", Domain, Connection)

log = logs.get(__name__)


def keep_domains(engine: Engine, settings: ControlPlaneSettings) -> int:
    """Look for the proofs that are due; says how many were looked at."""
    with transaction(engine) as session:
        due = _taken(session, Domain, Domain.check_at)
    with ThreadPoolExecutor(FETCHERS, thread_name_prefix="domains") as threads:
        said = list(threads.map(lambda row: ask_all(settings.dns_resolvers, row.name, row.token), due))
    for row, answers in zip(due, said, strict=True):
        _apart(engine, row.id, partial(_look, row.id, answers))
    return len(due)


def _taken(session: Session, kind: type[Row], due_at: InstrumentedAttribute[datetime | None]) -> list[Row]:
    """What is due, for us to see to: nobody else takes it, and what goes wrong comes again but keeps nothing back."""
    query = select(kind).where(due_at <= datetime.now(UTC)).order_by(due_at).limit(AT_ONCE)
    due = list(session.scalars(query.with_for_update(skip_locked=True)))
    later = update(kind).where(kind.id.in_([row.id for row in due])).values({due_at: datetime.now(UTC) + HELD})
    session.execute(later.execution_options(synchronize_session=False))
    session.expunge_all()
    return due


def _look(domain_id: UUID, answers: tuple[Answer, ...], session: Session) -> None:
    row = _locked(session, Domain, domain_id)
    if row is None:
        return
    try:
        apply(session, row, answers, SYSTEM)
    except Refusal:
        # Another organisation was first. Whoever asks by hand is told so.
        row.check_at = datetime.now(UTC) + DAILY


def _locked(session: Session, kind: type[Row], of: UUID) -> Row | None:
    """The row, with its organisation locked; None if it is gone, or its organisation is."""
    seen = session.get(kind, of)
    if seen is None:
        return None
    provisioning.lock(session, seen.organisation_id)
    whose = session.get(Organisation, seen.organisation_id, populate_existing=True)
    row = session.get(kind, of, populate_existing=True)
    return None if whose is None or whose.state == "erased" else row


def _apart(engine: Engine, of: UUID, work: Callable[[Session], None]) -> None:
    """One organisation's trouble is not the others'."""
    try:
        with transaction(engine) as session:
            work(session)
    except (Refusal, Refusals, Unavailable) as error:
        log.warning("a chore of sign-in went wrong", of=str(of), error=str(error))
    except Exception:
        log.exception("a chore of sign-in stumbled", of=str(of))


def keep_enforcement(engine: Engine) -> int:
    """Enforcement that an administrator came in by is kept; what nobody came in by for an hour goes back to pilot."""
    with transaction(engine) as session:
        query = select(Connection.id).where(Connection.stage == "enforced", Connection.reverts_at.is_not(None))
        waiting = list(session.scalars(query.limit(1000)))
    for connection_id in waiting:
        _apart(engine, connection_id, partial(_settle, connection_id))
    return len(waiting)


def _settle(connection_id: UUID, session: Session) -> None:
    row = _locked(session, Connection, connection_id)
    if row is None or row.enforced_at is None:
        return
    database = changing.database_of(session, row.organisation_id)
    came_in = database and database.last_success(row.organisation_id, row.id, row.enforced_at, administrator=True)
    if stages.settle_enforcement(session, row, came_in or None, SYSTEM) == "reverted":
        _write(session, row, "connection_reverted", f"connection_reverted:{row.id}:{row.revision}", {})


def _write(session: Session, row: Connection, kind: str, key: str, facts: dict[str, object]) -> None:
    whose = session.get_one(Organisation, row.organisation_id)
    payload = {
        "to": whose.admin_email,
        "name": whose.admin_name,
        "locale": whose.locale,
        "organisation": whose.name,
        "address": whose.address,
        "connection": row.name,
        **facts,
    }
    provisioning.enqueue_mail(session, key, row.organisation_id, kind, payload)


def keep_metadata(engine: Engine, settings: ControlPlaneSettings) -> int:
    """Fetch the metadata that is due; says how many were fetched. What is known serves on where that fails."""
    with transaction(engine) as session:
        due = _taken(session, Connection, Connection.metadata_due_at)
    fetch = partial(_fetched, settings)
    with ThreadPoolExecutor(FETCHERS, thread_name_prefix="metadata") as threads:
        found = list(threads.map(fetch, [str(row.metadata_url) for row in due]))
    for row, provider in zip(due, found, strict=True):
        _apart(engine, row.id, partial(_refresh, row.id, row.metadata_url, provider))
    return len(due)


def heed_signatures(engine: Engine, databases: Databases) -> int:
    """Where a signature was by an unknown key, the provider may have a new one: its metadata is due now, before others.

    Each cell tells where that was, so nothing is looked through. At most every ten minutes for a connection, and not
    while its metadata cannot be had. Says for how many.
    """
    with transaction(engine) as session:
        found = [databases.get(session, one.id) for cell in placement.cells(session) for one in cell.databases]
    with ThreadPoolExecutor(FETCHERS, thread_name_prefix="signatures") as threads:
        return sum(threads.map(partial(_heed, engine), found))


def _heed(engine: Engine, database: CellDatabase) -> int:
    try:
        told = database.unknown_keys(LOOKED_AT)
        with transaction(engine) as session:
            query = select(Connection).where(Connection.id.in_([one.connection_id for one in told]))
            rows = {row.id: row for row in session.scalars(query)}
            wanted = [one for one in told if _wants(rows.get(one.connection_id), one)]
            quiet = datetime.now(UTC) - LIMITED
            due = [one for one in wanted if (rows[one.connection_id].metadata_at or quiet) <= quiet]
            first = update(Connection).where(Connection.id.in_([one.connection_id for one in due]))
            session.execute(first.values(metadata_due_at=FIRST))
        waiting = [one for one in wanted if one not in due]
        database.forget_unknown_keys([one for one in told if one not in waiting])
    except (Refusal, Unavailable) as error:
        # A cell that is away is asked again in the next round.
        log.warning("a cell did not tell of unknown keys", database=str(database), error=str(error))
        return 0
    return len(due)


def _wants(row: Connection | None, told: UnknownKey) -> bool:
    """Whether reading its metadata again could help: it was not read since, and it could be had the last time."""
    if row is None or row.organisation_id != told.organisation_id or row.stage == "draft" or row.metadata_url is None:
        return False
    return row.metadata_trouble is None and (row.metadata_at is None or row.metadata_at < told.at)


def _fetched(settings: ControlPlaneSettings, url: str) -> IdentityProvider | Refusal:
    try:
        return fetched_metadata(settings, url)
    except Refusal as refusal:
        return refusal


def _refresh(connection_id: UUID, url: str | None, provider: IdentityProvider | Refusal, session: Session) -> None:
    row = _locked(session, Connection, connection_id)
    if row is None or row.metadata_url != url:
        return
    try:
        if isinstance(provider, Refusal):
            raise provider
        take_over(session, row, provider, SYSTEM)
    except Refusal as refusal:
        note_trouble(row, refusal)


def send_notices(engine: Engine) -> int:
    """Tell of provider certificates that end soon: 60, 30, 14 and 3 days before, once each. Says how many were told."""
    with transaction(engine) as session:
        query = select(Connection.id, Connection.settings).where(Connection.kind == "saml", Connection.stage != "draft")
        ends = [(of, _last_end(settings)) for of, settings in session.execute(query)]
    due = [(of, end, days) for of, end in ends if end and (days := _notice(end, datetime.now(UTC))) is not None]
    for of, end, days in due:
        _apart(engine, of, partial(_tell, of, end, days))
    return len(due)


def _last_end(settings: Mapping[str, Any]) -> datetime | None:
    return max((certificate_view(one).not_after for one in settings.get("certificates", [])), default=None)


def _tell(connection_id: UUID, ends: datetime, days: int, session: Session) -> None:
    row = _locked(session, Connection, connection_id)
    # Whoever has brought newer ones meanwhile needs no mail.
    if row is not None and _last_end(row.settings) == ends:
        key = f"certificate_expiring:{row.id}:{ends.date()}:{days}"
        _write(session, row, "certificate_expiring", key, {"ends_at": ends.isoformat()})


def _notice(ends: datetime, now: datetime) -> int | None:
    """Which of the notices is due: the nearest that has begun."""
    return min((days for days in NOTICE_DAYS if now >= ends - timedelta(days=days)), default=None)


def end_tests(engine: Engine) -> int:
    """Test runs whose time is over work no more."""
    with transaction(engine) as session:
        query = select(Connection.id).where(Connection.test_until <= datetime.now(UTC))
        over = list(session.scalars(query.limit(1000)))
    for connection_id in over:
        _apart(engine, connection_id, partial(_end_test, connection_id))
    return len(over)


def _end_test(connection_id: UUID, session: Session) -> None:
    row = _locked(session, Connection, connection_id)
    if row is not None and row.test_until is not None and row.test_until <= datetime.now(UTC):
        row.test_sha256 = row.test_until = None
        changing.publish(session, row.organisation_id)


def end_support_times(engine: Engine) -> int:
    """Consents whose time is over leave the record, where they open nothing already; and requests unanswered lapse.

    Whoever of the staff is disabled, or may not be let in any more, loses what he was granted.
    """
    now = datetime.now(UTC)
    with transaction(engine) as session:
        query = select(SupportAccess.organisation_id, SupportAccess.id)
        lapsed = and_(SupportAccess.accepted_at.is_(None), SupportAccess.asked_at <= now - WAITS)
        able = exists().where(
            Staff.id == SupportAccess.staff_id,
            Staff.disabled_at.is_(None),
            Staff.role.in_([role for role in Role if allows(role, Permission.SUPPORT)]),
        )
        due = query.where(or_(SupportAccess.until <= now, lapsed, ~able), SupportAccess.ended_at.is_(None))
        over = session.execute(due.limit(1000)).all()
    for organisation_id, access_id in over:
        _apart(engine, access_id, partial(_end_support, organisation_id, access_id))
    return len(over)


def _end_support(organisation_id: UUID, access_id: UUID, session: Session) -> None:
    end_support(session, organisation_id, access_id, actor=SYSTEM)


def forget_erased(engine: Engine) -> int:
    """What organisations that are erased had set up goes too; it names people. Says how many rows went."""
    gone = 0
    with transaction(engine) as session:
        for table in TABLES:
            erased = exists().where(Organisation.id == table.organisation_id, Organisation.state == "erased")
            gone += session.execute(delete(table).where(erased)).rowcount  # type: ignore[attr-defined]
    return gone
