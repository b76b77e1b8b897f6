"""Reading offers and publishing new versions of them. Organisations keep their version until they are moved."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from control_plane import audit
from control_plane.audit import SYSTEM, Actor
from control_plane.catalogue.models import Offer, OfferVersion
from control_plane.catalogue.seeds import SEEDS
from control_plane.catalogue.terms import Encryption, Entitlements, Requirements, Terms
from kit.errors import Refusal, Refusals
from kit.ids import new_id

CODE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LOCALES = ("fr", "en")


@dataclass(frozen=True)
class OfferView:
    """One version of an offer. `names` is `{"fr": {"name", "description"}, "en": …}`."""

    code: str
    version: int
    names: dict[str, Any]
    entitlements: Entitlements
    terms: Terms
    requirements: Requirements
    public: bool
    created_at: datetime

    def name(self, locale: str) -> str:
        """The offer's name for people of a locale."""
        return str(self._words(locale)["name"])

    def description(self, locale: str) -> str:
        """A sentence on what it is, for people of a locale."""
        return str(self._words(locale).get("description", ""))

    def _words(self, locale: str) -> dict[str, Any]:
        words: dict[str, Any] = self.names.get(locale) or self.names["en"]
        return words


def _view(offer: Offer, row: OfferVersion) -> OfferView:
    return OfferView(
        code=offer.code,
        version=row.version,
        names=row.names,
        entitlements=msgspec.convert(row.entitlements, Entitlements),
        terms=msgspec.convert(row.terms, Terms),
        requirements=msgspec.convert(row.requirements, Requirements),
        public=offer.public,
        created_at=row.created_at,
    )


def offers(session: Session, public_only: bool = False) -> list[OfferView]:
    """The current version of every offer that is still sold, in the order of the price list."""
    query = (
        select(Offer, OfferVersion)
        .join(OfferVersion, (OfferVersion.offer_code == Offer.code) & (OfferVersion.version == Offer.version))
        .where(Offer.retired_at.is_(None))
        .order_by(Offer.rank, Offer.code)
    )
    if public_only:
        query = query.where(Offer.public)
    return [_view(offer, row) for offer, row in session.execute(query)]


def current(session: Session, code: str) -> OfferView:
    """The version that a new organisation gets; an unknown or retired code is refused."""
    offer = session.get(Offer, code)
    if offer is None or offer.retired_at is not None:
        raise _unknown(code)
    return version(session, code, offer.version)


def version(session: Session, code: str, n: int) -> OfferView:
    """One version, sold or not."""
    query = (
        select(Offer, OfferVersion)
        .join(OfferVersion, OfferVersion.offer_code == Offer.code)
        .where(Offer.code == code, OfferVersion.version == n)
    )
    found = session.execute(query).first()
    if found is None:
        raise _unknown(code)
    return _view(found[0], found[1])


def versions(session: Session, code: str) -> list[OfferView]:
    """Every version of an offer, newest first."""
    query = (
        select(Offer, OfferVersion)
        .join(OfferVersion, OfferVersion.offer_code == Offer.code)
        .where(Offer.code == code)
        .order_by(OfferVersion.version.desc())
    )
    found = [_view(offer, row) for offer, row in session.execute(query)]
    if not found:
        raise _unknown(code)
    return found


def _unknown(code: str) -> Refusal:
    return Refusal("unknown_offer", "There is no offer called {offer}.", field="offer", offer=code)


def publish(
    session: Session,
    code: str,
    *,
    names: dict[str, Any],
    entitlements: Entitlements,
    terms: Terms,
    requirements: Requirements | None = None,
    public: bool | None = None,
    rank: int | None = None,
    actor: Actor,
) -> OfferView:
    """Write a new version, the one sold from now on. An unchanged offer is refused: a version means a difference."""
    asked = requirements or Requirements()
    _check(session, code, names, entitlements, terms)
    session.execute(insert(Offer).values(code=code, version=0, rank=0, public=True).on_conflict_do_nothing())
    offer = session.execute(
        select(Offer).where(Offer.code == code).with_for_update().execution_options(populate_existing=True)
    ).scalar_one()
    before = version(session, code, offer.version) if offer.version else None
    row = OfferVersion(
        id=new_id(),
        offer_code=code,
        version=offer.version + 1,
        names=names,
        entitlements=msgspec.to_builtins(entitlements),
        terms=msgspec.to_builtins(terms),
        requirements=msgspec.to_builtins(asked),
    )
    if before and _same(before, row, public, rank, offer):
        raise Refusal(
            "offer_unchanged", "This is what version {version} says already.", status=409, version=offer.version
        )
    session.add(row)
    offer.version = row.version
    offer.public = offer.public if public is None else public
    offer.rank = offer.rank if rank is None else rank
    offer.retired_at = None
    session.flush()
    session.refresh(row)
    audit.record(session, "offer.published", actor=actor, data=_change(code, before, row))
    return _view(offer, row)


