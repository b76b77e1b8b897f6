"""The overview: in which state the organisation is, what it uses, and what to do next."""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

from control_plane import organisations
from control_plane.console.desk import Desk, requires
from control_plane.console.permissions import Permission
from control_plane.console.plan import figures
from control_plane.console.ways import way


@get("/", guards=[requires()], sync_to_thread=True)
def show_home(desk: NamedDependency[Desk]) -> Response[str]:
    """The overview. Whoever holds a set-up link sees the way only."""
    told: dict[str, Any] = {"figures": None, "holds": []}
    if desk.signed.may(Permission.PLAN):
        standing = organisations.holds(desk.session, desk.organisation_id, standing_only=True)
        told = {"figures": figures(desk), "holds": standing}
    return desk.show("console/home.html", steps=way(desk), waiting=desk.waiting, **told)


handlers = [show_home]
