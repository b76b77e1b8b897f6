"""The way into a workspace: a mailed link or a finished sign-up, turned into a login ticket of 60 seconds."""

import contextlib
import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from control_plane import organisations, placement
from control_plane.organisations import Organisation
from control_plane.placement import Databases
from control_plane.signup.models import EntryLink
from control_plane.signup.service import gone
from kit.credentials import new_token, token_hash
from kit.db import transaction
from kit.errors import Refusal, Unavailable
from kit.settings import ControlPlaneSettings
from kit.vault import Vault
from tenant_app.contract import KeyPair, Purpose, derived_key, mint

ENTRY_VALID = timedelta(days=7)
OPEN = frozenset({"live", "read_only"})


def ticket_key(vault: Vault) -> KeyPair:
    """The key that signs login tickets. It derives from the master key, so every process has it and none stores it.

    With the master key it rotates too: a ticket lives for 60 seconds, and the cells learn the new key by `announce`.
    """
    return derived_key(vault.derive("login-ticket"))


class Doors:
    """Opens workspaces for people: makes tickets, and sees that each cell database knows the key that signs them."""

    def __init__(self, settings: ControlPlaneSettings, vault: Vault) -> None:
        self.settings = settings
        self._databases = Databases(vault)
        self._key = ticket_key(vault)
        self._told: set[UUID] = set()
        self._lock = threading.Lock()

    def announce(self, session: Session, organisation_id: UUID) -> None:
        """The organisation's cell database knows our public key (asked once in a process)."""
        place = placement.where(session, organisation_id)
        if place is None:
            return
        with self._lock:
            if place.database_id in self._told:
                return
        self._databases.get(session, place.database_id).ensure_signing_key(self._key.kid, self._key.public)
        with self._lock:
            self._told.add(place.database_id)

    def url(self, session: Session, organisation: Organisation, purpose: Purpose, subject: UUID | None = None) -> str:
        """Where to send a browser now: the first administrator's, or the subject's. Good for 60 seconds and one use."""
        if organisation.state not in OPEN:
            message = "This workspace is not open just now. We write to you as soon as it is."
            raise Refusal("not_open", message, status=409)
        self.announce(session, organisation.id)
        host = f"{organisation.address}{self.settings.workspace_suffix}"
        whose = subject or organisations.owner_id(organisation.id)
        ticket = mint(self._key.private, host, organisation.id, whose, purpose)
        return f"{self.settings.workspace_url(organisation.address)}/enter?{urlencode({'ticket': ticket})}"

    def sources(self) -> str:
        """The hosts that a form of ours may lead to, as the content policy wants them."""
        return self.settings.workspace_url("*")


def retire_ticket_keys(engine: Engine, databases: Databases, vault: Vault) -> int:
    """The cells refuse tickets of keys that none of the master keys gives any more; says how many keys that were.

    Not in their first day: another process may have been told of a new master key before this one.
    """
    kept = [derived_key(seed).kid for seed in vault.derivations("login-ticket")]
    with transaction(engine) as session:
        found = [databases.get(session, one.id) for cell in placement.cells(session) for one in cell.databases]
    retired = 0
    for database in found:
        # A cell that is away is asked again in the next round.
        with contextlib.suppress(Unavailable):
            retired += len(database.retire_signing_keys_but(kept, timedelta(days=1)))
    return retired


def new_entry_link(session: Session, organisation_id: UUID, email: str) -> str:
    """The token of a link that lets its receiver into the workspace once, within 7 days."""
    token = new_token()
    expires = datetime.now(UTC) + ENTRY_VALID
    session.add(
        EntryLink(token_hash=token_hash(token), organisation_id=organisation_id, email=email, expires_at=expires)
    )
    return token


def entry_url(session: Session, settings: ControlPlaneSettings, organisation_id: UUID, email: str) -> str:
    """The address of such a link."""
    return f"{settings.site_url}/enter/{new_entry_link(session, organisation_id, email)}"


def entry_of(session: Session, token: str, *, lock: bool = False) -> tuple[EntryLink, Organisation]:
    """What a mailed link opens; an unknown, used or outlived one is refused, each alike."""
    row = session.get(EntryLink, token_hash(token), with_for_update=lock)
    if row is None or row.used_at is not None or row.expires_at <= datetime.now(UTC):
        raise gone_entry()
    organisation = organisations.get(session, row.organisation_id)
    if row.email != organisation.admin_email:
        raise gone_entry()
    return row, organisation


def gone_entry() -> Refusal:
    """The cure of a link into a workspace that does not work any more."""
    message = (
        "This link has been used already, or its time has passed. Open your workspace at its own address and sign in"
        " there."
    )
    return Refusal("link_gone", message, status=gone().status)


def enter(session: Session, doors: Doors, token: str) -> str:
    """Use a mailed link up: the address of the workspace with a ticket."""
    row, organisation = entry_of(session, token, lock=True)
    row.used_at = datetime.now(UTC)
    return doors.url(session, organisation, "first_sign_in")
