"""Storage: the cells' stores, and what one organisation has in its own."""

from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter
from sqlalchemy.orm import Session

from control_plane import fleet, organisations, placement, storage
from control_plane.audit import Actor
from control_plane.identity import Scope
from control_plane.operator_api.bodies import KeyRotation
from control_plane.operator_api.guards import requires
from control_plane.operator_api.idempotency import Once
from control_plane.operator_api.mirror_schemas import MirrorPage
from control_plane.operator_api.paging import Cursor, Limit
from control_plane.operator_api.presenting import accepted
from control_plane.operator_api.presenting_storage import mirror_view, storage_view, store_view
from control_plane.operator_api.schemas import OperationView
from control_plane.operator_api.storage_schemas import StorageView, StoreList
from control_plane.organisations import Organisation
from control_plane.placement import CellView
from kit.errors import not_found

Of = Annotated[str | None, QueryParameter(name="cell", max_length=40, description="Only this cell's.")]


class StoreController(Controller):
    """Each cell keeps its files in one object store: a Ceph, or files behind a gateway of Parvis's own."""

    path = "/storage"
    tags = ["Storage"]

    @get("/", guards=[requires(Scope.STORAGE_READ)], sync_to_thread=True)
    def list_stores(self, session: NamedDependency[Session], of: Of = None) -> StoreList:
        """Look at the cells' stores now. One that does not answer within 5 seconds is told as a failed check."""
        return StoreList(items=[store_view(one) for one in fleet.stores(session, _cells(session, of))])

    @get("/mirrors", guards=[requires(Scope.STORAGE_READ)], sync_to_thread=True)
    def list_mirrors(
        self, session: NamedDependency[Session], of: Of = None, cursor: Cursor = None, limit: Limit = 50
    ) -> MirrorPage:
        """List the organisations' mirrors, those that are furthest behind first."""
        _cells(session, of)
        page = storage.mirrors(session, cell=of, cursor=cursor, limit=limit)
        return MirrorPage(items=[mirror_view(one) for one in page.items], next_cursor=page.next_cursor)


class OrganisationStorageController(Controller):
    """An organisation has an account, a bucket with a hard limit, and keys of its own in its cell's store."""

    path = "/organisations/{reference:str}/storage"
    tags = ["Storage"]

    @get("/", guards=[requires(Scope.STORAGE_READ)], sync_to_thread=True)
    def show_storage(
        self, session: NamedDependency[Session], organisation: NamedDependency[Organisation]
    ) -> StorageView:
        """Show what was sold, what the workspace counts, what the store counts at this moment, and the keys.

        A store that does not answer within 4 seconds leaves `store` null, with the reason in `store_trouble`.
        """
        return storage_view(organisations.storage_of(session, organisation.id))

    @post("/key-rotation", guards=[requires(Scope.STORAGE_WRITE)], status_code=202, sync_to_thread=True)
    def rotate_keys(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        once: NamedDependency[Once],
        organisation: NamedDependency[Organisation],
        data: JSONBody[KeyRotation],
    ) -> Response[OperationView]:
        """Give it a new key. The old one goes by itself once nobody can be using it; nobody is locked out meanwhile."""
        return once.answer(
            lambda: accepted(session, organisations.rotate_keys(session, organisation.id, kind=data.kind, actor=actor))
        )

    @post("/verification", guards=[requires(Scope.STORAGE_WRITE)], status_code=202, sync_to_thread=True)
    def compare_storage(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        once: NamedDependency[Once],
        organisation: NamedDependency[Organisation],
    ) -> Response[StorageView]:
        """Compare workspace and store now, file by file; follow Location until `comparison.pending` is false."""
        return once.answer(lambda: _compared(session, organisation, actor))


def _cells(session: Session, name: str | None) -> list[CellView]:
    found = [one for one in placement.cells(session) if name in {None, one.name}]
    if name and not found:
        raise not_found("cell")
    return found


def _compared(session: Session, organisation: Organisation, actor: Actor) -> Response[StorageView]:
    organisations.compare_books(session, organisation.id, actor=actor)
    headers = {"Location": f"/api/v1/organisations/{organisation.id}/storage"}
    seen = organisations.storage_of(session, organisation.id)
    return Response(storage_view(seen), status_code=202, headers=headers)
