"""The overview: in which state the organisation is, what it uses, and what to do next."""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

from control_plane import identity, organisations
from control_plane.console.desk import Desk, requires
from control_plane.console.permissions import Permission
from control_plane.console.plan import figures
from control_plane.console.ways import way
from control_plane.identity import SupportView


@get("/", guards=[requires()], sync_to_thread=True)
def show_home(desk: NamedDependency[Desk]) -> Response[str]:
    """The overview. Whoever holds a set-up link sees the way only."""
    told: dict[str, Any] = {"figures": None, "holds": []}
    if desk.signed.may(Permission.PLAN):
        standing = organisations.holds(desk.session, desk.organisation_id, standing_only=True)
        told = {"figures": figures(desk), "holds": standing}
    return desk.show("console/home.html", steps=way(desk), waiting=desk.waiting, asking=_asking(desk), **told)


def _asking(desk: Desk) -> list[SupportView]:
    """Staff of the provider who wait for a consent."""
    if not desk.signed.may(Permission.SUPPORT):
        return []
    return [one for one in identity.support_accesses(desk.session, desk.organisation_id) if one.waits]


handlers = [show_home]
