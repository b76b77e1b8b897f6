"""Ordering for a customer: one form, all its errors at once, near-duplicates shown before anything is saved."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency

from control_plane import catalogue, organisations, placement
from control_plane.identity import Permission
from control_plane.organisations import ENTITY_KINDS, NewOrganisation, Organisation
from control_plane.portal.desk import Desk, go, requires
from kit.errors import Refusal, Refusals
from kit.interface import N_, Form, field_errors, locale_of
from kit.interface.entries import Entries

SELLERS = [requires(Permission.ORGANISATIONS_CREATE)]

ENTITY_WORDS: dict[str, str] = {
    "commune": N_("Municipality"),
    "departement": N_("Department"),
    "region": N_("Region"),
    "etat": N_("State service"),
    "etablissement": N_("Public establishment"),
    "hopital": N_("Hospital"),
    "education": N_("School or university"),
    "association": N_("Association"),
    "other": N_("Other public body"),
}
LABELS: dict[str, str] = {
    "name": N_("Name of the organisation"),
    "address": N_("Address of the workspace"),
    "offer": N_("Offer"),
    "admin.email": N_("E-mail of the first administrator"),
    "admin.name": N_("Name of the first administrator"),
    "siret": N_("SIRET"),
    "entity_kind": N_("Kind of public body"),
    "locale": N_("Language of its first mails"),
    "cell": N_("Cell"),
}


def _page(
    desk: Desk,
    entries: Entries,
    *,
    errors: dict[str, str] | None = None,
    alike: list[Organisation] | None = None,
) -> Response[str]:
    return desk.show(
        "portal/organisation_new.html",
        status=422 if errors else 409 if alike else 200,
        form=Form(entries.values(), errors or {}),
        labels=LABELS,
        alike=alike or [],
        offers=catalogue.offers(desk.session),
        cells=[cell.name for cell in placement.cells(desk.session) if cell.open],
        kinds={kind: ENTITY_WORDS.get(kind, kind) for kind in ENTITY_KINDS},
        suffix=desk.request.app.state.settings.workspace_suffix,
    )


@get("/organisations/new", guards=SELLERS, sync_to_thread=True)
def new_organisation(desk: NamedDependency[Desk]) -> Response[str]:
    """The empty form."""
    return _page(desk, Entries.of(desk.request.query_params))


@post("/organisations", guards=SELLERS, sync_to_thread=True)
def order(desk: NamedDependency[Desk], entries: NamedDependency[Entries]) -> Response[Any]:
    """Order it, or show again what was typed with all that is wrong, or with whom it may be already."""
    wanted = NewOrganisation(
        name=entries.text("name"),
        address=entries.text("address").lower(),
        offer=entries.text("offer"),
        admin_email=entries.text("admin.email"),
        admin_name=entries.text("admin.name"),
        siret=entries.maybe("siret"),
        entity_kind=entries.maybe("entity_kind"),
        locale=entries.text("locale", "fr"),
        cell=entries.maybe("cell"),
        source="portal",
    )
    savepoint = desk.session.begin_nested()
    try:
        # Looked for before the order is among them; shown only if nothing else is wrong.
        alike = _alike(desk, entries, wanted)
        row = organisations.order(desk.session, wanted, desk.actor)
    except (Refusal, Refusals) as wrong:
        savepoint.rollback()
        return _page(desk, entries, errors=field_errors(wrong, locale_of(desk.request, desk.staff.locale)))
    if alike:
        savepoint.rollback()
        return _page(desk, entries, alike=alike)
    savepoint.commit()
    return go(f"/organisations/{row.id}", "ordered")


def _alike(desk: Desk, entries: Entries, wanted: NewOrganisation) -> list[Organisation]:
    if entries.text("anyway"):
        return []
    return organisations.near_duplicates(desk.session, wanted.name, wanted.siret, wanted.address)


handlers = [new_organisation, order]
