"""Offers and their versions; operators publish new ones. A version, once published, never changes."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from control_plane import catalogue
from control_plane.catalogue import Entitlements, OfferView, Requirements, Terms
from control_plane.identity import Permission
from control_plane.portal.desk import Desk, go, requires
from control_plane.portal.effects import FEATURES
from kit.errors import Refusal, Refusals, not_found
from kit.interface import N_, Form, field_errors, locale_of
from kit.interface.entries import Entries

READERS = [requires(Permission.OFFERS_READ)]
PUBLISHERS = [requires(Permission.OFFERS_PUBLISH)]
GB = 10**9
LABELS: dict[str, str] = {
    "code": N_("Code"),
    "names.fr.name": N_("Name in French"),
    "names.en.name": N_("Name in English"),
    "entitlements.storage_bytes": N_("Storage, GB"),
    "entitlements.file_bytes": N_("Largest file, GB"),
    "entitlements.members": N_("Members"),
    "entitlements.guests": N_("Guests"),
    "entitlements.spaces": N_("Spaces"),
    "entitlements.retention_days": N_("Days in the trash"),
    "entitlements.encryption": N_("Files are encrypted by"),
    "terms.trial_months": N_("Trial, months"),
    "terms.price_cents": N_("Price a month without tax, €"),
    "terms.price_per": N_("Price per"),
    "terms.follows": N_("After the trial"),
}


@get("/offers", guards=READERS, sync_to_thread=True)
def list_offers(desk: NamedDependency[Desk]) -> Response[str]:
    """What is sold."""
    return desk.show("portal/offers.html", offers=catalogue.offers(desk.session), features=FEATURES)


def _versions(desk: Desk, code: str) -> list[OfferView]:
    try:
        return catalogue.versions(desk.session, code)
    except Refusal as refusal:
        raise not_found("offer") from refusal


@get("/offers/{code:str}", guards=READERS, sync_to_thread=True)
def show_offer(desk: NamedDependency[Desk], code: FromPath[str]) -> Response[str]:
    """One offer with all its versions."""
    return desk.show("portal/offer.html", versions=_versions(desk, code), features=FEATURES)


def _number_text(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _entries_of(view: OfferView) -> dict[str, str]:
    """The version that is sold now, as the form shows it."""
    granted, terms = view.entitlements, view.terms
    names = {
        f"names.{locale}.{part}": str(view.names.get(locale, {}).get(part, ""))
        for locale in ("fr", "en")
        for part in ("name", "description")
    }
    return names | {
        "code": view.code,
        "entitlements.storage_bytes": f"{Decimal(granted.storage_bytes) / GB:f}",
        "entitlements.file_bytes": f"{Decimal(granted.file_bytes) / GB:f}",
        "entitlements.members": _number_text(granted.members),
        "entitlements.guests": _number_text(granted.guests),
        "entitlements.spaces": _number_text(granted.spaces),
        "entitlements.retention_days": _number_text(granted.retention_days),
        "entitlements.features": " ".join(granted.features),
        "entitlements.encryption": granted.encryption,
        "terms.trial_months": _number_text(terms.trial_months),
        "terms.price_cents": f"{Decimal(terms.price_cents) / 100:f}",
        "terms.price_per": terms.price_per,
        "terms.follows": terms.follows,
        "terms.self_service": "1" if terms.self_service else "",
        "requirements.region": view.requirements.region or "",
        "requirements.qualities": " ".join(view.requirements.qualities),
        "public": "1" if view.public else "",
    }


def _page(
    desk: Desk, values: dict[str, str], *, code: str | None, errors: dict[str, str] | None = None
) -> Response[str]:
    return desk.show(
        "portal/offer_publish.html",
        status=422 if errors else 200,
        form=Form(values, errors or {}),
        code=code,
        labels=LABELS,
        features=FEATURES,
        chosen=set(values.get("entitlements.features", "").split()),
        offers=catalogue.offers(desk.session),
    )


@get("/offers/new", guards=PUBLISHERS, sync_to_thread=True)
def new_offer(desk: NamedDependency[Desk]) -> Response[str]:
    """The form of an offer that is not there yet."""
    start = {"terms.price_per": "organisation", "terms.follows": "read_only", "public": "1", "terms.self_service": "1"}
    return _page(desk, start, code=None)


@get("/offers/{code:str}/publish", guards=PUBLISHERS, sync_to_thread=True)
def new_version(desk: NamedDependency[Desk], code: FromPath[str]) -> Response[str]:
    """The version that is sold now, to be changed."""
    return _page(desk, _entries_of(_versions(desk, code)[0]), code=code)


class Reading:
    """Reads the fields of the form, and remembers all that is wrong with them."""

    def __init__(self, entries: Entries) -> None:
        self.entries = entries
        self.wrong: list[Refusal] = []

    def number(self, name: str, *, factor: int = 1, empty: int | None = None, wanted: bool = True) -> Any:
        """A number, times `factor`; an empty field is `empty`, and wrong where one is wanted."""
        text = self.entries.text(name).replace(",", ".").replace("\u202f", "").replace(" ", "")
        if not text:
            if wanted:
                self.wrong.append(Refusal("missing", "Fill this in.", field=name))
            return empty if not wanted else 0
        try:
            value = Decimal(text) * factor
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite() or value != value.to_integral_value():
            self.wrong.append(Refusal("number_invalid", "This is not a number that fits here.", field=name))
            return 0
        return int(value)


def _terms_of(entries: Entries) -> tuple[dict[str, Any], Entitlements, Terms, Requirements]:
    reading = Reading(entries)
    names = {
        locale: {
            "name": entries.text(f"names.{locale}.name"),
            "description": entries.text(f"names.{locale}.description"),
        }
        for locale in ("fr", "en")
    }
    limit: Callable[[str], int | None] = lambda name: reading.number(f"entitlements.{name}", wanted=False)  # noqa: E731
    granted = Entitlements(
        storage_bytes=reading.number("entitlements.storage_bytes", factor=GB),
        file_bytes=reading.number("entitlements.file_bytes", factor=GB),
        members=limit("members"),
        guests=limit("guests"),
        spaces=limit("spaces"),
        retention_days=reading.number("entitlements.retention_days"),
        features=tuple(one for one in FEATURES if one in entries.all("entitlements.features")),
        # Another word is refused by the catalogue.
        encryption=entries.text("entitlements.encryption") or "store",  # type: ignore[arg-type]
    )
    terms = Terms(
        trial_months=reading.number("terms.trial_months"),
        price_cents=reading.number("terms.price_cents", factor=100),
        price_per=entries.text("terms.price_per"),
        follows=entries.text("terms.follows") or "read_only",
        self_service=bool(entries.text("terms.self_service")),
    )
    requirements = Requirements(
        region=entries.maybe("requirements.region"),
        qualities=tuple(entries.text("requirements.qualities").replace(",", " ").split()),
    )
    if reading.wrong:
        raise Refusals(reading.wrong)
    return names, granted, terms, requirements


def _check_code_free(desk: Desk, code: str) -> None:
    if any(one.code == code for one in catalogue.offers(desk.session)):
        raise Refusal("code_taken", "An offer has this code already: publish a new version of it.", field="code")


@post("/offers", guards=PUBLISHERS, sync_to_thread=True)
def publish(desk: NamedDependency[Desk], entries: NamedDependency[Entries]) -> Response[Any]:
    """The version that is sold from now on; organisations keep theirs until they are moved."""
    code = entries.text("code")
    try:
        names, granted, terms, requirements = _terms_of(entries)
        if entries.text("new"):
            _check_code_free(desk, code)
        with desk.session.begin_nested():
            catalogue.publish(
                desk.session,
                code,
                names=names,
                entitlements=granted,
                terms=terms,
                requirements=requirements,
                public=bool(entries.text("public")),
                actor=desk.actor,
            )
    except (Refusal, Refusals) as wrong:
        values = {**entries.values(), "entitlements.features": " ".join(entries.all("entitlements.features"))}
        errors = field_errors(wrong, locale_of(desk.request, desk.staff.locale))
        return _page(desk, values, code=None if entries.text("new") else code, errors=errors)
    return go(f"/offers/{code}", "published")


handlers = [list_offers, show_offer, new_offer, new_version, publish]
