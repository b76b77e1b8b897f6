"""Who of the provider's staff may look into the workspace: nobody, unless an administrator here has agreed to it."""

from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from control_plane import identity
from control_plane.console.desk import Desk, go, requires
from control_plane.console.permissions import Permission
from kit.errors import not_found

ADMINISTRATORS = [requires(Permission.SUPPORT)]


@get("/support", guards=ADMINISTRATORS, sync_to_thread=True)
def show_support(desk: NamedDependency[Desk]) -> Response[str]:
    """What is asked, what is open, what was."""
    found = identity.support_accesses(desk.session, desk.organisation_id)
    return desk.show("console/support.html", accesses=found)


@post("/support/{access_id:uuid}/consent", guards=ADMINISTRATORS, sync_to_thread=True)
def accept(desk: NamedDependency[Desk], access_id: FromPath[UUID]) -> Redirect:
    """They may come in, and see what this administrator sees."""
    person = desk.signed.person
    if person is None:
        raise not_found()
    identity.accept_support(desk.session, desk.organisation_id, access_id, person.id, actor=desk.actor)
    return go("/support", "support-accepted")


@post("/support/{access_id:uuid}/consent/removal", guards=ADMINISTRATORS, sync_to_thread=True)
def revoke(desk: NamedDependency[Desk], access_id: FromPath[UUID]) -> Redirect:
    """Refused, or taken back: whoever is in is out with the next click."""
    identity.end_support(desk.session, desk.organisation_id, access_id, actor=desk.actor)
    return go("/support", "support-ended")


handlers = [show_support, accept, revoke]
