"""What organisations use, for a whole page at once: one question for each database, none to one that is in trouble."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from control_plane import catalogue, placement
from control_plane.catalogue import OfferView
from control_plane.organisations import Organisation
from control_plane.placement import Databases, Place
from kit.errors import Refusal, Unavailable
from tenant_app.contract import Usage


@dataclass(frozen=True)
class Figures:
    """One organisation's place, last reported use and offer; use is None while nothing has been reported."""

    place: Place | None
    usage: Usage | None
    offer: OfferView

    @property
    def share(self) -> float | None:
        """How full its storage is, in per cent."""
        if self.usage is None:
            return None
        return 100 * self.usage.storage_bytes / self.offer.entitlements.storage_bytes


def figures(session: Session, databases: Databases, rows: Iterable[Organisation]) -> dict[UUID, Figures]:
    """Figures of each organisation, by id."""
    wanted = list(rows)
    places = {row.id: placement.where(session, row.id) for row in wanted}
    used = _usages(session, databases, [place for place in places.values() if place])
    offers: dict[tuple[str, int], OfferView] = {}
    for row in wanted:
        key = (row.offer_code, row.offer_version)
        if key not in offers:
            offers[key] = catalogue.version(session, *key)
    return {
        row.id: Figures(places[row.id], used.get(row.id), offers[row.offer_code, row.offer_version]) for row in wanted
    }


def _usages(session: Session, databases: Databases, places: list[Place]) -> dict[UUID, Usage]:
    troubled = {one.id for cell in placement.cells(session) for one in cell.databases if one.trouble}
    by_database: dict[UUID, list[UUID]] = defaultdict(list)
    for place in places:
        if place.database_id not in troubled:
            by_database[place.database_id].append(place.organisation_id)
    found: dict[UUID, Usage] = {}
    for database_id, ids in by_database.items():
        try:
            found |= databases.get(session, database_id).usage(ids)
        except (Unavailable, Refusal):
            # Figures are a help on this page, never a reason for it to fail.
            continue
    return found
