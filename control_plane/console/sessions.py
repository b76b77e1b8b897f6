"""Sessions of the console. Each begins with a ticket or a set-up link, and is asked anew at each request."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from control_plane import identity, placement
from control_plane.console.models import ConsoleSession
from control_plane.console.permissions import ADMINISTRATOR, OWNER, PURPOSES, ROLES, SIGNING_IN, Permission
from control_plane.identity import Client, SetUpLinkView
from control_plane.placement import Databases
from kit.credentials import new_token, token_hash
from kit.errors import Refusal
from tenant_app.contract import CellDatabase, Person, Ticket

WHOLE = timedelta(hours=8)
IDLE = timedelta(minutes=30)
# Longer than any ticket lives: while the row stands, its ticket opens nothing more.
REMEMBERED = timedelta(minutes=10)
ADMINISTRATORS = frozenset({ADMINISTRATOR, OWNER})


@dataclass(frozen=True)
class SignedIn:
    """Who asks: a person as the workspace knows them now, or a set-up link (then there is no person)."""

    organisation_id: UUID
    token_hash: bytes
    database_id: UUID
    person: Person | None = None
    link: SetUpLinkView | None = None

    @property
    def role(self) -> str:
        """What they are in the workspace; nothing for a link."""
        return self.person.role if self.person else ""

    def may(self, permission: Permission) -> bool:
        """Whether they may do that; whom the tables do not know may nothing."""
        if self.link is not None:
            return permission in PURPOSES.get(self.link.purpose, frozenset())
        if self.person is not None and self.person.sso_admin and permission in SIGNING_IN:
            return True
        return permission in ROLES.get(self.role, frozenset())


def not_administrator() -> Refusal:
    """The ticket was good, the person is no administrator (any more)."""
    message = "Only administrators of the organisation come in here. Ask one of them to make you an administrator."
    return Refusal("not_administrator", message, status=403)


def enter(session: Session, databases: Databases, ticket: Ticket, client: Client) -> tuple[str, Person]:
    """A session for the person whom a checked ticket names; gives the token for the cookie. A second use is refused."""
    database = cell_of(session, databases, ticket.organisation_id)
    person = administrator(database, ticket.organisation_id, ticket.principal_id)
    if person is None:
        raise not_administrator()
    row = _new(ticket.organisation_id, "member", client)
    token, row.principal_id, row.ticket_id = new_token(), ticket.principal_id, ticket.id
    row.token_hash = token_hash(token)
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        message = "This link was used already. Go back to your workspace and open the console again."
        raise Refusal("ticket_used", message, status=403) from error
    _forget(session)
    return token, person


def enter_by_link(session: Session, organisation_id: UUID, link_id: UUID, client: Client) -> str:
    """A session for whoever held a set-up link that has just been used up."""
    token, row = new_token(), _new(organisation_id, "set_up", client)
    row.link_id, row.token_hash = link_id, token_hash(token)
    session.add(row)
    session.flush()
    return token


def _new(organisation_id: UUID, scope: str, client: Client) -> ConsoleSession:
    now = datetime.now(UTC)
    return ConsoleSession(
        organisation_id=organisation_id,
        scope=scope,
        user_agent=client.user_agent[:300].replace("\x00", ""),
        ip=client.ip[:45],
        created_at=now,
        seen_at=now,
        expires_at=now + WHOLE,
    )


def _forget(session: Session) -> None:
    session.execute(delete(ConsoleSession).where(ConsoleSession.expires_at < datetime.now(UTC) - REMEMBERED))


def authenticate(session: Session, databases: Databases, token: str | None) -> SignedIn | None:
    """Who has this token, now; None for nobody. The cell is asked whether the person is still an administrator."""
    now = datetime.now(UTC)
    row = session.get(ConsoleSession, token_hash(token)) if token else None
    if row is None or row.expires_at <= now or row.seen_at <= now - IDLE:
        return None
    place = placement.where(session, row.organisation_id)
    if place is None:
        return None
    database = databases.get(session, place.database_id)
    signed = SignedIn(
        row.organisation_id,
        row.token_hash,
        place.database_id,
        person=administrator(database, row.organisation_id, row.principal_id) if row.principal_id else None,
        link=_standing(session, row.organisation_id, row.link_id) if row.link_id else None,
    )
    if signed.person is None and signed.link is None:
        _touch(session, row.token_hash, expires_at=now)
        return None
    if row.seen_at < now - timedelta(minutes=1):
        _touch(session, row.token_hash, seen_at=now)
    return signed


def _standing(session: Session, organisation_id: UUID, link_id: UUID) -> SetUpLinkView | None:
    """The link of a session, unless it was taken back meanwhile."""
    links = identity.set_up_links(session, organisation_id)
    return next((one for one in links if one.id == link_id and one.revoked_at is None), None)


def administrator(database: CellDatabase, organisation_id: UUID, principal_id: UUID) -> Person | None:
    """The person, if the workspace knows them now as an active administrator."""
    person = database.person(organisation_id, principal_id)
    return person if person is not None and person.active and person.role in ADMINISTRATORS else None


def cell_of(session: Session, databases: Databases, organisation_id: UUID) -> CellDatabase:
    """The database where the organisation lives; refused when it lives nowhere."""
    place = placement.where(session, organisation_id)
    if place is None:
        raise Refusal("not_open", "This workspace is not open just now. Ask your provider about it.", status=409)
    return databases.get(session, place.database_id)


def leave(session: Session, token: str) -> None:
    """This token is nobody's from now on."""
    _touch(session, token_hash(token), expires_at=datetime.now(UTC))


def _touch(session: Session, hashed: bytes, **values: datetime) -> None:
    # By itself, not by the unit of work: a page must not fail because two of its requests touch one row.
    change = update(ConsoleSession).where(ConsoleSession.token_hash == hashed).values(**values)
    session.execute(change, execution_options={"synchronize_session": False})
