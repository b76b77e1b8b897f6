"""Who of the provider's staff may look into the workspace: nobody, unless an administrator here has agreed to it."""

from litestar import Response, get
from litestar.di import NamedDependency

from control_plane.console.desk import Desk, requires
from control_plane.console.permissions import Permission


@get("/support", guards=[requires(Permission.SUPPORT)], sync_to_thread=True)
def show_support(desk: NamedDependency[Desk]) -> Response[str]:
    """That no access is open."""
    return desk.show("console/support.html")


handlers = [show_support]
