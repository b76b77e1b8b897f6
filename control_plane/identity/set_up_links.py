"""Links for somebody of an organisation's IT without an account: one use, one organisation, one purpose."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from control_plane.audit import Actor
from control_plane.identity import changing
from control_plane.identity.organisation_models import SetUpLink
from kit.credentials import new_token, token_hash
from kit.errors import Refusal, not_found
from kit.ids import new_id
from kit.settings import ControlPlaneSettings

SetUpPurpose = Literal["domains", "sign_in", "scim"]
LONGEST_HOURS = 14 * 24


@dataclass(frozen=True)
class SetUpLinkView:
    """A link without its secret."""

    id: UUID
    organisation_id: UUID
    purpose: SetUpPurpose
    created_by: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None

    @property
    def alive(self) -> bool:
        """Neither used, nor revoked, nor expired."""
        return self.used_at is None and self.revoked_at is None and self.expires_at > datetime.now(UTC)


def _view(row: SetUpLink) -> SetUpLinkView:
    return SetUpLinkView(**{name: getattr(row, name) for name in SetUpLinkView.__dataclass_fields__})


def set_up_links(session: Session, organisation_id: UUID) -> list[SetUpLinkView]:
    """The organisation's links, the latest first, ended ones included."""
    query = select(SetUpLink).where(SetUpLink.organisation_id == organisation_id).order_by(SetUpLink.id.desc())
    return [_view(row) for row in session.scalars(query.execution_options(populate_existing=True))]


def make_set_up_link(
    session: Session,
    settings: ControlPlaneSettings,
    organisation_id: UUID,
    purpose: str,
    *,
    actor: Actor,
    hours: int = 72,
) -> tuple[SetUpLinkView, str]:
    """A link and its address, which is never seen again."""
    changing.begin(session, organisation_id)
    if purpose not in get_args(SetUpPurpose):
        raise Refusal("unknown_purpose", "Choose what the link is to set up.", field="purpose")
    if not 1 <= hours <= LONGEST_HOURS:
        message = "Choose something from {least} to {most}."
        raise Refusal("out_of_bounds", message, field="hours", least=1, most=LONGEST_HOURS)
    token, now = new_token(), datetime.now(UTC)
    row = SetUpLink(
        id=new_id(),
        token_hash=token_hash(token),
        organisation_id=organisation_id,
        purpose=purpose,
        created_by=actor.name[:200],
        created_at=now,
        expires_at=now + timedelta(hours=hours),
    )
    session.add(row)
    session.flush()
    facts = {"link_id": row.id, "purpose": purpose, "expires_at": row.expires_at}
    changing.note(session, "set_up_link.made", organisation_id, actor, **facts)
    return _view(row), f"{settings.site_url}/console/set-up/{token}"


def _alive(session: Session, token: str, *, lock: bool) -> SetUpLink:
    query = select(SetUpLink).where(SetUpLink.token_hash == token_hash(token))
    row = session.scalar((query.with_for_update() if lock else query).execution_options(populate_existing=True))
    if row is None or not _view(row).alive:
        message = "This link has been used already, or its time has passed. Ask for another one."
        raise Refusal("link_gone", message, status=410)
    return row


def find_set_up_link(session: Session, token: str) -> SetUpLinkView:
    """What a link opens; an unknown, used, revoked or outlived one is refused, each alike."""
    return _view(_alive(session, token, lock=False))


def use_set_up_link(session: Session, token: str) -> SetUpLinkView:
    """Use a link up: of two who use it at once, one gets in."""
    row = _alive(session, token, lock=True)
    row.used_at = datetime.now(UTC)
    session.flush()
    link = Actor("link", str(row.id), f"Set-up link ({row.purpose})")
    changing.note(session, "set_up_link.used", row.organisation_id, link, link_id=row.id, purpose=row.purpose)
    return _view(row)


def revoke_set_up_link(session: Session, organisation_id: UUID, link_id: UUID, *, actor: Actor) -> SetUpLinkView:
    """The link opens nothing any more. Doing it twice changes nothing."""
    row = session.get(SetUpLink, link_id, with_for_update=True, populate_existing=True)
    if row is None or row.organisation_id != organisation_id:
        raise not_found("link")
    if row.revoked_at is None:
        row.revoked_at = datetime.now(UTC)
        session.flush()
        changing.note(session, "set_up_link.revoked", organisation_id, actor, link_id=row.id, purpose=row.purpose)
    return _view(row)
