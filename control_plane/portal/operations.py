"""Operations of all organisations, and each with its ledger."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect
from sqlalchemy.orm import Session

from control_plane import organisations, provisioning
from control_plane.identity import Permission
from control_plane.organisations import Organisation
from control_plane.portal.desk import AnyRequest, Desk, go, requires
from control_plane.portal.ledger import ledger_of
from control_plane.portal.words import OPERATION_STATES
from kit.errors import Refusal

READERS = [requires(Permission.OPERATIONS_READ)]
ACTORS = [requires(Permission.OPERATIONS_ACT)]


def owners(session: Session, items: list[provisioning.Operation]) -> dict[UUID, Organisation]:
    """The organisations of some operations."""
    return {one: organisations.get(session, one) for one in {item.organisation_id for item in items}}


@get("/operations", guards=READERS, sync_to_thread=True)
def list_operations(request: AnyRequest, desk: NamedDependency[Desk]) -> Response[str]:
    """Newest first, or those in one state."""
    state = request.query_params.get("state") or None
    if state is not None and state not in OPERATION_STATES:
        raise Refusal("unknown_state", "There is no state called {state}.", field="state", status=400, state=state)
    page = provisioning.operations(desk.session, None, state, request.query_params.get("cursor") or None)
    return desk.show(
        "portal/operations.html",
        page=page,
        owners=owners(desk.session, page.items),
        states=list(OPERATION_STATES),
        state=state,
        first=not request.query_params.get("cursor"),
    )


@get("/operations/{operation_id:uuid}", guards=READERS, sync_to_thread=True)
def show_operation(desk: NamedDependency[Desk], operation_id: FromPath[UUID]) -> Response[str]:
    """One operation: every step, attempt, duration and plain error."""
    operation = provisioning.operation(desk.session, operation_id)
    row = organisations.get(desk.session, operation.organisation_id)
    current = provisioning.current_operation(desk.session, row.id)
    return desk.show(
        "portal/operation.html",
        organisation=row,
        ledger=ledger_of(desk.session, operation),
        is_current=current is not None and current.id == operation.id,
    )


def _undone(desk: Desk, operation_id: UUID, undo: Any) -> Redirect:
    operation = undo(desk.session, operation_id, desk.actor)
    return go(f"/organisations/{operation.organisation_id}", "asked")


@post("/operations/{operation_id:uuid}/roll-back", guards=ACTORS, sync_to_thread=True)
def roll_back(desk: NamedDependency[Desk], operation_id: FromPath[UUID]) -> Redirect:
    """Give up a creation that cannot finish; nothing of it stays, and it can be tried again."""
    return _undone(desk, operation_id, provisioning.roll_back)


@post("/operations/{operation_id:uuid}/cancel", guards=ACTORS, sync_to_thread=True)
def cancel(desk: NamedDependency[Desk], operation_id: FromPath[UUID]) -> Redirect:
    """Stop a creation before its workspace answers."""
    return _undone(desk, operation_id, provisioning.cancel)


handlers = [list_operations, show_operation, roll_back, cancel]
