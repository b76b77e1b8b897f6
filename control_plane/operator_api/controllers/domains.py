"""Domains: mail domains of an organisation, and their proof."""

from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlalchemy.orm import Session

from control_plane import identity
from control_plane.audit import Actor
from control_plane.identity import Scope
from control_plane.operator_api.guards import requires
from control_plane.operator_api.idempotency import Once
from control_plane.operator_api.identity_bodies import DomainChange, NewDomain
from control_plane.operator_api.identity_schemas import DomainList, DomainView
from control_plane.operator_api.presenting_identity import domain_view
from control_plane.organisations import Organisation
from kit.settings import ControlPlaneSettings

READS, WRITES = [requires(Scope.IDENTITY_READ)], [requires(Scope.IDENTITY_WRITE)]


class DomainController(Controller):
    """A domain is the organisation's once a TXT record proves it; only in such may its providers make people."""

    path = "/organisations/{reference:str}/domains"
    tags = ["Domains"]

    @get("/", guards=READS, sync_to_thread=True)
    def list_domains(
        self, session: NamedDependency[Session], organisation: NamedDependency[Organisation]
    ) -> DomainList:
        """List its domains, with what each name server last said."""
        return DomainList(items=[domain_view(one) for one in identity.domains(session, organisation.id)])

    @post("/", guards=WRITES, sync_to_thread=True)
    def claim_domain(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        once: NamedDependency[Once],
        organisation: NamedDependency[Organisation],
        data: JSONBody[NewDomain],
    ) -> Response[DomainView]:
        """Claim a domain: set the record of the answer, then check it. Claiming again gives the same record."""
        return once.answer(
            lambda: _made(organisation, identity.claim_domain(session, organisation.id, data.name, actor=actor))
        )

    @get("/{domain_id:uuid}", guards=READS, sync_to_thread=True)
    def show_domain(
        self, session: NamedDependency[Session], organisation: NamedDependency[Organisation], domain_id: FromPath[UUID]
    ) -> DomainView:
        """Show a domain."""
        return domain_view(identity.domain(session, organisation.id, domain_id))

    @post("/{domain_id:uuid}/check", guards=WRITES, status_code=200, sync_to_thread=True)
    def check_domain(
        self,
        session: NamedDependency[Session],
        settings: NamedDependency[ControlPlaneSettings],
        actor: NamedDependency[Actor],
        organisation: NamedDependency[Organisation],
        domain_id: FromPath[UUID],
    ) -> DomainView:
        """Ask the name servers now; the answer tells what each of them sees."""
        return domain_view(identity.check_domain(session, settings, organisation.id, domain_id, actor=actor))

    @patch("/{domain_id:uuid}", guards=WRITES, sync_to_thread=True)
    def change_domain(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        organisation: NamedDependency[Organisation],
        domain_id: FromPath[UUID],
        data: JSONBody[DomainChange],
    ) -> DomainView:
        """Say whether sign-ups of the domain are led here."""
        return domain_view(identity.set_capture(session, organisation.id, domain_id, data.capture, actor=actor))

    @delete("/{domain_id:uuid}", guards=WRITES, sync_to_thread=True)
    def remove_domain(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        organisation: NamedDependency[Organisation],
        domain_id: FromPath[UUID],
    ) -> None:
        """Give a domain up. Who is a member stays one."""
        identity.remove_domain(session, organisation.id, domain_id, actor=actor)


def _made(organisation: Organisation, seen: identity.DomainView) -> Response[DomainView]:
    headers = {"Location": f"/api/v1/organisations/{organisation.id}/domains/{seen.id}"}
    return Response(domain_view(seen), status_code=201, headers=headers)
