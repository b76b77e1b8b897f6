"""Addresses of the platform: one claim each, however many ask at once."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from control_plane.organisations.fields import ADDRESS, skeleton
from control_plane.organisations.models import AddressClaim
from control_plane.organisations.words import RESERVED
from kit.errors import Refusal


@dataclass(frozen=True)
class AddressAnswer:
    """Whether an address can be had; if not, why. `look_alike` names an existing one that it could be taken for."""

    free: bool
    refusal: Refusal | None = None
    look_alike: str | None = None


def check_shape(address: str) -> str:
    """ASCII letters, digits and single dashes inside, 3 to 40 characters, in lower case, and no reserved word."""
    tidy = address.strip().lower()
    if not ADDRESS.fullmatch(tidy):
        message = "An address has 3 to 40 letters without accents, digits or dashes."
        raise Refusal("bad_address", message, field="address")
    if tidy.startswith("-") or tidy.endswith("-") or "--" in tidy:
        message = "An address begins and ends with a letter or a digit, and its dashes stand alone."
        raise Refusal("bad_address", message, field="address")
    if tidy in RESERVED:
        raise Refusal("address_reserved", "This address is reserved: choose another.", field="address")
    return tidy


def taken() -> Refusal:
    """One message for every way in which an address can be gone."""
    return Refusal("address_taken", "This address is taken: choose another.", field="address", status=409)


def check_address(session: Session, address: str, signup_id: UUID | None = None) -> AddressAnswer:
    """Whether an address can be had now, by this sign-up or by anybody."""
    try:
        tidy = check_shape(address)
    except Refusal as refusal:
        return AddressAnswer(free=False, refusal=refusal)
    held = session.scalar(select(AddressClaim.address).where(AddressClaim.address == tidy, ~_free(signup_id)))
    if held is not None:
        return AddressAnswer(free=False, refusal=taken())
    return AddressAnswer(free=True, look_alike=look_alike(session, tidy))


def look_alike(session: Session, address: str) -> str | None:
    """An organisation's address that this one could be mistaken for."""
    query = select(AddressClaim.address).where(
        AddressClaim.skeleton == skeleton(address),
        AddressClaim.address != address,
        AddressClaim.organisation_id.is_not(None),
    )
    return session.scalar(query.order_by(AddressClaim.claimed_at).limit(1))


def _free(signup_id: UUID | None) -> ColumnElement[bool]:
    """Nobody's, not reserved by another, and not closed after an earlier use."""
    mine = AddressClaim.signup_id == signup_id if signup_id else text("false")
    return and_(
        AddressClaim.organisation_id.is_(None),
        or_(AddressClaim.reserved_until.is_(None), AddressClaim.reserved_until <= func.now(), mine),
        or_(AddressClaim.closed_until.is_(None), AddressClaim.closed_until <= func.now()),
    )


def reserve_address(session: Session, address: str, signup_id: UUID, until: datetime) -> str:
    """Keep an address for a sign-up until then; refused as taken if somebody else was first."""
    tidy = check_shape(address)
    _claim(session, tidy, signup_id, {"organisation_id": None, "signup_id": signup_id, "reserved_until": until})
    return tidy


def claim_address(session: Session, address: str, organisation_id: UUID, signup_id: UUID | None) -> str:
    """Give an address to an organisation; refused as taken if somebody else was first."""
    tidy = check_shape(address)
    _claim(session, tidy, signup_id, {"organisation_id": organisation_id, "signup_id": None, "reserved_until": None})
    return tidy


def _claim(session: Session, address: str, signup_id: UUID | None, values: dict[str, object]) -> None:
    # Two at once: the second waits here for the first's transaction, then finds the row taken.
    row = {**values, "closed_until": None, "claimed_at": func.now()}
    wish = insert(AddressClaim).values(address=address, skeleton=skeleton(address), **row)
    won = wish.on_conflict_do_update(index_elements=["address"], set_=row, where=_free(signup_id))
    if session.execute(won.returning(AddressClaim.address)).scalar_one_or_none() is None:
        raise taken()


def release_reservation(session: Session, signup_id: UUID) -> None:
    """Give back what a sign-up had reserved."""
    session.execute(
        delete(AddressClaim).where(AddressClaim.signup_id == signup_id, AddressClaim.organisation_id.is_(None))
    )


def expire_reservations(session: Session) -> int:
    """Forget reservations that have run out; says how many. They are free to others even before this."""
    gone = delete(AddressClaim).where(
        AddressClaim.organisation_id.is_(None),
        AddressClaim.reserved_until <= func.now(),
        or_(AddressClaim.closed_until.is_(None), AddressClaim.closed_until <= func.now()),
    )
    return len(session.execute(gone.returning(AddressClaim.address)).all())


def free_address(session: Session, organisation_id: UUID, *, used: bool) -> None:
    """Give up an organisation's address: if people knew it, it stays closed for a year, else it is free at once."""
    mine = AddressClaim.organisation_id == organisation_id
    if used:
        closed = func.now() + text("interval '1 year'")
        session.execute(
            update(AddressClaim).where(mine).values(organisation_id=None, reserved_until=None, closed_until=closed)
        )
    else:
        session.execute(delete(AddressClaim).where(mine))