def _same(before: OfferView, row: OfferVersion, public: bool | None, rank: int | None, offer: Offer) -> bool:
    return (
        before.names == row.names
        and msgspec.to_builtins(before.entitlements) == row.entitlements
        and msgspec.to_builtins(before.terms) == row.terms
        and msgspec.to_builtins(before.requirements) == row.requirements
        and public in {None, offer.public}
        and rank in {None, offer.rank}
    )


def _change(code: str, before: OfferView | None, row: OfferVersion) -> dict[str, Any]:
    was = msgspec.to_builtins({"entitlements": before.entitlements, "terms": before.terms}) if before else None
    now = {"entitlements": row.entitlements, "terms": row.terms}
    return {"code": code, "version": row.version, "before": was, "after": now}


def _check(session: Session, code: str, names: dict[str, Any], granted: Entitlements, terms: Terms) -> None:
    found = [*_check_words(code, names), *_check_sizes(granted), *_check_terms(session, code, terms)]
    if found:
        raise Refusals(found)


def _check_words(code: str, names: dict[str, Any]) -> list[Refusal]:
    found = []
    if len(code) > 40 or not CODE.fullmatch(code):
        message = "A code is up to 40 small letters, digits and single dashes, and begins with a letter."
        found.append(Refusal("bad_code", message, field="code"))
    for locale in LOCALES:
        words = names.get(locale)
        if not (isinstance(words, dict) and str(words.get("name") or "").strip()):
            message = "Give the offer a name in French and in English."
            found.append(Refusal("name_missing", message, field=f"names.{locale}.name"))
    return found


def _check_sizes(granted: Entitlements) -> list[Refusal]:
    found = []
    for name in ("storage_bytes", "file_bytes", "members", "guests", "spaces", "retention_days"):
        value = getattr(granted, name)
        least = 0 if name in {"guests", "retention_days"} else 1
        if value is not None and not least <= value <= 10**18:
            message = "This must be at least {least}."
            found.append(Refusal("out_of_range", message, field=f"entitlements.{name}", least=least))
    if granted.encryption not in get_args(Encryption):
        message = "Files are encrypted by the store's key or by one of the tenant's own: store or tenant."
        found.append(Refusal("bad_value", message, field="entitlements.encryption"))
    return found


def _check_terms(session: Session, code: str, terms: Terms) -> list[Refusal]:
    found = []
    if not 0 <= terms.trial_months <= 24:
        found.append(Refusal("out_of_range", "A trial lasts 0 to 24 months.", field="terms.trial_months"))
    if not 0 <= terms.price_cents <= 10**9:
        message = "A price is a number of cents, at least 0."
        found.append(Refusal("out_of_range", message, field="terms.price_cents"))
    if terms.price_per not in {"organisation", "member"}:
        message = "A price is per organisation or per member."
        found.append(Refusal("bad_value", message, field="terms.price_per"))
    if not re.fullmatch(r"[A-Z]{3}", terms.currency):
        found.append(Refusal("bad_value", "A currency has three capital letters.", field="terms.currency"))
    follows_unknown = terms.follows not in {"read_only", code} and session.get(Offer, terms.follows) is None
    if follows_unknown:
        message = "A trial is followed by read_only or by an offer that exists."
        found.append(Refusal("bad_value", message, field="terms.follows"))
    return found


def retire(session: Session, code: str, *, actor: Actor) -> None:
    """Sell it no more; organisations that have it keep it."""
    offer = session.get(Offer, code, with_for_update=True)
    if offer is None or offer.retired_at is not None:
        raise _unknown(code)
    offer.retired_at = datetime.now().astimezone()
    audit.record(session, "offer.retired", actor=actor, data={"code": code})


def seed(session: Session) -> int:
    """Publish the shipped offers that are not there yet; a provider's own versions stay. Says how many were new."""
    known = set(session.scalars(select(Offer.code)))
    new = [one for one in SEEDS if one.code not in known]
    for one in new:
        publish(
            session,
            one.code,
            names=one.names,
            entitlements=one.entitlements,
            terms=one.terms,
            requirements=one.requirements,
            rank=one.rank,
            actor=SYSTEM,
        )
    return len(new)
