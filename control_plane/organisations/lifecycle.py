"""Renaming, changing the offer, closing with notice, coming back, and erasing."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from control_plane import audit, catalogue, placement, provisioning
from control_plane.audit import Actor
from control_plane.catalogue import OfferView
from control_plane.organisations import dates, fields
from control_plane.organisations.holds import RUNNING, check_reason
from control_plane.organisations.models import Organisation
from control_plane.organisations.service import converge, locked, make_order, search_text, touch
from control_plane.provisioning import Operation, enqueue_mail
from kit.errors import Refusal

NOTICE_DAYS = 21
NEVER_LIVED = ("ordered", "provisioning", "failed")


def _wrong_state(row: Organisation, message: str) -> Refusal:
    return Refusal("wrong_state", message, status=409, state=row.state)


def _running(session: Session, organisation_id: UUID, revision: int | None) -> Organisation:
    row = locked(session, organisation_id, revision)
    if row.state not in RUNNING or row.closing_at is not None:
        raise _wrong_state(row, "This can only be done while the organisation is live, read-only or suspended.")
    return row


def rename(
    session: Session, organisation_id: UUID, *, name: str, actor: Actor, revision: int | None = None
) -> Operation:
    """Give it another name. Its address stays."""
    row = _running(session, organisation_id, revision)
    before, row.name = row.name, fields.check_name(name)
    row.search_text = search_text(row)
    data = {"before": before, "after": row.name}
    audit.record(session, "organisation.renamed", actor=actor, organisation_id=row.id, data=data)
    return converge(session, row, "change", actor)


def change_offer(
    session: Session, organisation_id: UUID, *, offer: str, actor: Actor, revision: int | None = None
) -> Operation:
    """Move it to the current version of an offer. What it stores stays, even over the new quota; adding more waits."""
    row = _running(session, organisation_id, revision)
    wanted = catalogue.current(session, offer)
    if (wanted.code, wanted.version) == (row.offer_code, row.offer_version):
        raise Refusal("offer_unchanged", "It has this version of this offer already.", field="offer", status=409)
    _check_cell(session, row, wanted)
    data = {
        "before": {"offer": row.offer_code, "version": row.offer_version},
        "after": {"offer": wanted.code, "version": wanted.version},
    }
    row.offer_code, row.offer_version = wanted.code, wanted.version
    if not wanted.terms.trial_months:
        row.trial_ends_at = None
    audit.record(session, "organisation.offer_changed", actor=actor, organisation_id=row.id, data=data)
    return converge(session, row, "change", actor)


def _check_cell(session: Session, row: Organisation, wanted: OfferView) -> None:
    place = placement.where(session, row.id)
    if place is None:
        return
    cell = placement.cell(session, place.cell)
    if not placement.fits(cell, wanted.requirements):
        message = "Its cell lacks the region or the qualities that this offer asks for: it would have to move first."
        raise Refusal("cell_unfit", message, field="offer", status=409)
    if wanted.entitlements.own_keys and not placement.keeps_own_keys(cell):
        message = (
            "The store of its cell cannot encrypt by a key of the organisation's own, as this offer asks: it would have"
            " to move first."
        )
        raise Refusal("cell_unfit", message, field="offer", status=409)


def close(
    session: Session, organisation_id: UUID, *, reason: str, actor: Actor, revision: int | None = None
) -> Operation:
    """End it with 21 days' notice: members are out, the export stays open, and everything can still come back."""
    row = _running(session, organisation_id, revision)
    tidy = check_reason(reason)
    row.closing_at, row.erase_after = datetime.now(UTC), dates.in_days(NOTICE_DAYS)
    data = {"reason": tidy, "erase_after": row.erase_after.isoformat()}
    audit.record(session, "organisation.closing_asked", actor=actor, organisation_id=row.id, data=data)
    operation = converge(session, row, "close", actor)
    payload = {**_addressee(row), "erase_after": row.erase_after.isoformat()}
    enqueue_mail(session, f"closing:{row.id}:{operation.id}", row.id, "closing", payload)
    return operation


def _addressee(row: Organisation) -> dict[str, Any]:
    return {
        "to": row.admin_email,
        "name": row.admin_name,
        "locale": row.locale,
        "organisation": row.name,
        "address": row.address,
    }


def reopen(session: Session, organisation_id: UUID, *, actor: Actor, revision: int | None = None) -> Operation:
    """Take the closing back. Holds that stood before still stand."""
    row = locked(session, organisation_id, revision)
    if row.closing_at is None or row.state in {"erased", "failed"}:
        raise _wrong_state(row, "Only an organisation that is closing can be reopened.")
    _refuse_while_erasing(session, row)
    row.closing_at, row.erase_after = None, None
    audit.record(session, "organisation.reopening_asked", actor=actor, organisation_id=row.id)
    return converge(session, row, "reopen", actor)


def _refuse_while_erasing(session: Session, row: Organisation) -> None:
    current = provisioning.current_operation(session, row.id)
    if current and current.kind == "erase" and current.state in provisioning.UNFINISHED:
        raise Refusal("being_erased", "It is being erased already.", status=409)


def erase(
    session: Session,
    organisation_id: UUID,
    *,
    actor: Actor,
    confirm_address: str,
    reason: str | None = None,
    force: bool = False,
    revision: int | None = None,
) -> Operation:
    """Remove it with everything it has, for good. Its address, typed again, says that this one is meant.

    Before the notice has run out this takes `force` and a reason. What never became live can go at once.
    """
    row = locked(session, organisation_id, revision)
    if confirm_address.strip().lower() != row.address:
        message = "Type the address of the organisation to confirm: {address}."
        raise Refusal("not_confirmed", message, field="confirm_address", address=row.address)
    if row.state == "erased":
        raise _wrong_state(row, "It is erased already.")
    _refuse_while_erasing(session, row)
    data = {"address": row.address, "force": force, "reason": check_reason(reason or "") if reason or force else None}
    if row.state not in NEVER_LIVED:
        _check_notice(row, force)
    audit.record(session, "organisation.erasure_asked", actor=actor, organisation_id=row.id, data=data)
    touch(row)
    session.flush()
    return provisioning.want(session, row.id, "absent", make_order(session, row, "closing"), "erase", actor)


def _check_notice(row: Organisation, force: bool) -> None:
    if row.state != "closing" or row.erase_after is None:
        raise _wrong_state(row, "Close it first: its people get 21 days' notice to take their data.")
    if row.erase_after > datetime.now(UTC) and not force:
        message = "Its notice runs until {until}: erasing it before takes force and a reason."
        raise Refusal("notice_running", message, status=409, until=row.erase_after.date().isoformat())


def verify(session: Session, organisation_id: UUID, *, actor: Actor, revision: int | None = None) -> Operation:
    """Check now that everything is as ordered, and mend what is not; the operation's steps tell what had changed."""
    row = locked(session, organisation_id, revision)
    if row.state not in (*RUNNING, "closing"):
        raise _wrong_state(row, "There is nothing to verify in this state.")
    current = provisioning.current_operation(session, row.id)
    if current and current.state in provisioning.UNFINISHED:
        raise Refusal("operation_running", "Something is under way already, and will verify everything.", status=409)
    audit.record(session, "organisation.verification_asked", actor=actor, organisation_id=row.id)
    return converge(session, row, "verify", actor)
