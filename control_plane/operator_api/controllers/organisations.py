"""Organisations: ordering, finding, reading, changing."""

from typing import Annotated

from litestar import Controller, Response, get, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter
from sqlalchemy.orm import Session

from control_plane import organisations, provisioning
from control_plane.audit import Actor
from control_plane.identity import Scope
from control_plane.operator_api.bodies import NewOrganisation, OrganisationChange
from control_plane.operator_api.dependencies import etag
from control_plane.operator_api.guards import requires
from control_plane.operator_api.idempotency import Once
from control_plane.operator_api.paging import Cursor, Limit
from control_plane.operator_api.presenting import (
    OPERATIONS,
    accepted,
    hold_view,
    operation_view,
    organisation_view,
    usage_view,
)
from control_plane.operator_api.schemas import (
    HoldList,
    OperationView,
    Ordered,
    OrganisationPage,
    OrganisationState,
    OrganisationView,
    UsageView,
)
from control_plane.organisations import Organisation
from kit.settings import ControlPlaneSettings

Words = Annotated[
    str | None,
    QueryParameter(max_length=200, description="Searches name, address, SIRET and e-mail; forgives accents and slips."),
]
Sort = Annotated[
    str,
    QueryParameter(
        pattern="^-?(created|updated|name|relevance)$",
        description="created, updated, name or relevance; a dash in front turns it round.",
    ),
]
OfferFilter = Annotated[str | None, QueryParameter(max_length=40, description="Only with this offer.")]
CellFilter = Annotated[str | None, QueryParameter(max_length=40, description="Only in this cell.")]
Standing = Annotated[bool, QueryParameter(description="Leave out holds that have been lifted.")]
InState = Annotated[OrganisationState | None, QueryParameter(name="state", description="Only in this state.")]


class OrganisationController(Controller):
    """An organisation is named by its id or its address."""

    path = "/organisations"
    tags = ["Organisations"]

    @post("/", guards=[requires(Scope.ORGANISATIONS_WRITE)], status_code=202, sync_to_thread=True)
    def order_organisation(
        self,
        session: NamedDependency[Session],
        settings: NamedDependency[ControlPlaneSettings],
        actor: NamedDependency[Actor],
        once: NamedDependency[Once],
        data: JSONBody[NewOrganisation],
    ) -> Response[Ordered]:
        """Order an organisation. Location names the operation that makes it."""
        return once.answer(lambda: _ordered(session, settings, data, actor))

    @get("/", guards=[requires(Scope.ORGANISATIONS_READ)], sync_to_thread=True)
    def list_organisations(
        self,
        session: NamedDependency[Session],
        settings: NamedDependency[ControlPlaneSettings],
        q: Words = None,
        in_state: InState = None,
        offer: OfferFilter = None,
        cell: CellFilter = None,
        sort: Sort = "-created",
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> OrganisationPage:
        """List organisations, newest first unless sorted otherwise. Cursors hold while others are added."""
        page = organisations.search(session, organisations.Search(q, in_state, offer, cell, sort, cursor, limit))
        return OrganisationPage(
            items=[organisation_view(one, settings) for one in page.items],
            next_cursor=page.next_cursor,
            total_estimate=page.total_estimate,
        )

    @get("/{reference:str}", guards=[requires(Scope.ORGANISATIONS_READ)], sync_to_thread=True)
    def show_organisation(
        self, organisation: NamedDependency[Organisation], settings: NamedDependency[ControlPlaneSettings]
    ) -> Response[OrganisationView]:
        """Show an organisation. Its ETag is wanted by every write to it."""
        return Response(organisation_view(organisation, settings), headers=etag(organisation.revision))

    @patch("/{reference:str}", guards=[requires(Scope.ORGANISATIONS_WRITE)], status_code=202, sync_to_thread=True)
    def rename_organisation(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        organisation: NamedDependency[Organisation],
        revision: NamedDependency[int],
        data: JSONBody[OrganisationChange],
    ) -> Response[OperationView]:
        """Give it another name; its address stays."""
        return accepted(
            session, organisations.rename(session, organisation.id, name=data.name, actor=actor, revision=revision)
        )

    @get("/{reference:str}/holds", guards=[requires(Scope.ORGANISATIONS_READ)], sync_to_thread=True)
    def list_holds(
        self, session: NamedDependency[Session], organisation: NamedDependency[Organisation], standing: Standing = False
    ) -> HoldList:
        """Why it is not fully live: holds, newest first, lifted ones included."""
        found = organisations.holds(session, organisation.id, standing_only=standing)
        return HoldList(items=[hold_view(one) for one in found])

    @get("/{reference:str}/usage", guards=[requires(Scope.ORGANISATIONS_READ)], sync_to_thread=True)
    def show_usage(self, session: NamedDependency[Session], organisation: NamedDependency[Organisation]) -> UsageView:
        """Show what it uses of what it may use, as its cell last reported."""
        return usage_view(session, organisation)


def _ordered(
    session: Session, settings: ControlPlaneSettings, data: NewOrganisation, actor: Actor
) -> Response[Ordered]:
    row = organisations.order(
        session,
        organisations.NewOrganisation(
            name=data.name,
            address=data.address,
            offer=data.offer,
            admin_email=data.admin.email,
            admin_name=data.admin.name,
            siret=data.siret,
            entity_kind=data.entity_kind,
            locale=data.locale,
            cell=data.cell,
            source="api",
        ),
        actor,
    )
    page = provisioning.operations(session, row.id, limit=1)
    operation = page.items[0]
    made = Ordered(organisation=organisation_view(row, settings), operation=operation_view(session, operation))
    headers = {"Location": f"{OPERATIONS}/{operation.id}", **etag(row.revision)}
    return Response(made, status_code=202, headers=headers)
