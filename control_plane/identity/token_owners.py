"""Who answers for a script's token: a member of staff who may make tokens, or the installation itself (nobody).

Whoever leaves, or loses his role here or at the provider, stops his tokens with him, from the next request on; nothing
is written for it. Another operator takes over those that must go on: then they work again, unchanged.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import Session

from control_plane import audit
from control_plane.audit import Actor
from control_plane.identity.models import ApiToken, Staff, StaffLink
from control_plane.identity.roles import Permission, Role, allows
from control_plane.identity.staff import find_staff
from control_plane.identity.tokens import is_alive, locked_token
from kit.errors import Refusal

_TRUSTED = [role.value for role in Role if allows(role, Permission.TOKENS)]
_refused = exists().where(StaffLink.staff_id == Staff.id, StaffLink.refused_at.is_not(None))
_answers = and_(Staff.disabled_at.is_(None), Staff.role.in_(_TRUSTED), or_(Staff.emergency, ~_refused))


@dataclass(frozen=True)
class Owner:
    """Who answers for a token; `answers` is false for somebody who may not any more: the token has stopped."""

    name: str
    email: str
    answers: bool


def owners(session: Session) -> dict[UUID, Owner]:
    """Everybody who answers for a token, or did."""
    query = select(Staff.id, Staff.name, Staff.email, _answers.label("answers"))
    rows = session.execute(query.where(Staff.id.in_(select(ApiToken.owner_id)))).all()
    return {row.id: Owner(row.name, row.email, bool(row.answers)) for row in rows}


def tokens_of(session: Session, staff_id: UUID) -> list[ApiToken]:
    """The tokens that this person answers for and that have not ended."""
    query = select(ApiToken).where(ApiToken.owner_id == staff_id).order_by(ApiToken.id)
    return [one for one in session.scalars(query) if is_alive(one)]


def require_answered(session: Session, found: ApiToken) -> None:
    """Refuse a token whose owner may not answer for it any more."""
    if found.owner_id is None:
        return
    if session.scalar(select(Staff.id).where(Staff.id == found.owner_id, _answers)) is None:
        message = (
            "Who answered for this token is no operator any more. Another operator can take it over, under API tokens."
        )
        raise Refusal("token_owner_gone", message, status=401)


def hand_over(session: Session, token_id: UUID, to: str, *, actor: Actor) -> ApiToken:
    """Another operator, by e-mail, answers for the token from now on; its secret and its rights stay."""
    found = locked_token(session, token_id)
    staff = find_staff(session, to)
    if staff is None or session.scalar(select(Staff.id).where(Staff.id == staff.id, _answers)) is None:
        message = "{email} is no operator of the staff, who could answer for a token."
        raise Refusal("token_owner_invalid", message, field="staff", email=to[:254])
    if not is_alive(found):
        raise Refusal("token_ended", "This token has ended: issue a new one.", status=409)
    if found.owner_id != staff.id:
        before, found.owner_id = found.owner_id, staff.id
        data = {"token_id": str(found.id), "name": found.name, "prefix": found.prefix, "before": before}
        audit.record(session, "token.handed_over", actor=actor, data=data | {"after": staff.id})
    return found
