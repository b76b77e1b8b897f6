"""What the organisation has bought, and how much of it it uses."""

from dataclasses import dataclass

from litestar import Response, get
from litestar.di import NamedDependency

from control_plane import catalogue, organisations
from control_plane.catalogue import OfferView
from control_plane.console.desk import Desk, requires
from control_plane.console.permissions import Permission
from tenant_app.contract import Usage


@dataclass(frozen=True)
class Figures:
    """The offer as it was sold, and the workspace's last report; None while there is none, or its cell is away."""

    offer: OfferView
    usage: Usage | None

    @property
    def share(self) -> float | None:
        """How full the storage is, in per cent."""
        if self.usage is None:
            return None
        return 100 * self.usage.storage_bytes / self.offer.entitlements.storage_bytes


def figures(desk: Desk) -> Figures:
    """This organisation's."""
    row = desk.organisation
    offer = catalogue.version(desk.session, row.offer_code, row.offer_version)
    return Figures(offer, organisations.usage(desk.session, row.id))


@get("/plan", guards=[requires(Permission.PLAN)], sync_to_thread=True)
def show_plan(desk: NamedDependency[Desk]) -> Response[str]:
    """The offer, its end, its limits, and what is used of them."""
    standing = organisations.holds(desk.session, desk.organisation_id, standing_only=True)
    return desk.show("console/plan.html", figures=figures(desk), holds=standing)


handlers = [show_plan]
