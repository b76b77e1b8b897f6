"""A visitor asks, proves the mailbox by a link, and the organisation is ordered. Each step is one transaction."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from control_plane import catalogue, identity, organisations
from control_plane.audit import Actor
from control_plane.catalogue import OfferView
from control_plane.organisations import NewOrganisation, Organisation
from control_plane.provisioning import enqueue_mail
from control_plane.signup.domains import DISPOSABLE, PUBLIC, domain_of, is_within
from control_plane.signup.limits import LIMITS, Limits, check_limits, network_of
from control_plane.signup.models import EntryLink, SignupRequest
from kit.credentials import new_token, token_hash
from kit.errors import Refusal, Refusals
from kit.ids import new_id

LINK_VALID = timedelta(minutes=30)
RESERVED = timedelta(hours=6)
KEPT = timedelta(days=30)
PUBLIC_SECTOR = "public-sector"


@dataclass(frozen=True)
class Wish:
    """The form, as it was typed."""

    email: str
    organisation: str
    address: str
    offer: str
    siret: str = ""
    entity_kind: str = ""
    terms: bool = False


def offered(session: Session) -> list[OfferView]:
    """The offers that a visitor can take by himself."""
    return [offer for offer in catalogue.offers(session, public_only=True) if offer.terms.self_service]


def request(session: Session, wish: Wish, *, ip: str, locale: str, limits: Limits = LIMITS) -> UUID:
    """Take a visitor's wish: the address is reserved for 6 h, and a mail goes out.

    Every wrong field is named at once (`Refusals`), and then nothing is stored. Whether the mailbox is known to us
    changes only what the mail says: the answer, the rows and the reservation are the same.
    """
    tidy = _checked(session, wish)
    check_limits(session, ip, tidy.email, limits)
    now, request_id = datetime.now(UTC), new_id()
    _forget_earlier(session, tidy)
    row = SignupRequest(
        id=request_id,
        email=tidy.email,
        organisation_name=tidy.organisation,
        address=tidy.address,
        offer_code=tidy.offer,
        siret=tidy.siret or None,
        entity_kind=tidy.entity_kind or None,
        locale=locale,
        ip=network_of(ip),
        flags=_flags(tidy),
        # The link is made when its mail leaves, so that no copy of it is ever stored.
        link_hash=token_hash(new_token()),
        created_at=now,
        link_expires_at=now + LINK_VALID,
        expires_at=now + RESERVED,
    )
    session.add(row)
    session.flush()
    try:
        organisations.reserve_address(session, tidy.address, request_id, row.expires_at)
    except Refusal as refusal:
        raise Refusals([refusal]) from refusal
    enqueue_mail(session, f"signup:{request_id}", None, _kind(session, tidy.email), {"signup": str(request_id)})
    return request_id


def _kind(session: Session, email: str) -> str:
    """Which mail goes out. Only that mailbox learns that its organisation, or itself, is known already."""
    if identity.captured_by(session, email) is not None:
        return "signup_captured"
    return "signup_known" if trial_used(session, email) else "signup_link"


def trial_used(session: Session, email: str) -> bool:
    """Whether this mailbox has had its trial. Only a mail to that mailbox may tell."""
    try:
        organisations.check_trial_unused(session, email, None)
    except Refusal:
        return True
    return False


def _checked(session: Session, wish: Wish) -> Wish:
    wrong: list[Refusal] = []

    def checked(check: Any, *args: Any) -> Any:
        try:
            return check(*args)
        except Refusal as refusal:
            wrong.append(refusal)
            return ""

    tidy = Wish(
        email=checked(organisations.check_email, wish.email, "email"),
        organisation=checked(organisations.check_name, wish.organisation, "organisation"),
        address=checked(_check_address, session, wish),
        offer=checked(_check_offer, session, wish.offer),
        siret=checked(_check_siret, wish),
        entity_kind=checked(_check_kind, wish),
        terms=wish.terms,
    )
    if not wish.terms:
        wrong.append(Refusal("terms_open", "Please read and accept the terms of use first.", field="terms"))
    if wrong:
        raise Refusals(wrong)
    return tidy


def _check_address(session: Session, wish: Wish) -> str:
    tidy = wish.address.strip().lower()
    own = session.scalar(_earlier(wish.email, tidy).limit(1))
    answer = organisations.check_address(session, tidy, own)
    if answer.refusal:
        raise answer.refusal
    return tidy


def _check_offer(session: Session, code: str) -> str:
    if code not in {offer.code for offer in offered(session)}:
        raise Refusal("unknown_offer", "Choose one of these offers.", field="offer")
    return code


def _check_siret(wish: Wish) -> str:
    if wish.offer != PUBLIC_SECTOR:
        return ""
    if not wish.siret.strip():
        raise Refusal("siret_missing", "The public-sector offer needs your SIRET.", field="siret")
    return organisations.check_siret(wish.siret)


def _check_kind(wish: Wish) -> str:
    if wish.offer != PUBLIC_SECTOR:
        return ""
    if wish.entity_kind not in organisations.ENTITY_KINDS:
        raise Refusal("bad_entity_kind", "Choose what kind of public body you are.", field="entity_kind")
    return wish.entity_kind


def _flags(wish: Wish) -> list[str]:
    """What staff should look at once the organisation exists; none of it blocks."""
    domain = domain_of(wish.email)
    found = {
        "disposable_domain": is_within(domain, DISPOSABLE),
        "public_mail_domain": wish.offer == PUBLIC_SECTOR and is_within(domain, PUBLIC),
        "entity_kind_unclear": wish.offer == PUBLIC_SECTOR and wish.entity_kind in {"association", "other"},
    }
    return [flag for flag, true in found.items() if true]


def _earlier(email: str, address: str) -> Any:
    return select(SignupRequest.id).where(
        SignupRequest.email == email.strip(), SignupRequest.address == address, SignupRequest.confirmed_at.is_(None)
    )


def _forget_earlier(session: Session, tidy: Wish) -> None:
    # Who asks again because a mail went astray gets the same address; the earlier link ends. The row still counts.
    for earlier in session.scalars(_earlier(tidy.email, tidy.address)):
        organisations.release_reservation(session, earlier)
        session.get_one(SignupRequest, earlier).link_expires_at = datetime.now(UTC)
    session.flush()


def new_link(session: Session, request_id: UUID) -> tuple[SignupRequest, str] | None:
    """A fresh confirmation link, as its mail leaves; the one before it ends. None if the request has ended."""
    row = session.get(SignupRequest, request_id, with_for_update=True)
    now = datetime.now(UTC)
    if row is None or row.confirmed_at is not None or row.expires_at <= now:
        return None
    token = new_token()
    row.link_hash = token_hash(token)
    row.link_expires_at = min(now + LINK_VALID, row.expires_at)
    return row, token


def by_link(session: Session, token: str, *, lock: bool = False) -> SignupRequest:
    """The request a link belongs to; an unknown, used or outlived link is refused, each alike."""
    query = select(SignupRequest).where(SignupRequest.link_hash == token_hash(token))
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None or row.confirmed_at is not None or row.link_expires_at <= datetime.now(UTC):
        raise gone()
    return row


def used_link(session: Session, token: str, secret: str | None) -> SignupRequest | None:
    """The confirmed request of a link, for the browser that confirmed it (it holds `secret`)."""
    row = session.scalar(select(SignupRequest).where(SignupRequest.link_hash == token_hash(token)))
    if row is None or row.confirmed_at is None or secret is None:
        return None
    return row if row.progress_hash == token_hash(secret) else None


def gone() -> Refusal:
    """One answer for every link that does not work."""
    message = "This link has been used already, or its time has passed. Sign up again to get a new one."
    return Refusal("link_gone", message, status=410)


def confirm(session: Session, token: str, request_id: str | None = None) -> tuple[SignupRequest, str]:
    """The mailbox is proven: order the organisation. Gives the request, and the secret by which to follow it."""
    row = by_link(session, token, lock=True)
    new = NewOrganisation(
        name=row.organisation_name,
        address=row.address,
        offer=row.offer_code,
        admin_email=row.email,
        admin_name=name_from(row.email),
        siret=row.siret,
        entity_kind=row.entity_kind,
        locale=row.locale,
        source="signup",
        signup_id=row.id,
        flags=tuple(row.flags),
    )
    ordered = organisations.order(session, new, Actor("visitor", str(row.id), "visitor", request_id))
    secret = secrets.token_urlsafe(32)
    row.confirmed_at, row.organisation_id, row.progress_hash = datetime.now(UTC), ordered.id, token_hash(secret)
    return row, secret


def name_from(email: str) -> str:
    """A first guess at a name: claire.fontenay@… → Claire Fontenay. The person corrects it in the workspace."""
    words = [word for word in email.partition("@")[0].partition("+")[0].replace("_", ".").split(".") if word]
    name = " ".join("-".join(part.capitalize() for part in word.split("-")) for word in words)[:120]
    return name if len(name) >= 2 else email[:120]


def followed(session: Session, request_id: UUID, secret: str | None) -> tuple[SignupRequest, Organisation]:
    """A confirmed request and its organisation, for the browser that confirmed it; refused as not found to others."""
    row = session.get(SignupRequest, request_id)
    known = row is not None and secret is not None and row.progress_hash == token_hash(secret)
    if row is None or not known or row.organisation_id is None:
        message = "This page follows a sign-up in the browser that confirmed it. Use the link in our mail instead."
        raise Refusal("not_followed", message, status=404)
    return row, organisations.get(session, row.organisation_id)


def expire(session: Session) -> int:
    """End what was not confirmed within 6 h and free its address; forget confirmed requests after 30 days.

    Says how many unconfirmed ones ended. For the sweep.
    """
    now = datetime.now(UTC)
    unconfirmed = SignupRequest.confirmed_at.is_(None)
    query = select(SignupRequest.id).where(unconfirmed, SignupRequest.expires_at <= now)
    ended = list(session.scalars(query.limit(500).with_for_update(skip_locked=True)))
    for request_id in ended:
        organisations.release_reservation(session, request_id)
    session.execute(delete(SignupRequest).where(SignupRequest.id.in_(ended)))
    session.execute(delete(SignupRequest).where(SignupRequest.confirmed_at < now - KEPT))
    session.execute(delete(EntryLink).where(EntryLink.expires_at < now - KEPT))
    return len(ended)
