"""Support access: asked for and given up by the provider. No token consents to it, and none goes in."""

from uuid import UUID

from litestar import Controller, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlalchemy.orm import Session

from control_plane import identity
from control_plane.audit import Actor
from control_plane.identity import Scope, SupportView
from control_plane.operator_api.guards import requires
from control_plane.operator_api.idempotency import Once
from control_plane.operator_api.presenting import fields
from control_plane.operator_api.support_bodies import NewSupportAccess
from control_plane.operator_api.support_schemas import SupportAccessList, SupportAccessView
from control_plane.organisations import Organisation

READS, WRITES = [requires(Scope.SUPPORT_READ)], [requires(Scope.SUPPORT_WRITE)]


class SupportController(Controller):
    """Staff of the provider in a workspace. An administrator of the organisation consents, in its own console only."""

    path = "/organisations/{reference:str}/support"
    tags = ["Support access"]

    @get("/", guards=READS, sync_to_thread=True)
    def list_support_accesses(
        self, session: NamedDependency[Session], organisation: NamedDependency[Organisation]
    ) -> SupportAccessList:
        """List what was asked of this organisation, and what became of it."""
        return SupportAccessList(items=[_view(one) for one in identity.support_accesses(session, organisation.id)])

    @post("/", guards=WRITES, sync_to_thread=True)
    def ask_for_support_access(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        once: NamedDependency[Once],
        organisation: NamedDependency[Organisation],
        data: JSONBody[NewSupportAccess],
    ) -> Response[SupportAccessView]:
        """Ask for somebody of the staff to come in. Nothing opens by it; its administrators get a mail."""
        return once.answer(lambda: _asked(session, organisation, data, actor))

    @get("/{access_id:uuid}", guards=READS, sync_to_thread=True)
    def show_support_access(
        self,
        session: NamedDependency[Session],
        organisation: NamedDependency[Organisation],
        access_id: FromPath[UUID],
    ) -> SupportAccessView:
        """Show one request."""
        return _view(identity.support_access(session, organisation.id, access_id))

    @delete("/{access_id:uuid}", guards=WRITES, sync_to_thread=True)
    def end_support_access(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        organisation: NamedDependency[Organisation],
        access_id: FromPath[UUID],
    ) -> None:
        """Take a request back, or end an access: whoever is in is out with the next click. Twice changes nothing."""
        identity.end_support(session, organisation.id, access_id, actor=actor)


def _asked(
    session: Session, organisation: Organisation, data: NewSupportAccess, actor: Actor
) -> Response[SupportAccessView]:
    staff = identity.supporter(session, data.staff)
    wanted = {"reason": data.reason, "read_only": data.read_only, "hours": data.hours}
    made = identity.ask_support(session, organisation.id, staff, actor=actor, **wanted)  # type: ignore[arg-type]
    where = f"/api/v1/organisations/{organisation.id}/support/{made.id}"
    return Response(_view(made), status_code=201, headers={"Location": where})


def _view(seen: SupportView) -> SupportAccessView:
    return SupportAccessView(**fields(seen, SupportAccessView))
