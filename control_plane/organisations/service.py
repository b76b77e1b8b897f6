"""Ordering an organisation, finding one, and the way every change of one goes."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from control_plane import audit, catalogue, placement, provisioning
from control_plane.audit import Actor
from control_plane.catalogue import Entitlements, OfferView
from control_plane.organisations import addresses, dates, fields
from control_plane.organisations.models import Hold, Organisation
from control_plane.organisations.once import check_trial_unused
from control_plane.provisioning import Desired, Kind, Operation, Order, OwnerOrder, Shown
from kit.errors import Refusal, Refusals, not_found
from kit.ids import new_id

GONE = ("erased", "failed")


@dataclass(frozen=True)
class NewOrganisation:
    """What a visitor, a seller or a script asks for."""

    name: str
    address: str
    offer: str
    admin_email: str
    admin_name: str
    siret: str | None = None
    entity_kind: str | None = None
    locale: str = "fr"
    cell: str | None = None
    source: str = "api"
    signup_id: UUID | None = None
    flags: tuple[str, ...] = ()


def owner_id(organisation_id: UUID) -> UUID:
    """The first administrator's id in the workspace: derived, so that a login ticket can name it at once."""
    return uuid5(NAMESPACE_URL, f"parvis:owner:{organisation_id}")


def order(session: Session, new: NewOrganisation, actor: Actor) -> Organisation:
    """Take an order: everything is checked, the address claimed, a place taken, and the loop set going.

    Raises `Refusals` that name every wrong field at once; then nothing is stored.
    """
    checked, offer = _check(session, new)
    row = _new_row(session, checked, offer)
    try:
        addresses.claim_address(session, row.address, row.id, new.signup_id)
        session.add(row)
        session.flush()
        audit.record(session, "organisation.ordered", actor=actor, organisation_id=row.id, data=_ordered(row))
        provisioning.want(session, row.id, "live", make_order(session, row, "live", new.cell), "create", actor)
        # Last, since it holds the busiest row's lock until the commit.
        placement.place(session, row.id, offer.requirements, new.cell, own_keys=offer.entitlements.own_keys)
    except Refusal as refusal:
        raise Refusals([refusal]) from refusal
    return row


def _check(session: Session, new: NewOrganisation) -> tuple[NewOrganisation, OfferView]:
    wrong: list[Refusal] = []

    def checked(check: Any, *args: Any) -> Any:
        try:
            return check(*args)
        except Refusal as refusal:
            wrong.append(refusal)
            return None

    tidy = {
        "name": checked(fields.check_name, new.name),
        "address": checked(addresses.check_shape, new.address),
        "admin_email": checked(fields.check_email, new.admin_email),
        "admin_name": checked(fields.check_name, new.admin_name, "admin.name"),
        "siret": checked(fields.check_siret, new.siret) if new.siret else None,
        "entity_kind": checked(fields.check_entity_kind, new.entity_kind or None),
        "locale": checked(fields.check_locale, new.locale),
    }
    offer = checked(catalogue.current, session, new.offer)
    if offer and new.source == "signup":
        checked(_check_self_service, offer)
    if offer and tidy["admin_email"] and new.source == "signup":
        checked(check_trial_unused, session, tidy["admin_email"], tidy["siret"])
    if wrong:
        raise Refusals(wrong)
    return replace(new, **tidy), offer


def _check_self_service(offer: OfferView) -> None:
    if not (offer.terms.self_service and offer.public):
        message = "This offer comes with a contract: please write to us."
        raise Refusal("not_self_service", message, field="offer")


def _new_row(session: Session, new: NewOrganisation, offer: OfferView) -> Organisation:
    now = datetime.now(UTC)
    row = Organisation(
        id=new_id(),
        name=new.name,
        address=new.address,
        state="ordered",
        offer_code=offer.code,
        offer_version=offer.version,
        siret=new.siret,
        entity_kind=new.entity_kind,
        locale=new.locale,
        admin_email=new.admin_email,
        admin_name=new.admin_name,
        admin_key=fields.email_key(new.admin_email),
        source=new.source,
        flags=_flags(session, new, offer),
        revision=1,
        created_at=now,
        updated_at=now,
        trial_ends_at=dates.trial_end(offer.terms.trial_months),
    )
    row.search_text = search_text(row)
    return row


def search_text(row: Organisation) -> str:
    """What search reads of an organisation."""
    return fields.fold(" ".join(filter(None, [row.name, row.address, row.siret, row.admin_email])))


