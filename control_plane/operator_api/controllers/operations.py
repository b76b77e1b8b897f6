"""Operations: what was asked for and takes a moment."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy.orm import Session

from control_plane import organisations, provisioning
from control_plane.audit import Actor
from control_plane.identity import Scope
from control_plane.operator_api.guards import requires
from control_plane.operator_api.idempotency import Once
from control_plane.operator_api.paging import Cursor, Limit
from control_plane.operator_api.presenting import accepted, operation_view
from control_plane.operator_api.schemas import OperationPage, OperationState, OperationView
from kit.errors import Refusal

Of = Annotated[
    str | None,
    QueryParameter(name="organisation", max_length=63, description="Only this organisation's: its id or address."),
]
InState = Annotated[OperationState | None, QueryParameter(name="state", description="Only in this state.")]


class OperationController(Controller):
    """Poll an operation until its state is succeeded, failed, cancelled or superseded."""

    path = "/operations"
    tags = ["Operations"]

    @get("/", guards=[requires(Scope.OPERATIONS_READ)], sync_to_thread=True)
    def list_operations(
        self,
        session: NamedDependency[Session],
        of: Of = None,
        in_state: InState = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> OperationPage:
        """List operations, newest first."""
        owner = organisations.find(session, of).id if of else None
        page = provisioning.operations(session, owner, in_state, cursor, limit)
        return OperationPage(items=[operation_view(session, one) for one in page.items], next_cursor=page.next_cursor)

    @get("/{operation_id:uuid}", guards=[requires(Scope.OPERATIONS_READ)], sync_to_thread=True)
    def show_operation(self, session: NamedDependency[Session], operation_id: FromPath[UUID]) -> OperationView:
        """Show an operation: state, percentage, steps, error, and whether trying again may help."""
        return operation_view(session, provisioning.operation(session, operation_id))

    @post(
        "/{operation_id:uuid}/cancellation",
        guards=[requires(Scope.OPERATIONS_WRITE)],
        status_code=202,
        sync_to_thread=True,
    )
    def cancel_operation(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        once: NamedDependency[Once],
        operation_id: FromPath[UUID],
    ) -> Response[OperationView]:
        """Stop a creation before its point of no return, and undo it."""
        return once.answer(lambda: accepted(session, provisioning.cancel(session, operation_id, actor)))

    @post("/{operation_id:uuid}/retry", guards=[requires(Scope.OPERATIONS_WRITE)], status_code=202, sync_to_thread=True)
    def retry_operation(
        self,
        session: NamedDependency[Session],
        actor: NamedDependency[Actor],
        once: NamedDependency[Once],
        operation_id: FromPath[UUID],
    ) -> Response[OperationView]:
        """Try again now. A creation that failed for good begins anew, as a new operation."""
        return once.answer(lambda: accepted(session, _retried(session, operation_id, actor)))


def _retried(session: Session, operation_id: UUID, actor: Actor) -> provisioning.Operation:
    found = provisioning.operation(session, operation_id)
    current = provisioning.current_operation(session, found.organisation_id)
    if current is None or current.id != found.id:
        # A script that repeats an old wish must not set a newer one going.
        raise Refusal("nothing_to_retry", "There is nothing to try again.", status=409)
    return provisioning.retry(session, found.organisation_id, actor)
