"""Who of the provider's staff may look into the workspace: nobody, unless an administrator here has agreed to it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from control_plane import identity
from control_plane.console.desk import Desk, go, requires
from control_plane.console.permissions import Permission
from control_plane.identity import SupportView
from kit.errors import not_found
from kit.interface import N_
from tenant_app.contract import SupportAct

# What was done by it, in the workspace's own record.
ACTS = {
    "support.entered": N_("Came in"),
    "support.opened": N_("Opened"),
    "support.downloaded": N_("Downloaded"),
    "file.uploaded": N_("Sent a file"),
    "file.version_restored": N_("Brought an old version back"),
    "folder.made": N_("Made a folder"),
    "node.renamed": N_("Renamed"),
    "node.moved": N_("Moved"),
    "node.trashed": N_("Put away in the trash"),
    "node.restored": N_("Brought back from the trash"),
    "space.made": N_("Made a space"),
    "space.renamed": N_("Renamed a space"),
    "space.archived": N_("Archived a space"),
    "space.opened_again": N_("Brought a space back into use"),
}
PAGES = {"/": N_("Home"), "/spaces": N_("Spaces"), "/members": N_("Members")}
# A request that was under way as it ended may have been noted after that.
AFTER = timedelta(minutes=2)

ADMINISTRATORS = [requires(Permission.SUPPORT)]


@get("/support", guards=ADMINISTRATORS, sync_to_thread=True)
def show_support(desk: NamedDependency[Desk]) -> Response[str]:
    """What is asked, what is open, what was."""
    found = identity.support_accesses(desk.session, desk.organisation_id)
    return desk.show("console/support.html", accesses=found)


@get("/support/{access_id:uuid}", guards=ADMINISTRATORS, sync_to_thread=True)
def show_access(desk: NamedDependency[Desk], access_id: FromPath[UUID]) -> Response[str]:
    """One of them, and all that was looked at and done by it."""
    one = identity.support_access(desk.session, desk.organisation_id, access_id)
    return desk.show("console/support_access.html", one=one, acts=_acts(desk, one), act_words=ACTS, pages=PAGES)


def _acts(desk: Desk, one: SupportView) -> list[SupportAct]:
    """Names are told to whoever may see the thing in the workspace himself."""
    if one.accepted_at is None or desk.signed.person is None:
        return []
    until = min(one.ended_at or one.until or one.accepted_at, datetime.now(UTC)) + AFTER
    viewer = desk.signed.person.id
    return desk.database.support_acts(desk.organisation_id, one.id, viewer, since=one.accepted_at, until=until)


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


handlers = [show_support, show_access, accept, revoke]