def _flags(session: Session, new: NewOrganisation, offer: OfferView) -> list[str]:
    """What staff should look at; none of it blocks."""
    flags = list(new.flags)
    alike = addresses.look_alike(session, new.address)
    if alike:
        flags.append(f"look_alike:{alike}")
    if offer.code == "public-sector" and not new.siret:
        flags.append("siret_missing")
    known = select(Organisation.id).where(Organisation.siret == new.siret, Organisation.state.not_in(GONE)).limit(1)
    if new.siret and session.scalar(known):
        flags.append("siret_known")
    return flags


def _ordered(row: Organisation) -> dict[str, Any]:
    return {
        "name": row.name,
        "address": row.address,
        "offer": row.offer_code,
        "version": row.offer_version,
        "source": row.source,
        "flags": row.flags,
    }


def get(session: Session, organisation_id: UUID) -> Organisation:
    """One organisation; refused as not found if there is none."""
    found = session.get(Organisation, organisation_id, populate_existing=True)
    if found is None:
        raise not_found("organisation")
    return found


def find(session: Session, id_or_address: str | UUID) -> Organisation:
    """One organisation by its id or its address (the one that has the address now)."""
    if isinstance(id_or_address, UUID):
        return get(session, id_or_address)
    try:
        return get(session, UUID(id_or_address))
    except ValueError:
        pass
    query = select(Organisation).where(Organisation.address == id_or_address.strip().lower())
    # An erased one may have had the address before.
    found = session.scalar(query.order_by(Organisation.state == "erased", Organisation.created_at.desc()).limit(1))
    if found is None:
        raise not_found("organisation")
    return found


def locked(session: Session, organisation_id: UUID, revision: int | None = None) -> Organisation:
    """The row to be changed, locked; refused as stale if the caller saw an older revision."""
    provisioning.lock(session, organisation_id)
    found = session.get(Organisation, organisation_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise not_found("organisation")
    if revision is not None and revision != found.revision:
        message = "Somebody has changed this meanwhile: look at it again, then repeat your change."
        raise Refusal("stale", message, status=412, current=found.revision)
    return found


def touch(row: Organisation) -> None:
    """Count a write: the row's ETag changes."""
    row.revision += 1
    row.updated_at = datetime.now(UTC)


def entitled(session: Session, organisation: Organisation) -> Entitlements:
    """What the organisation may use now: its own version of its offer."""
    return catalogue.version(session, organisation.offer_code, organisation.offer_version).entitlements


def holds(session: Session, organisation_id: UUID, standing_only: bool = False) -> list[Hold]:
    """Why it is not fully live, newest first."""
    query = select(Hold).where(Hold.organisation_id == organisation_id).order_by(Hold.placed_at.desc(), Hold.id.desc())
    if standing_only:
        query = query.where(Hold.lifted_at.is_(None))
    return list(session.scalars(query.execution_options(populate_existing=True)))


def shown(session: Session, row: Organisation) -> Shown:
    """What the members should see: closing above all, then the strictest of the standing holds."""
    if row.closing_at is not None:
        return "closing"
    effects = {hold.effect for hold in holds(session, row.id, standing_only=True)}
    return "suspended" if "suspended" in effects else "read_only" if "read_only" in effects else "live"


DESIRED: dict[Shown, Desired] = {
    "live": "live",
    "read_only": "read_only",
    "suspended": "suspended",
    # Members are out, but the export reads the files during the notice.
    "closing": "read_only",
}


def make_order(session: Session, row: Organisation, shows: Shown, cell: str | None = None) -> Order:
    """What the loop is to make true of this row."""
    offer = catalogue.version(session, row.offer_code, row.offer_version)
    return Order(
        name=row.name,
        address=row.address,
        locale=row.locale,
        offer=row.offer_code,
        entitlements=msgspec.to_builtins(offer.entitlements),
        requirements=msgspec.to_builtins(offer.requirements),
        shows=shows,
        owner=OwnerOrder(id=owner_id(row.id), email=row.admin_email, name=row.admin_name),
        trial_ends_at=row.trial_ends_at,
        cell=cell,
    )


def converge(session: Session, row: Organisation, kind: Kind, actor: Actor) -> Operation:
    """Set the loop going for what the row now says. The row's state changes once that has become true."""
    session.flush()
    shows = shown(session, row)
    touch(row)
    session.flush()
    return provisioning.want(session, row.id, DESIRED[shows], make_order(session, row, shows), kind, actor)
