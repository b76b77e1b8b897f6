"""A trial is given once to a mailbox and to a SIRET."""

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from control_plane.organisations.fields import email_key
from control_plane.organisations.models import Organisation
from kit.errors import Refusal


def check_trial_unused(session: Session, email: str, siret: str | None) -> None:
    """Refuse a visitor's second trial. One that never became live does not count; staff may order over this."""
    query = select(Organisation.id).where(
        Organisation.trial_ends_at.is_not(None),
        or_(Organisation.live_at.is_not(None), Organisation.state.in_(("ordered", "provisioning"))),
    )
    if session.scalar(query.where(Organisation.admin_key == email_key(email)).limit(1)):
        message = "A trial has been used with this e-mail address already: write to us and we will go on from there."
        raise Refusal("trial_used", message, field="admin.email", status=409)
    if siret and session.scalar(query.where(Organisation.siret == siret).limit(1)):
        message = "A trial has been used with this SIRET already: write to us and we will go on from there."
        raise Refusal("trial_used", message, field="siret", status=409)
